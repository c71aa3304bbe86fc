from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.tables.specfile import read_specs

ROOT = Path(__file__).resolve().parents[3]
GOOD = "t: {rows: [method], cells: {A: {metric: ttft}}}"


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "demo.tables.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("rows", "row"), r":1: unknown key of table 't' 'row'; did you mean 'rows'\?"),
        (GOOD.replace("ttft", "tfft"), r":1: unknown metric 'tfft'; did you mean 'ttft'\?"),
        (GOOD.replace("[method]", "[methods]"), r":1: unknown column in rows 'methods'; did you mean 'method'\?"),
        (GOOD.replace("ttft", "ttft, as: ration"), r":1: unknown comparison 'ration'; did you mean 'ratio'\?"),
        (GOOD.replace("ttft", "ttft, as: ratio"), r"'ratio' needs a baseline"),
        (GOOD.replace("ttft", "ttft, format: 2y"), r":1: format '2y' is not understood"),
        (GOOD.replace("ttft", "ttft, unit: MB"), r":1: unknown unit 'MB'; .* \(it is stored in 's'\)"),
        (GOOD.replace("ttft", "ttft, stat: p55"), r"unknown stat 'p55'; did you mean 'p95'"),
        (GOOD.replace("ttft", "ttft, paired: true"), r"'paired' needs 'as: difference'"),
        (
            GOOD.replace("ttft", "ttft, stat: p99, as: difference, paired: true, baseline: {method: a}"),
            r"'paired' compares values, and 'p99' is a statistic of their samples",
        ),
        (GOOD.replace("ttft", "ttft, formt: 2"), r"unknown key of cell 'A' 'formt'; did you mean 'format'\?"),
        (GOOD.replace("rows:", "where: {modl: x}, rows:"), r"unknown key of where 'modl'; did you mean 'model'\?"),
        (GOOD.replace("rows:", "may_mix: [gpus], rows:"), r"unknown field in may_mix 'gpus'; did you mean 'gpu'\?"),
        (GOOD.replace("ttft", "ttft, part: a"), r":1: unknown key of cell 'A' 'part'; it is called 'slice' now"),
        (GOOD.replace("ttft", "ttft, grey: a"), r":1: unknown key of cell 'A' 'grey'; it is called 'inconclusive' now"),
        (GOOD.replace("[method]", "[box]"), r":1: unknown column in rows 'box'; it is called 'machine' now"),
        (
            GOOD.replace("rows:", "where: {part: x}, rows:"),
            r":1: unknown key of where 'part'; it is called 'slice' now",
        ),
        (GOOD.replace("rows:", "pick: newest, rows:"), r"unknown pick 'newest'"),
        (GOOD.replace("rows:", "missing: {ooms: x}, rows:"), r"unknown key of missing 'ooms'; did you mean 'oom'\?"),
        (GOOD.replace("rows:", "order: [batch], rows:"), r"unknown column in order 'batch'"),
        (GOOD.replace("rows:", "pivot: {method: [a]}, rows:"), r"'method' cannot be both a row and the pivot"),
        (GOOD.replace("rows:", "rows: [model], rows:"), r":1: 'rows' is given twice"),
        ("t: {rows: [method]}", r"table 't' needs 'cells'"),
        ("t: {rows: [metric], cells: {A: {metric: ttft}}}", r"'metric' in rows and .* belong together"),
        ("- t", r"a file of tables must be a mapping"),
    ],
)
def test_a_slip_is_told_with_its_line_and_the_nearest_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"demo\.tables\.yaml.*{message}"):
        read_specs(spec_file(tmp_path, text))


def test_all_slips_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = "t:\n  rows: [methd]\n  cells:\n    A: {metric: tfft}\nu:\n  rows: [method]\n  cels: {}\n"
    with pytest.raises(ConfigError) as caught:
        read_specs(spec_file(tmp_path, text))
    assert [problem.line for problem in caught.value.problems] == [2, 4, 7]


def test_a_file_is_about_the_sweep_it_is_named_for(tmp_path: Path) -> None:
    assert read_specs(spec_file(tmp_path, GOOD))[0].where == {"sweep": ("demo",)}
    assert read_specs(spec_file(tmp_path, GOOD.replace("rows:", "where: {sweep: any}, rows:")))[0].where == {}
    named = GOOD.replace("rows:", "where: {sweep: other}, rows:")
    assert read_specs(spec_file(tmp_path, named))[0].where == {"sweep": ("other",)}


def test_a_dimension_is_compared_as_text(tmp_path: Path) -> None:
    found = read_specs(spec_file(tmp_path, GOOD.replace("rows:", "where: {batch: [1, 8]}, rows:")))[0]
    assert found.where["batch"] == ("1", "8")


def test_the_sketches_parse(sketches: Path) -> None:
    folder = sketches
    found = {spec.name: spec for path in sorted(folder.glob("*.tables.yaml")) for spec in read_specs(path)}
    assert sorted(found) == ["bnb", "kl", "mixed", "mmlu", "ppl", "speed"]
    assert [key.name for key in found["bnb"].show] == ["method", "batch"]
    assert found["kl"].cells[1].attribute is not None
    assert found["mixed"].metrics["mmlu_acc"].format.suffix == "%"
    assert found["ppl"].missing == {"absent": "-"}


@pytest.mark.parametrize("path", sorted((ROOT / "reports" / "tables").glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_tables_parse(path: Path) -> None:
    assert read_specs(path)


def test_a_name_that_the_catalogue_does_not_have_is_told(tmp_path: Path) -> None:
    names = {"method": ["fp32", "int4_awq"]}
    text = (
        "t:\n  where: {method: int4_awk}\n  rows: [model]\n  pivot: {method: {fp23: A}}\n  cells:\n"
        "    A: {metric: ttft, as: ratio, baseline: {method: fp3}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_specs(spec_file(tmp_path, text), names)
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (2, "unknown method 'int4_awk'; did you mean 'int4_awq'?"),
        (4, "unknown method 'fp23'; did you mean 'fp32'?"),
        (6, "unknown method 'fp3'; did you mean 'fp32'?"),
    ]


def test_the_names_in_shipped_tables_and_sketches_are_in_the_catalogues(sketches: Path) -> None:
    from harness.pages.writing import specs_in
    from harness.tables.catalogue import catalogue_of

    known = catalogue_of(ROOT / "configs")
    assert specs_in([ROOT / "reports" / "tables"], known)
    assert specs_in([sketches], known)


def test_an_attribute_that_nothing_has_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text("t: {rows: [method, method.granlarity], cells: {D: {metric: decode_tps}}}\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r":1: unknown attribute of method 'granlarity'; did you mean 'granularity'\?"
    ):
        read_specs(path, {"method.": ("title", "granularity")})
