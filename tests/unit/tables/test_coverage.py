"""A table says which weights its methods quantize, and compares methods whatever they quantize."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.tables.coverage import quantized_parts
from harness.tables.result import Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, frame, row

ALL = "int4 b32 sym x20; head int4 b32 sym; embedding int4 b32 sym"
HEAD = "int8 b32 sym x20; head int8 b32 sym; embedding float32"
LAYERS = "int4 b128 sym x16 + int8 channel sym x4; head float32; embedding float32"
FLOAT = "float32 x20; head float32; embedding float32"
SPEC = """
speed:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 0}
    Speedup: {metric: decode_tps, as: ratio, format: 1x}
    Bits: bits_per_weight
"""


def rows(**schemes: tuple[str, float]) -> list[dict[str, Any]]:
    return [
        row("decode_tps", 10.0 * number, method=method, scheme=scheme, bits_per_weight=bits)
        for number, (method, (scheme, bits)) in enumerate(schemes.items(), start=1)
    ]


@pytest.fixture
def table(tmp_path: Path) -> Any:
    def made(text: str, *given: dict[str, Any]) -> Table:
        path = tmp_path / "demo.tables.yaml"
        path.write_text(text, "utf-8")
        return build(read_specs(path)[0], frame(*given), CATALOGUE)

    return made


@pytest.mark.parametrize(
    ("scheme", "parts"),
    [(ALL, ("layers", "head", "embedding")), (HEAD, ("layers", "head")), (LAYERS, ("layers",)), (FLOAT, ()),
     ("nf4 b64 x5; head bfloat16; embedding bfloat16; others not read", ("layers",)),
     ("float16 x3 + int8 channel sym x1; head float16", ("layers",))],
)  # fmt: skip
def test_a_scheme_says_which_parts_are_quantized(scheme: str, parts: tuple[str, ...]) -> None:
    assert quantized_parts(scheme) == parts


def test_a_table_of_methods_that_quantize_different_parts_says_so(table: Any) -> None:
    made = table(SPEC, *rows(fp32=(FLOAT, 32.0), int4=(ALL, 5.0), awq=(LAYERS, 7.719)))
    assert made.caption[0] == (
        "Not all methods quantize the same weights (bits per weight): layers, head and embedding in INT4 RTN (5.00); "
        "layers alone in awq (7.72)."
    )
    assert [cell.text for cell in made.sections[0].rows[1]] == ["INT4 RTN", "20", "2.0x", "5.00"]


def test_a_table_of_one_coverage_says_nothing(table: Any) -> None:
    made = table(SPEC, *rows(fp32=(FLOAT, 32.0), int4=(ALL, 5.0), int8=(ALL.replace("int4", "int8"), 9.0)))
    assert not any("quantize" in line for line in made.caption)


def test_two_recipes_of_one_method_are_told_apart(table: Any) -> None:
    one, other = rows(int4=(ALL, 5.0)), rows(int4=(LAYERS, 7.7))
    other[0] |= {"recipe": "modelopt-onnx", "run": "other"}
    made = table(SPEC.replace("[method]", "[method, recipe]"), *one, *other)
    assert "layers alone in INT4 RTN of modelopt-onnx (7.70)" in made.caption[0]


def test_the_scheme_can_be_a_row_beside_a_baseline_of_another_one(table: Any) -> None:
    given = rows(fp32=(FLOAT, 32.0), int4=(ALL, 5.0))
    made = table(SPEC.replace("[method]", "[method, scheme, bits_per_weight]"), *given)
    assert [cell.text for cell in made.sections[0].rows[1]] == ["INT4 RTN", ALL, "5", "20", "2.0x", "5.00"]
    made = table(SPEC.replace("rows:", f'where: {{scheme: "{ALL}"}}\n  rows:'), *given)
    assert [[cell.text for cell in line] for line in made.sections[0].rows] == [["INT4 RTN", "20", "2.0x", "5.00"]]
