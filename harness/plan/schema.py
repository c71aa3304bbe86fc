"""The JSON Schema of sweep files, for editors: made from the adapters' own option classes and the catalogues."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

from harness.core.options import Options
from harness.core.spec import Kind
from harness.plan.adapters import Adapters, takes_list
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import OTHER, Catalogue
from harness.plan.sweep import REFERENCE, SKIP

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE = Path("configs/sweep.schema.json")
Schema = dict[str, Any]


def sweep_schema(catalogue: Catalogue) -> Schema:
    """Make the schema (draft 2020-12). Names of models, methods and environments are suggested, not required."""
    adapters = catalogue.adapters
    scope = _scope()
    case = _closed(scope)
    block = _closed(scope | {"cases": _list(_ref("case"))})
    top = scope | {
        "cases": _list(_ref("case")),
        "blocks": {"type": "object", "minProperties": 1, "additionalProperties": _ref("block")},
        "title": {"type": "string"},
        "tables": _one_or_list({"type": "string"}),
        "rerun": _one_or_list({"enum": list(get_args(Kind))}),
        "verify": {
            "type": "boolean",
            "description": "Whether float exports are held against their model; true if not said.",
        },
    }
    return {
        "$schema": DIALECT,
        "title": "Sweep",
        "description": "Models, methods, engines and probes whose every combination is built and measured.",
        **_closed(top),
        "$defs": {
            "case": case,
            "block": block,
            "model": _names(catalogue.models),
            "environment": _names(catalogue.environments),
            "method": _method(catalogue),
            "engine": {"enum": adapters.engine_names()},
            "probe": {"enum": adapters.probe_names()},
            "engines": _engines(adapters),
            "environments": _environments(adapters),
            "probes": _probes(adapters),
            "reference": _reference(),
        },
    }


def _scope() -> Schema:
    skip = {key: _one_or_list(_ref(key)) for key in SKIP}
    return {
        "model": _one_or_list(_ref("model")),
        "method": _one_or_list(_ref("method")),
        "engine": _one_or_list({"anyOf": [_ref("engine"), _ref("engines")]}),
        "environment": _one_or_list(_ref("environments")),
        "probes": _ref("probes"),
        "skip": _one_or_list(_closed(skip) | {"minProperties": 1}),
        "on": _closed({"gpu": {"type": ["string", "number"], "description": "The machine that this belongs to."}}),
        "rounds": {
            "type": "integer",
            "minimum": 1,
            "description": "Processes that measure each speed job, interleaved; 8 if not said.",
        },
        "precision": {
            "type": ["string", "null"],
            "pattern": r"^\s*\d+(\.\d+)?\s*%$",
            "description": "Half-width of the interval between rounds from which on no further round is run; null: never.",
        },
        "timeout": {"type": ["number", "null"], "exclusiveMinimum": 0, "description": "Seconds a job may take."},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def _one_or_list(item: Schema) -> Schema:
    return {"anyOf": [item, _list(item)]}


def _names(names: Any) -> Schema:
    return {"type": "string", "examples": sorted(names)}


def _method(catalogue: Catalogue) -> Schema:
    quantizers = {"enum": catalogue.adapters.quantizer_names()}
    chosen = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": quantizers}
    return {"anyOf": [_names(catalogue.methods), chosen]}


def _environments(adapters: Adapters) -> Schema:
    names = [*adapters.placed_names(), OTHER]
    return {"anyOf": [_ref("environment"), _closed({name: _ref("environment") for name in names})]}


def _engines(adapters: Adapters) -> Schema:
    engines = {name: _optional(_options(adapters.engine(name).options)) for name in adapters.engine_names()}
    return _closed(engines) | {"minProperties": 1}


def _probes(adapters: Adapters) -> Schema:
    probes = {}
    for name in adapters.probe_names():
        probe = adapters.probe(name)
        reference = {} if probe.reference == "none" else {"reference": _one_or_list(_ref("reference"))}
        probes[name] = _optional(_one_or_list(_options(probe.workload, reference)))
    return {"anyOf": [_one_or_list(_ref("probe")), _closed(probes) | {"minProperties": 1}]}


def _reference() -> Schema:
    parts = {"method": _ref("method"), "engine": {"anyOf": [_ref("engine"), _ref("engines")]}}
    return _closed({key: parts[key] for key in REFERENCE}) | {"required": ["method"]}


def _optional(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "null"}]}


def _options(options: type[Options], more: Schema | None = None) -> Schema:
    """Describe an adapter's options: every field one value, or a list of values as an axis."""
    whole = options.model_json_schema()
    inner = whole.get("$defs", {})
    fields = {name: _axis(_inlined(field, inner), options, name) for name, field in whole.get("properties", {}).items()}
    free = options.model_config.get("extra") == "allow"
    return {"type": "object", "additionalProperties": free, "properties": fields | (more or {})}


def _axis(field: Schema, options: type[Options], name: str) -> Schema:
    if takes_list(options, name):
        field = {"anyOf": [field, {"type": "string"}]}
    kept = {key: field.pop(key) for key in ("description", "default") if key in field}
    variable = {
        "type": "string",
        "pattern": r"^(\$|\d+$)",
        "description": "A variable of the environment, which holds one.",
    }
    return kept | _one_or_list(field if '"string"' in json.dumps(field) else {"anyOf": [field, variable]})


def _inlined(schema: Any, inner: Schema) -> Any:
    """Put inner definitions where they are used, and leave out titles that only repeat a name."""
    if isinstance(schema, list):
        return [_inlined(part, inner) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(inner[schema["$ref"].rpartition("/")[2]], inner)
    return {key: _inlined(part, inner) for key, part in schema.items() if key != "title"}


def text(catalogue: Catalogue | None = None) -> str:
    """Write the schema as the file holds it."""
    return json.dumps(sweep_schema(catalogue or load_catalogue()), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
