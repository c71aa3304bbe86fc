"""Open a database file safely: transactions that hold, the right schema, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from harness.core.errors import Busy, HarnessError
from harness.store.holders import holders

REVISION = "0013"
"""The newest schema that this harness knows; a test holds it against the migrations."""
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = MIGRATIONS / "newest.sql"
"""What all migrations make of an empty SQLite file; a test holds it against them and says how to write it anew."""
_BUSY_SECONDS = 30


def make_engine(url: URL) -> Engine:
    """Make an engine whose SQLite connections keep foreign keys and begin their own transactions."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would commit and begin behind our back
    connection.execute("PRAGMA foreign_keys = ON")
    _log_ahead(connection)
    # Run folders can rebuild what a power cut takes from the log's end, so no fsync per outcome.
    connection.execute("PRAGMA synchronous = NORMAL")


def _log_ahead(connection: Any) -> None:
    """Switch to the write-ahead log. SQLite itself gives up at once where another process is about to write."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _begin(connection: Connection) -> None:
    # A reader that turns writer cannot wait for another writer; who will write says so at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside one write transaction: all of it or nothing."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a person can put right (read-only folder, full disk, other writer, broken file, no server) into a HarnessError."""
    try:
        yield
    except DBAPIError as error:
        message = _remedy(url, error.orig) or _unanswered(url, error)
        if message is None:
            raise
        raise (Busy if _is_busy(error.orig) else HarnessError)(message) from error
    except UnicodeDecodeError as error:  # what is no text is not what was written
        raise HarnessError(_damaged(url.database or str(url), str(error))) from error


def _is_busy(error: BaseException | None) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _remedy(url: URL, error: BaseException | None) -> str | None:
    if not isinstance(error, sqlite3.Error):
        return None
    name = getattr(error, "sqlite_errorname", "") or ""
    file = Path(url.database or ":memory:")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR")):
        return f"cannot write the database {file.name} in {file.parent} ({error}); make that folder writable for this user or choose another results folder"
    if _is_busy(error):
        who = holders(file)
        return f"another process has been using {file} for {_BUSY_SECONDS} s{who and f': {who}'}; wait for it or end it, then run the same command again"
    if name.startswith("SQLITE_FULL"):
        return f"the disk that holds {file} is full; free some space and run the same command again (nothing finished is lost)"
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or "decode to UTF-8" in str(error):
        return _damaged(file, str(error))
    return None


def _unanswered(url: URL, error: DBAPIError) -> str | None:
    if url.get_backend_name() == "sqlite" or not isinstance(error, OperationalError):
        return None
    said = " ".join(str(error.orig).split())
    return f"{url.render_as_string(hide_password=True)} does not do what it was asked ({said}); see that its server runs, and that it lets this user in"


def _damaged(file: Path | str, trouble: str) -> str:
    said = " ".join(trouble.split())
    return f"{file} is not a sound SQLite database ({said}); put a copy in its place, or move it away and run `harness ingest`, which rebuilds it from the run folders"


def bring_up(engine: Engine) -> bool:
    """Give a new database its tables, upgrade an older one, refuse a newer one or one that is not ours.

    Returns whether an older one was upgraded. Raises: HarnessError.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    if found == REVISION:
        return False
    with writing(engine) as connection:
        found = _revision(connection)  # another process may have been here while we waited
        _refuse_foreign(connection, found, engine.url)
        if found != REVISION:
            (_upgrade if found is None else _upgrade_sound)(connection)
    return found is not None


def _upgrade_sound(connection: Connection) -> None:
    """Upgrade what is sound; of what is damaged nothing is written. Raises: HarnessError."""
    place = connection.engine.url.database or str(connection.engine.url)
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise HarnessError(_damaged(place, str(found)))
    try:
        _upgrade(connection)
    except (ValueError, TypeError, LookupError, IntegrityError) as error:  # what a row says is not what was written
        raise HarnessError(_damaged(place, str(error).splitlines()[0])) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _refuse_foreign(connection: Connection, found: str | None, url: URL) -> None:
    place = url.database or str(url)
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    if found is None and tables:
        raise HarnessError(
            f"{place} is a database of something else (it has table {min(tables)}); name another file for the results"
        )
    if found is not None and found not in known_revisions():
        raise HarnessError(
            f"{place} has schema {found} and this harness knows schemas up to {REVISION}; update the harness, "
            "or move the file away and run `harness ingest` to rebuild it from the run folders"
        )


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    # ConfigParser reads a percent sign as the start of a reference.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def known_revisions() -> list[str]:
    """List the schemas that this harness can read or upgrade, newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _upgrade(connection: Connection) -> None:
    """Bring a database to the newest schema; a new SQLite one at once, without the way that older ones went."""
    if connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
        for statement in NEWEST.read_text("utf-8").split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        return
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
