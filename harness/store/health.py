"""Whether a database is sound, and what it is: asked of the database itself, changing nothing in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, inspect, text

from harness.store import opening
from harness.store.location import DatabasePlace, called, file_of, is_there, url_of

QUICK_FROM = 100_000_000
"""Bytes from which a quick check stands for the full one, which also holds every index against its table."""
_SHOWN = 5
"""Troubles that are told one by one."""


@dataclass(frozen=True)
class Health:
    """What a database says of itself."""

    about: str
    """Size, schema, journal and which check was made."""
    troubles: tuple[str, ...] = ()
    """What is not as it must be; empty where all is."""


def health(place: DatabasePlace, *, full: bool = False) -> Health | None:
    """Look at a database; None where there is none yet. full: the full check also of a large one.

    Raises: HarnessError for one that cannot be read at all, or is in use by another process that lets nobody read.
    """
    if not is_there(place):
        return None
    url = url_of(place)
    with opening.explained(url):
        engine = create_engine(url)  # with none of our own settings: looking changes nothing
        try:
            with engine.connect() as connection:
                if file_of(url) is None:
                    return Health(f"{called(place)}: {_schema(connection)}; its health is its server's")
                return _of_sqlite(connection, called(place), full=full)
        finally:
            engine.dispose()


def _of_sqlite(connection: Connection, name: str, *, full: bool) -> Health:
    def ask(what: str) -> list[str]:
        return [" ".join(str(cell) for cell in row) for row in connection.exec_driver_sql(f"PRAGMA {what}")]

    (pages,), (size,), (journal,) = ask("page_count"), ask("page_size"), ask("journal_mode")
    many = int(pages) * int(size)
    kind = "integrity_check" if full or many < QUICK_FROM else "quick_check"
    found = [line for line in ask(f"{kind}({_SHOWN})") if line != "ok"]
    astray = ask("foreign_key_check")
    if astray:
        found.append(f"{len(astray)} rows refer to what is not there, as of table {astray[0].split()[0]}")
    about = f"{name}: {many / 1e6:,.1f} MB in {int(pages):,} pages, journal {journal}, {_schema(connection)}, {kind.replace('_', ' ')}"
    return Health(about, tuple(" ".join(line.split()) for line in found))


def _schema(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return "no schema of ours"
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return (
        f"schema {found}" if found == opening.REVISION else f"schema {found} (this harness writes {opening.REVISION})"
    )
