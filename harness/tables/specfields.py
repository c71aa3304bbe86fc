"""The fields of table specs: how each is read from what YAML gives, and its JSON Schema, side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from harness.core.errors import HarnessError
from harness.core.metric import LM_EVAL, METRICS, OWN, metric
from harness.core.options import told
from harness.core.spec import Status
from harness.core.spelling import unknown
from harness.plan.yamlfile import kind_of
from harness.tables.columns import ATTRIBUTED, DIMENSIONS, MIXABLE
from harness.tables.formats import PATTERN, NumberFormat, parse_format
from harness.tables.spec import Pivot, RowKey

Json = dict[str, Any]
ELSEWHERE = "x-definition"
"""Stands for a reference, which pydantic would look up among its own definitions."""

SCALAR: Json = {"type": ["string", "number", "boolean"]}
WORD: Json = {"type": ["string", "number"], "minLength": 1}
DIMENSION: Json = {ELSEWHERE: "dimension"}
KEY: Json = {ELSEWHERE: "key"}
METRIC: Json = {ELSEWHERE: "metric"}
FORMAT: Json = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "string", "pattern": PATTERN}],
    "description": "Decimals; before them + for a sign, behind them a comma, x, % or e, as `2x` or `+1%`.",
}
ABSENT = "absent"
MISSING = (ABSENT, *(status.value for status in Status if status is not Status.OK))
MEASURED = "measured"
"""As `caption`: footnotes of measured rows alone."""


def one_or_list(item: Json) -> Json:
    """Describe one value, or a list of them."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


def named(values: Iterable[str], value: Json) -> Json:
    """Describe a mapping from some of these names."""
    return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(values, value)}


def described(value: Json) -> Json:
    """Describe a mapping from any names."""
    return {"type": "object", "additionalProperties": value}


@dataclass(frozen=True, eq=False)
class FromYaml:
    """Reads a value; what it raises is told at the value's line."""

    read: Callable[[Any], Any]
    schema: Json

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> Json:
        return dict(self.schema)


@dataclass(frozen=True)
class OneOrList:
    """Reads one value as a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: value if isinstance(value, list) else [value], handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Json]) -> Json:
        return one_or_list(handler(schema)["items"])


# ---------------------------------------------------------------- readers


def _must(what: str, value: object) -> ValueError:
    return ValueError(f"{what}; it is {kind_of(value)}")


def text(value: object) -> str:
    """Read a text; numbers and truth values as they are written. Raises: ValueError."""
    if isinstance(value, dict | list) or value is None:
        raise _must("must be a text", value)
    return str(value)


def word(value: object) -> str:
    """Read a name. Raises: ValueError."""
    if isinstance(value, bool | dict | list) or value in (None, ""):
        raise _must("must be a name", value)
    return str(value)


def truth(value: object) -> bool:
    """Read true or false. Raises: ValueError."""
    if not isinstance(value, bool):
        raise _must("must be true or false", value)
    return value


def one_of(what: str, known: Iterable[str]) -> FromYaml:
    """Make the reader of one name of a closed list."""
    names = list(known)

    def read(value: Any) -> str:
        name = word(value)
        if name not in names:
            raise told(unknown(what, name, names))
        return name

    return FromYaml(read, {"enum": names})


def _caption(value: Any) -> bool | str:
    if value != MEASURED and not isinstance(value, bool):
        raise _must(f"must be true or false or '{MEASURED}'", value)
    return MEASURED if value == MEASURED else bool(value)


def _metric(value: Any) -> str:
    try:
        return metric(word(value)).name
    except HarnessError as error:
        raise told(str(error)) from None


def _format(value: Any) -> NumberFormat:
    if isinstance(value, dict | list):
        raise _must("must be a word, e.g. 2x", value)
    try:
        return parse_format(value)
    except HarnessError as error:
        raise told(str(error)) from None


def key_of(name: str, heading: str | None, what: str) -> RowKey:
    """Make a column of row keys. Raises: the error of a name that is no column."""
    dimension, _, attribute = name.partition(".")
    known = ATTRIBUTED if attribute else tuple(DIMENSIONS)
    if dimension not in known:
        raise told(unknown(f"column in {what}", dimension, known))
    said = attribute.replace("_", " ").capitalize() if attribute and attribute != "title" else DIMENSIONS[dimension]
    return RowKey(name, said if heading is None else heading)


def keys(what: str) -> FromYaml:
    """Make the reader of a row key, which `listed` gives as a pair of name and heading."""

    def read(pair: tuple[Any, Any]) -> RowKey:
        name, heading = pair
        return key_of(word(name), None if heading is None else text(heading[0]), what)

    return FromYaml(read, KEY)


@dataclass(frozen=True)
class Listed:
    """Reads a list of names, one name, or a mapping from names to headings, as pairs."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_pairs, handler(source))

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> Json:
        headings = {"type": "object", "propertyNames": KEY, "additionalProperties": SCALAR}
        return {"anyOf": [*one_or_list(KEY)["anyOf"], headings]}


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(name, [heading]) for name, heading in value.items()]
    return [(name, None) for name in (value if isinstance(value, list) else [value])]


def _pivot(value: Any) -> Pivot:
    """Read a dimension's name, or a mapping from it to its values in their order or with their labels."""
    if isinstance(value, list | dict) and len(value) != 1:
        raise told("a pivot names one dimension; put the others in rows or each")
    name, values = next(iter(value.items())) if isinstance(value, dict) else (value, ())
    name = word(name[0] if isinstance(name, list) else name)
    if name not in DIMENSIONS:
        raise told(unknown("column in pivot", name, DIMENSIONS))
    if isinstance(values, Mapping):
        return Pivot(name, tuple((label, text(shown)) for label, shown in values.items()))
    return Pivot(name, tuple((text(one), "") for one in (values if isinstance(values, list | tuple) else [values])))


def _missing(value: Any) -> Mapping[str, str]:
    """Read what stands for absent values: one token for what was never measured, or a token for each status."""
    if not isinstance(value, dict):
        return {ABSENT: text(value)}
    for name in value:
        if name not in MISSING:
            raise told(unknown("key of missing", name, MISSING))
    return {name: text(said) for name, said in value.items()}


def _may_mix(value: Any) -> str:
    name = word(value)
    head, _, package = name.partition(".")
    if not (head == "environment" and package) and name not in MIXABLE:
        raise told(f"{unknown('field in may_mix', name, MIXABLE)}; a package is written environment.NAME")
    return name


def _titled(value: Any) -> str:
    for dimension in str(value).split("+"):
        if dimension not in DIMENSIONS and dimension.partition(".")[0] not in ATTRIBUTED:
            raise told(unknown("dimension in titles", dimension, DIMENSIONS))
    return str(value)


# ---------------------------------------------------------------- types

TextField = Annotated[str, FromYaml(text, SCALAR)]
TruthField = Annotated[bool, FromYaml(truth, {"type": "boolean"})]
MetricName = Annotated[str, FromYaml(_metric, METRIC)]
FormatField = Annotated[NumberFormat, FromYaml(_format, FORMAT)]
WhereField = Annotated[
    dict[
        Annotated[str, one_of("key of where", DIMENSIONS)],
        Annotated[tuple[TextField, ...], OneOrList()],
    ],
    WithJsonSchema({ELSEWHERE: "where"}),
]
Baseline = Annotated[
    dict[Annotated[str, one_of("key of baseline", DIMENSIONS)], TextField], WithJsonSchema({ELSEWHERE: "baseline"})
]
Dimensions = Annotated[tuple[Annotated[str, one_of("column in each", DIMENSIONS)], ...], OneOrList()]
RowKeys = Annotated[tuple[Annotated[RowKey, keys("rows")], ...], Listed()]
ShownKeys = Annotated[tuple[Annotated[RowKey, keys("show")], ...], Listed()]
OrderField = Annotated[tuple[Annotated[str, FromYaml(word, WORD)], ...], OneOrList()]
PivotField = Annotated[
    Pivot,
    FromYaml(
        _pivot,
        {
            "anyOf": [
                DIMENSION,
                {"type": "array", "items": DIMENSION, "minItems": 1, "maxItems": 1},
                named(DIMENSIONS, {ELSEWHERE: "pivoted"}) | {"minProperties": 1, "maxProperties": 1},
            ]
        },
    ),
]
Missing = Annotated[Mapping[str, str], FromYaml(_missing, {"anyOf": [SCALAR, named(MISSING, SCALAR)]})]
MayMix = Annotated[
    tuple[
        Annotated[
            str,
            FromYaml(
                _may_mix, {"anyOf": [{"enum": sorted(MIXABLE)}, {"type": "string", "pattern": r"^environment\.."}]}
            ),
        ],
        ...,
    ],
    OneOrList(),
]
Words = Annotated[dict[str, TextField], WithJsonSchema(described(SCALAR))]
Titles = Annotated[
    dict[Annotated[str, FromYaml(_titled, {"type": "string"})], dict[str, TextField]],
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {
                "pattern": rf"^(({'|'.join(ATTRIBUTED)})\.\w+|({'|'.join(DIMENSIONS)})(\+({'|'.join(DIMENSIONS)}))*)$"
            },
            "additionalProperties": described(SCALAR),
        }
    ),
]
Caption = Annotated[bool | str, FromYaml(_caption, {"enum": [True, False, MEASURED]})]

_OTHERS = rf"^({re.escape(LM_EVAL)}|{re.escape(OWN)})."
DEFINITIONS: dict[str, Json] = {
    "dimension": {"enum": list(DIMENSIONS)},
    "key": {"anyOf": [DIMENSION, {"type": "string", "pattern": rf"^({'|'.join(ATTRIBUTED)})\."}]},
    "metric": {"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": _OTHERS}]},
    "values": one_or_list(SCALAR),
    "pivoted": {"anyOf": [{ELSEWHERE: "values"}, described(SCALAR)]},
    "where": named(DIMENSIONS, {ELSEWHERE: "values"}),
    "baseline": named(DIMENSIONS, SCALAR),
}
"""What fields share."""
