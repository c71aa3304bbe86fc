"""The JSON Schema of table specs, for editors: made from the records that read them."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from harness.tables import specentries
from harness.tables.specentries import CellEntry, MetricEntry, SpecEntry, StyleEntry, TableEntry
from harness.tables.specfields import DEFINITIONS, ELSEWHERE, FORMAT, KEY, METRIC, Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE = Path("configs/table.schema.json")


class _Plain(GenerateJsonSchema):
    """Without defaults, which the records say, and without null: a key without a value is a mistake."""

    def default_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: Any) -> Json:
        return self.generate_inner(schema["schema"])


def table_schema() -> Json:
    """Make the schema (draft 2020-12). Whether names are in the catalogues, and what belongs together, the reader says."""
    records: dict[str, type[SpecEntry]] = {
        "table": TableEntry,
        "cell": CellEntry,
        "style": StyleEntry,
        "metric_row": MetricEntry,
    }
    defs = {name: _record(record) for name, record in records.items()}
    defs["cell"]["minProperties"] = 1
    defs["table"]["properties"]["style"] = {"$ref": "#/$defs/style"}
    return {
        "$schema": DIALECT,
        "title": "Tables",
        "description": "Tables of results: which rows and cells they have, and how these are written.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/table"},
        "$defs": defs | {name: _referring(one) for name, one in DEFINITIONS.items()} | {"cells": _referring(_cells())},
    }


def _record(record: type[SpecEntry]) -> Json:
    schema = _referring(record.model_json_schema(schema_generator=_Plain))
    said = dict(_descriptions(record.__name__))
    by_key = {field.alias or name: said.get(name) for name, field in record.model_fields.items()}
    properties = {
        key: {part: value for part, value in field.items() if part != "title"}
        | ({"description": by_key[key]} if by_key[key] else {})
        for key, field in schema["properties"].items()
    }
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "additionalProperties": False, "properties": properties} | required


def _referring(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_referring(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if ELSEWHERE in schema:
        return {"$ref": f"#/$defs/{schema[ELSEWHERE]}"}
    return {key: _referring(part) for key, part in schema.items()}


def _descriptions(record: str) -> Iterator[tuple[str, str]]:
    """Give the docstring lines below the fields of a record."""
    tree = ast.parse(Path(specentries.__file__).read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == record)
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield ast.unparse(field.target), str(below.value.value)


def _cells() -> Json:
    """Describe one cell below a pivot, cells by their headings, and metrics that stand in rows."""
    metric_row = {"if": {"type": "object"}, "then": {"$ref": "#/$defs/metric_row"}, "else": FORMAT}
    rows = {"type": "object", "propertyNames": METRIC, "additionalProperties": metric_row, "minProperties": 1}
    column = {"if": {"type": "object"}, "then": {"$ref": "#/$defs/cell"}, "else": KEY}
    whole = {"anyOf": [{"required": ["metric"]}, {"required": ["text"]}]}
    alone = {"if": {"type": "object"}, "then": {"allOf": [{"$ref": "#/$defs/cell"}, whole]}, "else": KEY}
    return {
        "type": "object",
        "if": {"properties": {"metric": {"type": "object"}}, "required": ["metric"]},
        "then": {"properties": {"metric": rows}, "additionalProperties": column},
        "else": {
            "if": {"required": ["metric"]},
            "then": {"$ref": "#/$defs/cell"},
            "else": {"additionalProperties": alone},
        },
    }


def text() -> str:
    """Write the schema as the file holds it."""
    return json.dumps(table_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
