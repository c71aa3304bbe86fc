"""Where the database is: one place that every command asks, whatever kind of database it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.paths import placed

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "HARNESS_DB"
"""Names the database of all commands of a shell, whatever a workspace says."""
USUAL = "bench.db"
"""In a results folder, where nothing else is named."""
DatabasePlace = str | Path
"""URL of a database, or the path of an SQLite file."""


def database_of(results: Path, said: str | None = None, root: Path | None = None) -> DatabasePlace:
    """Find the database: `HARNESS_DB`, else what a workspace says of this machine, else a file in the results folder.

    said: `database:` of local.yaml, seen from the workspace's folder `root`; the variable's is seen from where one stands.
    Raises: HarnessError for what is no database, or one in memory, which keeps nothing.
    """
    if named := os.environ.get(VARIABLE):
        return _place(named, VARIABLE, Path.cwd())
    return results / USUAL if said is None else _place(said, "`database:` of local.yaml", root or results.parent)


def url_of(place: DatabasePlace) -> URL:
    """Read a place: a URL where it has `://`, else the path of an SQLite file. Raises: HarnessError for a URL that is none."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if not isinstance(place, str) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    try:
        url = make_url(place)
        url.get_dialect().import_dbapi()
    except (ArgumentError, ValueError) as error:
        raise HarnessError(
            f"'{place.partition('://')[0]}://...' is the URL of no database that SQLAlchemy knows ({error}); write one as sqlite:////folder/bench.db"
        ) from None
    except ImportError as error:
        raise HarnessError(
            f"a database of {place.partition('://')[0]} needs the package {error.name}, which is not installed here; install it beside the "
            "harness, or name the driver that is, as postgresql+psycopg://..."
        ) from None
    return url


def file_of(url: URL) -> Path | None:
    """Name the file that a database is; None of one in memory or on a server."""
    inside = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if inside else None


def is_there(place: DatabasePlace) -> bool:
    """Tell whether there is a database to read; one on a server is asked when it is opened."""
    url = url_of(place)
    file = file_of(url)
    return file.exists() if file is not None else url.get_backend_name() != "sqlite"


def called(place: DatabasePlace) -> str:
    """Name a database for people, without its password."""
    url = url_of(place)
    file = file_of(url)
    return str(file) if file is not None else url.render_as_string(hide_password=True)


def _place(said: str, who: str, root: Path) -> DatabasePlace:
    if "://" not in said:
        return placed(said, root)
    try:
        url = url_of(said)
    except HarnessError as error:
        raise HarnessError(f"{who}: {error}") from None
    if url.get_backend_name() != "sqlite":
        return said
    file = file_of(url)
    if file is None:
        raise HarnessError(
            f"{who}: {said} is a database in memory, which keeps nothing; name a file, as sqlite:////folder/bench.db"
        )
    return str(url.set(database=str(root / file)))
