"""What every table shares: naming of constraints, how a moment is kept, and how much one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import DateTime, Dialect, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

from harness.core.errors import HarnessError

T = TypeVar("T")
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Utc(TypeDecorator[datetime]):
    """An aware moment: on SQLite ISO text in UTC with six digits (sorts as it reads), elsewhere a timestamp with zone."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = String(32) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy calls it by name
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            raise HarnessError(
                f"the database holds the moment {value!r}, which is none; `harness doctor` looks at it"
            ) from None
        return moment.astimezone(UTC)


class Row(DeclarativeBase):
    """What every table shares: naming of constraints and the types of columns."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: Utc()}  # noqa: RUF012 - SQLAlchemy's own spelling


def table(row: type[Row]) -> Table:
    """Return the table of a row class."""
    found = row.__table__
    assert isinstance(found, Table)
    return found


def chunks(items: Iterable[T], size: int = 5_000) -> Iterator[list[T]]:
    """Cut what may be more than one statement takes; SQLite takes 32,766 values."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
