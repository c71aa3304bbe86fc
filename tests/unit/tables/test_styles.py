"""Layouts, published comparisons, marks and words of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.tables.markdown import to_markdown
from harness.tables.result import Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, QUALITY, failed, frame, row

FP32 = '{"method":"fp32"}'


@pytest.fixture
def lines(tmp_path: Path) -> Any:
    """Render the only table of a spec without its caption."""

    def made(text: str, *rows: dict[str, Any]) -> list[str]:
        return to_markdown(_built(tmp_path, text, *rows)).markdown.splitlines()

    return made


def _built(tmp_path: Path, text: str, *rows: dict[str, Any]) -> Table:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(text, encoding="utf-8")
    return build(read_specs(path)[0], frame(*rows), CATALOGUE)


def published(name: str, value: float, comparison: str = "ratio", **given: Any) -> dict[str, Any]:
    said = {"origin": "reported", "comparison": comparison, "baseline": FP32, "metric_version": 0.0, **given}
    return row(name, value, **said)


RATIO = """
t:
  rows: [method]
  baseline: {method: fp32}
  caption: false
  cells: {Speedup: {metric: decode_tps, as: ratio, format: 2x}}
"""


def test_a_published_ratio_stands_where_its_inputs_are_unknown(lines: Any, tmp_path: Path) -> None:
    assert lines(RATIO, published("decode_tps", 2.68, method="int4"))[2:] == [
        "| [INT4 RTN](https://example.org/int4) | 2.68x |"
    ]
    trace = _built(tmp_path, RATIO, published("decode_tps", 2.68, method="int4")).sections[0].rows[0][1].trace
    assert trace is not None
    assert (trace.published, trace.comparison, float(trace.result)) == (True, "ratio", 2.68)


def test_a_published_ratio_of_another_kind_or_to_another_baseline_does_not_fill_the_cell(lines: Any) -> None:
    for other in ({"comparison": "inverse_ratio"}, {"baseline": '{"method":"fp16"}'}):
        assert lines(RATIO, published("decode_tps", 2.68, method="int4", **other))[2] == (
            "| [INT4 RTN](https://example.org/int4) | - |"
        )


def test_a_published_ratio_beside_measured_inputs_needs_a_word(lines: Any) -> None:
    rows = [
        published("decode_tps", 2.68, method="int4"),
        row("decode_tps", 10.0),
        row("decode_tps", 20.0, method="int4"),
    ]
    with pytest.raises(ConfigError, match="several measurements fit, with origin measured, reported"):
        lines(RATIO, *rows)
    chosen = RATIO.replace("rows:", "where: {origin: measured}\n  rows:")
    assert lines(chosen, *rows)[-1] == "| [INT4 RTN](https://example.org/int4) | 2.00x |"


def test_a_published_ratio_is_never_shown_as_a_value(lines: Any) -> None:
    spec = RATIO.replace("as: ratio, ", "")
    assert (
        lines(spec, published("decode_tps", 2.68, method="int4"))[2] == "| [INT4 RTN](https://example.org/int4) | - |"
    )


GROUPS = """
t:
  rows: [batch]
  pivot: {method: {fp32: Floats, int8: INT8}}
  baseline: {method: fp32}
  caption: false
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speedup: {metric: decode_tps, as: ratio, format: 1x}
  style: {groups: true, align: center}
"""


def test_groups_stand_in_a_row_of_their_own_with_a_column_between_them(lines: Any) -> None:
    rows = [row("decode_tps", 10.0), row("decode_tps", 20.0, method="int8")]
    assert lines(GROUPS, *rows) == [
        "|  | Floats |  | INT8 |  |",
        "| :---: | :---: | :---: | :---: | :---: |",
        "| Batch size | Decode |  | Decode | Speedup |",
        "| 1 | 10.0 |  | 20.0 | 2.0x |",
    ]


def test_names_may_stand_in_bold_or_as_the_first_row(lines: Any) -> None:
    made = RATIO + "  style: {header: %s, align: left, links: false}\n"
    cell = published("decode_tps", 2.68, method="int4")
    assert lines(made % "bold", cell) == ["| **Method** | **Speedup** |", "| :--- | :--- |", "| INT4 RTN | 2.68x |"]
    assert lines(made % "body", cell)[:3] == ["|  |  |", "| :--- | :--- |", "| **Method** | **Speedup** |"]


def test_a_repeated_key_is_left_blank(lines: Any) -> None:
    spec = """
t: {rows: [model, method], caption: false, cells: {Decode: {metric: decode_tps, format: 0}}, style: {blank: [model], links: false}}
"""
    rows = [row("decode_tps", 1.0), row("decode_tps", 2.0, method="int8"), row("decode_tps", 3.0, model="n")]
    assert lines(spec, *rows)[2:] == ["| m | FP32 | 1 |", "|  | INT8 | 2 |", "| n | FP32 | 3 |"]


def test_titles_rename_order_and_may_belong_to_a_pair(lines: Any) -> None:
    spec = """
t:
  rows: [model, method]
  caption: false
  cells: {Decode: {metric: decode_tps, format: 0}}
  titles: {method: {int8: Eight, fp32: Floats}, model+method: {n+fp32: Their floats}}
"""
    rows = [row("decode_tps", 1.0), row("decode_tps", 2.0, method="int8"), row("decode_tps", 3.0, model="n")]
    assert lines(spec, *rows)[2:] == ["| m | Eight | 2 |", "| m | Floats | 1 |", "| n | Their floats | 3 |"]


def test_words_replace_a_number_and_bold_may_name_rows(lines: Any) -> None:
    spec = """
t: {rows: [method], caption: false, style: {links: false}, cells: {Runs: {metric: decode_tps, format: 0, words: {1: ✅}, bold: {method: int8}}}}
"""
    rows = [row("decode_tps", 1.0), row("decode_tps", 2.0, method="int8")]
    assert lines(spec, *rows)[2:] == ["| FP32 | ✅ |", "| INT8 | **2** |"]


def test_a_column_may_show_the_baseline_itself(lines: Any) -> None:
    spec = RATIO.replace("as: ratio, format: 2x", "as: baseline, format: 1")
    rows = [row("decode_tps", 10.0), row("decode_tps", 20.0, method="int8")]
    assert [line.split("|")[2].strip() for line in lines(spec, *rows)[2:]] == ["10.0", "10.0"]


def test_a_comparison_with_a_failed_baseline_takes_the_token_of_that_failure(lines: Any) -> None:
    spec = RATIO + "  missing: {unsupported: N/A}\n"
    rows = [failed("unsupported", "no kernel"), row("decode_tps", 20.0, method="int8")]
    assert lines(spec, *rows)[-1] == "| INT8 | N/A |"


INCONCLUSIVE = RATIO.replace("format: 2x", "format: 2x, inconclusive: true")


def interval(value: float, half: float, **given: Any) -> dict[str, Any]:
    return row(
        "decode_tps",
        value,
        low=value - half,
        high=value + half,
        interval="student-t 95% between processes, log scale, 5 processes",
        **given,
    )


def test_a_difference_that_the_data_cannot_defend_is_marked_with_a_legend(lines: Any) -> None:
    made = lines(INCONCLUSIVE, interval(10.0, 1.0), interval(10.5, 1.0, method="int8"))
    assert "| INT8 | 1.05x ~ |" in made
    assert made[-1].startswith(r"- \~ the interval of this comparison holds no difference")


def test_a_difference_that_the_data_defends_has_no_mark_and_no_legend(lines: Any) -> None:
    made = lines(
        INCONCLUSIVE, interval(10.0, 0.1), interval(20.0, 0.1, method="int8"), interval(5.0, 0.1, method="int4")
    )
    assert "| INT8 | 2.00x |" in made
    assert made[-1] == "| [INT4 RTN](https://example.org/int4) | 0.50x |", "neither above nor below"
    assert "~" not in "".join(made)


def test_uncertainty_may_stand_in_a_footnote(lines: Any) -> None:
    spec = RATIO.replace("as: ratio, format: 2x", "format: 1, uncertainty: footnote")
    made = lines(spec, interval(10.0, 1.0))
    assert "| FP32 | 10.0 <sup>1</sup> |" in made
    assert made[-1] == r"- <sup>1</sup> \[9.0, 11.0\], student-t 95% between processes, log scale, 5 processes"


def test_what_is_known_of_rounding_is_no_uncertainty_of_a_measurement(lines: Any) -> None:
    spec = RATIO.replace("as: ratio, format: 2x", "format: 1, uncertainty: pm")
    said = row("decode_tps", 10.0, low=9.95, high=10.05, interval="rounding", origin="reported")
    assert lines(spec, said)[-1] == "| FP32 | 10.0 |"
    quality = row("perplexity", 9.1, low=9.05, high=9.15, interval="rounding", origin="reported", **QUALITY)
    assert lines(spec.replace("decode_tps", "perplexity"), quality)[-1] == "| FP32 | 9.1 |"


def test_reported_numbers_say_whose_they_are_and_unknown_places_do_not_mix(tmp_path: Path) -> None:
    spec = "t: {rows: [method], cells: {KL: {metric: kl_divergence, format: 3}}}\n"
    theirs = {**QUALITY, "origin": "reported", "citation": "A page, v1, https://example.org", "gpu": None}
    unknown = dict.fromkeys(("cpu", "system", "python", "box", "environment"), "unknown")
    known = {**unknown, "gpu": "NVIDIA X", "environment": "e", "environment_id": "e2"}
    rows = [
        row("kl_divergence", 0.1, **{**theirs, **unknown, "cores": None}),
        row("kl_divergence", 0.2, method="int8", **{**theirs, **known, "cores": None}),
    ]
    caption = _built(tmp_path, spec, *rows).caption
    assert caption[0] == "Configuration: NVIDIA X."
    assert caption[1] == "Numbers reported, not measured here: A page, v1, https://example.org."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("style: {headr: bold}", "unknown key 'headr' in style; did you mean 'header'"),
        ("style: {blank: [modell]}", "unknown row key in blank 'modell'"),
        ("titles: {modell: {a: b}}", "unknown dimension in titles 'modell'; did you mean 'model'"),
        ("style: {align: middle}", "unknown align 'middle'"),
    ],
)
def test_a_slip_in_a_layout_is_told_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(f"{RATIO}  {text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_specs(path)
    assert told in str(caught.value)
    assert ":7:" in str(caught.value)


def test_a_plain_value_cannot_be_marked_as_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(INCONCLUSIVE.replace("as: ratio, ", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match="'inconclusive' is for comparisons"):
        read_specs(path)


def test_a_pivot_of_two_dimensions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(f"{RATIO}  pivot: [batch, prompt]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a pivot names one dimension; put the others in rows or each"):
        read_specs(path)


def test_a_run_that_says_nothing_of_a_heading_is_not_put_under_another(tmp_path: Path) -> None:
    spec = (
        "t: {each: [gpu], rows: [method], may_mix: [machine, cpu], cells: {Decode: {metric: decode_tps, format: 0}}}\n"
    )
    rows = [row("decode_tps", 1.0, gpu="NVIDIA X"), row("decode_tps", 2.0, method="int8")]
    with pytest.raises(
        ConfigError, match="not all that was measured says gpu; leave it out of 'each', or choose with where"
    ):
        _built(tmp_path, spec, *rows)


def test_two_imported_results_for_one_cell_need_a_word(tmp_path: Path) -> None:
    spec = "t: {rows: [method], cells: {Decode: {metric: decode_tps, format: 0}}}\n"
    said = {"origin": "imported", "metric_version": 0.0}
    rows = [
        row("decode_tps", 200.0, artifact="imported:a-1", citation="llama-bench, file a", **said),
        row("decode_tps", 237.0, artifact="imported:a-2", citation="llama-bench, file a", **said),
    ]
    with pytest.raises(ConfigError, match="several imported results fit"):
        _built(tmp_path, spec, *rows)
    chosen = spec.replace("rows: [method]", "rows: [method, artifact]")
    assert [line[2].text for line in _built(tmp_path, chosen, *rows).sections[0].rows] == ["200", "237"]


def test_an_engine_of_others_may_be_named_and_a_slip_in_ours_is_told(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    names = {"engine": ("ort-genai", "transformers")}
    path.write_text(f"{RATIO}  where: {{engine: llama.cpp}}\n", encoding="utf-8")
    assert read_specs(path, names)[0].where["engine"] == ("llama.cpp",)
    path.write_text(f"{RATIO}  where: {{engine: ort-gena}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown engine 'ort-gena'; did you mean 'ort-genai'"):
        read_specs(path, names)
