"""The JSON Schema of table specs says what the reader says, so that an editor shows what a command would refuse."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.core.errors import ConfigError
from harness.plan.yamlfile import parse, plain, read
from harness.tables.schema import FILE, table_schema, text
from harness.tables.specfile import SUFFIX, read_specs
from tests.unit.adopting import shapes
from tests.unit.adopting.conftest import Take, catalogue, take

__all__ = ["catalogue", "take"]

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "reports" / "tables").glob(f"*{SUFFIX}"))
SCHEMA = table_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD = "t: {rows: [method], cells: {A: {metric: ttft}}}"
BETWEEN_PARTS = (
    "belong together", "column in order", "column in show", "among the rows; add it", "both a row and the pivot", "row key in blank",
    "needs a baseline", "is for comparisons", "needs 'as: difference'", "'paired' compares values", "has no interval", "unknown unit",
)  # fmt: skip
"""What only the reader can say, since it hangs on more than one place of the file."""


def wrong(given: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(given)]


def refusals(folder: Path, given: str) -> list[str]:
    path = folder / f"demo{SUFFIX}"
    path.write_text(given, encoding="utf-8")
    try:
        read_specs(path)
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


def test_the_schema_in_the_repository_is_current() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert (ROOT / FILE).read_text(encoding="utf-8") == text(), "run: python -m harness.tables.schema"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_spec_fits_and_names_the_schema_for_editors(path: Path) -> None:
    assert wrong(plain(read(path))) == []
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / FILE


def test_every_spec_that_adopt_writes_fits(take: Take) -> None:
    made = take("\n".join(f"## {name}\n\n{table}" for name, table in shapes.ALL.items())).made
    assert made is not None
    given = plain(parse(made.spec))
    assert len(given) == len(shapes.ALL)
    assert wrong(given) == []


@pytest.mark.parametrize(
    "given",
    [
        GOOD.replace("rows", "row"),
        GOOD.replace("[method]", "[methods]"),
        GOOD.replace("[method]", "{methods: Methods}"),
        GOOD.replace("[method]", "{method: [a]}"),
        GOOD.replace("[method]", "[sweep.title]"),
        GOOD.replace("ttft", "tfft"),
        GOOD.replace("ttft", "own."),
        GOOD.replace("{metric: ttft}", "{}"),
        GOOD.replace("{metric: ttft}", "{unit: ms}"),
        GOOD.replace("{metric: ttft}", "decode"),
        GOOD.replace("ttft", "ttft, as: ration"),
        GOOD.replace("ttft", "ttft, format: 2y"),
        GOOD.replace("ttft", "ttft, format: 12"),
        GOOD.replace("ttft", "ttft, format: [1]"),
        GOOD.replace("ttft", "ttft, format: null"),
        GOOD.replace("ttft", "ttft, stat: p55"),
        GOOD.replace("ttft", "ttft, inconclusive: 1"),
        GOOD.replace("ttft", "ttft, bold: worst"),
        GOOD.replace("ttft", "ttft, bold: {modl: a}"),
        GOOD.replace("ttft", "ttft, words: [a]"),
        GOOD.replace("rows:", "where: {modl: x}, rows:"),
        GOOD.replace("rows:", "where: {model: {a: b}}, rows:"),
        GOOD.replace("rows:", "baseline: {model: [a, b]}, rows:"),
        GOOD.replace("rows:", "each: [modl], rows:"),
        GOOD.replace("rows:", "pivot: [model, batch], rows:"),
        GOOD.replace("rows:", "pivot: {model: [a], batch: [1]}, rows:"),
        GOOD.replace("rows:", "pivot: null, rows:"),
        GOOD.replace("rows:", "may_mix: [gpus], rows:"),
        GOOD.replace("rows:", "missing: {ooms: x}, rows:"),
        GOOD.replace("rows:", "missing: [x], rows:"),
        GOOD.replace("rows:", "caption: often, rows:"),
        GOOD.replace("rows:", "titles: {modl: {a: b}}, rows:"),
        GOOD.replace("rows:", "titles: {model: b}, rows:"),
        GOOD.replace("rows:", "style: {headr: bold}, rows:"),
        GOOD.replace("rows:", "style: {align: [left, middle]}, rows:"),
        GOOD.replace("rows:", "style: {head: [[{a: b}]]}, rows:"),
        "t: {rows: [method]}",
        "t: {cells: {A: {metric: ttft}}}",
        "t: {rows: [metric], cells: {metric: {tfft: 1}}}",
        "t: {rows: [metric], cells: {metric: {ttft: {format: 1, units: ms}}}}",
        "t: []",
        "t:",
        "- t",
    ],
)
def test_what_the_reader_refuses_for_its_structure_the_schema_refuses(tmp_path: Path, given: str) -> None:
    assert refusals(tmp_path, given)
    assert wrong(plain(parse(given)))


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        GOOD.replace("[method]", "method"),
        GOOD.replace("[method]", "{method: '', method.title: 1}"),
        GOOD.replace("{A: {metric: ttft}}", "{metric: ttft, format: +1}"),
        GOOD.replace("{A: {metric: ttft}}", "{A: method.title, metric: own.x}").replace(", metric: own.x", ""),
        GOOD.replace("{A: {metric: ttft}}", "{A: {text: Notes}}"),
        GOOD.replace("ttft", "lm_eval.acc, bold: {model: [a, 1]}, format: '2, printed'"),
        GOOD.replace("rows:", "pivot: {batch: {1: one, 8: ''}}, caption: measured, missing: '-', rows:"),
        GOOD.replace("rows:", "may_mix: [environment.torch, gpu], titles: {model+block: {a: b}}, rows:"),
        GOOD.replace("rows:", "style: {align: [left, right], head: [[a, 1.50]], blank: []}, rows:"),
        "t: {rows: [metric], cells: {metric: {ttft: {format: 1, unit: ms}, decode_tps: 1}, B: {as: ratio, baseline: {method: a}}}}",
    ],
)
def test_what_the_reader_takes_the_schema_takes(tmp_path: Path, given: str) -> None:
    assert refusals(tmp_path, given) == []
    assert wrong(plain(parse(given))) == []


def test_digits_that_stand_in_a_heading_or_a_format_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / f"demo{SUFFIX}"
    path.write_text("t: {rows: [method], style: {head: [[1.50]]}, cells: {A: {metric: ttft, format: +1}}}", "utf-8")
    (spec,) = read_specs(path)
    assert spec.style.head == (("1.50",),)
    assert (spec.cells[0].format.sign, spec.cells[0].format.decimals) == (True, 1)


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "method",
    "model.title",
    [],
    ["batch"],
    {},
    {"model": "a"},
    {"metric": "ttft"},
    [[]],
    {"x": {}},
)


def edited(given: Any, rng: random.Random) -> Any:
    """Change one place of a spec as slips do: another value, another name, a part that is lost."""
    places = list(_places(given))
    holder, key = rng.choice(places)
    what = rng.randrange(4)
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif what == 2:
        other, name = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    else:
        holder[key] = rng.choice(ODD)
    return given


def _places(given: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(given.items() if isinstance(given, dict) else enumerate(given)):
        yield given, key
        if isinstance(value, dict | list):
            yield from _places(value)


def test_of_a_thousand_slips_reader_and_schema_say_the_same(tmp_path: Path) -> None:
    rng = random.Random(9)
    tables = [(name, spec) for path in SHIPPED for name, spec in plain(read(path)).items()]
    refused = 0
    for _ in range(1000):
        name, spec = rng.choice(tables)
        given = yaml.safe_dump({name: edited(json.loads(json.dumps(spec)), rng)}, sort_keys=False)
        said, schema = refusals(tmp_path, given), wrong(plain(parse(given)))
        between = bool(said) and all(any(part in one for part in BETWEEN_PARTS) for one in said)
        assert bool(schema) == bool(said) or (between and not schema), (given, said, schema)
        refused += bool(schema)
    assert refused > 300
