"""Options of adapters: records that name every mistake with the nearest right spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import ConfigDict

from harness.core.errors import ConfigError
from harness.core.spec import JsonObject, Record
from harness.core.spelling import meant_by, unknown

_WHOLE = "whole_sentence"


class Options(Record):
    """What an adapter can be asked for; each field has a default or is required, and says what it means."""

    noun: ClassVar[str] = "option"
    """What its names are called in messages."""
    model_config = ConfigDict(allow_inf_nan=False)


def told(message: str) -> Exception:
    """Make the error of a validator whose message is a whole sentence: nothing is said before or behind it."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(_WHOLE, "{said}", {"said": message})


Given = TypeVar("Given", bound=Options)


def problems_of(options: type[Options], given: Mapping[str, object], what: str) -> list[tuple[str, str]]:
    """Validate options; return (field, message) for each mistake, with the nearest right name for unknown ones."""
    return [(path[0] if path else "", message) for path, message in placed_problems_of(options, given, what)]


def placed_problems_of(
    options: type[Options], given: Mapping[str, object], what: str
) -> list[tuple[tuple[str, ...], str]]:
    """Validate options as `problems_of`, with the whole path of names to each mistake.

    A name that is missing where its misspelling stands is no mistake of its own.
    """
    from pydantic import ValidationError

    try:
        options.model_validate(dict(given))
    except ValidationError as error:
        items = error.errors()
    else:
        return []
    found = [(tuple(str(part) for part in item["loc"]), item) for item in items]
    meant = {
        (*path[:-1], right)
        for path, item in found
        if item["type"] == "extra_forbidden" and (right := meant_by(path[-1], _fields_at(options, path[:-1])))
    }
    return [
        (path, _problem(options, path, item, what))
        for path, item in found
        if item["type"] != "missing" or path not in meant
    ]


def _problem(options: type[Options], path: Sequence[str], item: Any, what: str) -> str:
    if item["type"] == _WHOLE:
        return str(item["msg"])
    name, above = path[-1] if path else "", _above(path[:-1])
    inside = f"{above} of {what}" if above else what
    if item["type"] == "extra_forbidden":
        known = _fields_at(options, path[:-1])
        return unknown(f"{options.noun} of {what}", name, known) if not above else unknown("key", name, known, above)
    if item["type"] == "missing":
        return f"{inside} needs '{name}'"
    message = str(item["msg"]).removeprefix("Value error, ")
    named = f"item {int(name) + 1}" if name.isdecimal() else f"'{name}'"
    return f"{named} of {inside}: {message} (got {item['input']!r})" if name else f"{what}: {message}"


def _above(path: Sequence[str]) -> str:
    """Write where something stands: `inner.deeper`, and of a list `item 2 of several`."""
    said = ""
    for name in path:
        said = f"item {int(name) + 1} of {said}" if name.isdecimal() else f"{said}.{name}" if said else name
    return said


def _fields_at(options: type[Options], path: Sequence[str]) -> list[str]:
    """Name the fields of the options that stand under others; none where it is not options that stand there."""
    here: Any = options
    for name in path:
        if name.isdecimal():  # a place in a list, whose items are options already
            continue
        found = here.model_fields[name].annotation if _is_options(here) and name in here.model_fields else None
        here = next((kind for kind in _kinds_in(found) if _is_options(kind)), None)
    return [field.alias or name for name, field in here.model_fields.items()] if _is_options(here) else []


def _kinds_in(annotation: Any) -> list[Any]:
    """List a type and all that stand inside it, as in `tuple[X, ...] | None`."""
    return [annotation, *(kind for inner in get_args(annotation) for kind in _kinds_in(inner))]


def _is_options(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)


def validated(options: type[Given], given: Mapping[str, object], what: str) -> Given:
    """Return the options as a record. Raises: ConfigError with every mistake."""
    found = problems_of(options, given, what)
    if found:
        raise ConfigError("; ".join(message for _, message in found))
    return options.model_validate(dict(given))


def canonical_options(options: Options) -> JsonObject:
    """Write options as JSON values, defaults left out."""
    return options.model_dump(mode="json", exclude_defaults=True)
