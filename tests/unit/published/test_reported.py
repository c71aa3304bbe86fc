"""Files of numbers that others published."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.publish import take_published
from harness.core.errors import ConfigError
from harness.core.spec import Status
from harness.pages.writing import render
from harness.published.reading import read_published
from harness.published.reported import read_reported
from harness.published.sources import from_published
from harness.store.database import Database

FILE = """\
reported: {title: A page, url: "https://example.org", version: v1, date: 2025-01-31}
environments:
  lib-0.10: {cuda: "12.1", packages: {lib: 0.10}}
blocks:
  - block: speed
    configuration: GPU X
    environment: lib-0.10
    gpu: X
    probe: generation
    metrics:
      latency: {metric: per_token_latency, unit: ms}
      speedup: {metric: decode_tps, as: ratio, baseline: {method: fp16}}
    columns: [model, method, batch, latency, speedup]
    rows:
      - [m, int4, 1, 12.50, 2.70]
      - [m, int8, 1, N/A, N/A]
      - [m, nf4, 1, 3.0, null]
"""


def written(folder: Path, text: str = FILE) -> Path:
    path = folder / "page.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_row_becomes_a_reported_outcome_with_its_digits_and_its_source(tmp_path: Path) -> None:
    first, second, third = read_reported(written(tmp_path))
    latency, speedup = first.measurements
    assert first.origin == "reported"
    assert first.citation is not None
    assert first.citation.configuration == "GPU X"
    assert first.citation.line == "A page, v1, https://example.org"
    assert (latency.value, latency.unit, latency.metric_version) == (0.0125, "s", 0)
    assert (latency.low, latency.high, latency.interval) == (
        pytest.approx(0.012495),
        pytest.approx(0.012505),
        "rounding",
    )
    assert (speedup.comparison, speedup.baseline, speedup.value) == ("ratio", {"method": "fp16"}, 2.7)
    assert (speedup.low, speedup.high) == (pytest.approx(2.695), pytest.approx(2.705))
    assert (second.status, second.reason) == (Status.UNSUPPORTED, "published as N/A")
    assert [item.metric for item in third.measurements] == ["per_token_latency"]
    assert first.environment.packages == {"lib": "0.10"}, "0.10 is not 0.1"
    assert first.environment.cores is None
    assert first.job.spec.workload == {"batch": 1.0}  # type: ignore[union-attr]


def test_reading_twice_gives_the_same_runs(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert read_reported(path) == read_reported(path)


def test_reported_numbers_are_in_the_database_as_any_others(tmp_path: Path) -> None:
    written(tmp_path)
    with from_published(tmp_path) as source:
        columns = [
            "sweep",
            "block",
            "model",
            "method",
            "metric",
            "value",
            "origin",
            "citation",
            "comparison",
            "gpu",
            "cores",
        ]
        frame = source.database.frame({"sweep": "page"}, columns)
        assert frame.shape == (4, len(columns)), "three numbers and a row that is not available"
        assert set(frame["origin"]) == {"reported"}
        assert set(frame["citation"]) == {"A page, v1, https://example.org"}
        assert frame["cores"].isna().all()
        run = read_reported(tmp_path / "page.yaml")[0]
        assert source.database.outcome(run.job.run) == run


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("date: 2025-01-31", "date: yesterday", "page.yaml:1: date 'yesterday' is not a day; write it as 2025-12-31"),
        ("title: A page, ", "", "page.yaml:1: 'reported' needs 'title'"),
        ("as: ratio", "as: ratoi", "page.yaml:12: unknown comparison 'ratoi'; did you mean 'ratio'?"),
        (", baseline: {method: fp16}", "", "page.yaml:12: 'as' and 'baseline' belong together"),
        ("metric: per_token_latency", "metric: per_token_latenci", "page.yaml:11: unknown metric 'per_token_latenci'; did you mean 'per_token_latency'?"),
        ("12.50, 2.70]", "12.50]", "page.yaml:15: this row has 4 values and there are 5 columns"),
        ("12.50", "12,50x", "page.yaml:15: this row has 6 values"),
        ("12.50", "fast", "page.yaml:15: 'fast' is not a number"),
        ("12.50", "nan", "page.yaml:15: 'nan' is not a number"),
        ("3.0, null", "null, null", "page.yaml:17: this row has no number"),
        ("environment: lib-0.10", "environment: lib-0.1", "page.yaml:15: unknown environment 'lib-0.1'; did you mean 'lib-0.10'?"),
        ("[m, nf4, 1, 3.0, null]", "[m, int4, 1, 3.0, null]", "per_token_latency of page, speed, m, int4 is given twice"),
        ("unit: ms", "unit: furlong", "page.yaml:15: unknown unit 'furlong'"),
        ("columns: [model", "columns: [modell", "page.yaml:13: unknown metric 'modell'"),
        ("block: speed", "blok: speed", "page.yaml:5: unknown key of a block 'blok'; did you mean 'block'?"),
    ],
)  # fmt: skip
def test_a_slip_of_the_hand_is_told_with_its_line(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in FILE
    with pytest.raises(ConfigError) as caught:
        read_published(written(tmp_path, FILE.replace(old, new)).parent)
    assert any(told in str(problem) for problem in caught.value.problems), str(caught.value)


def test_not_available_beside_a_number_is_kept_and_shown(tmp_path: Path) -> None:
    outcomes = read_reported(written(tmp_path, FILE.replace("12.50, 2.70]", "12.50, N/A]")))
    assert [(outcome.status, len(outcome.measurements)) for outcome in outcomes[:2]] == [
        (Status.OK, 1),
        (Status.UNSUPPORTED, 0),
    ]
    spec = """
t:
  rows: [method]
  baseline: {method: fp16}
  missing: {unsupported: N/A}
  cells: {Latency: {metric: per_token_latency, unit: ms, format: 2}, Decode: {metric: decode_tps, format: 2}}
"""
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "page.tables.yaml").write_text(spec, encoding="utf-8")
    with from_published(tmp_path) as source:
        (made,) = render([tmp_path / "t" / "page.tables.yaml"], source)
    assert "| int4 | 12.50 | N/A |" in made.markdown
    assert "| nf4 | 3.00 | - |" in made.markdown


def test_digits_may_be_grouped_and_nothing_takes_less_than_no_time(tmp_path: Path) -> None:
    text = FILE.replace("12.50", '"1,412.50"')
    assert read_reported(written(tmp_path, text))[0].measurements[0].value == pytest.approx(1.4125)
    with pytest.raises(ConfigError, match="per_token_latency must not be negative"):
        read_reported(written(tmp_path, FILE.replace("12.50", "-12.50")))


def test_a_reported_file_may_say_whose_tables_show_it(tmp_path: Path) -> None:
    text = FILE.replace("version: v1,", "version: v1, sweep: bnb,")
    assert {outcome.job.labels.sweep for outcome in read_reported(written(tmp_path, text))} == {"bnb"}


def test_a_number_that_a_file_no_longer_says_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with Database.open(tmp_path / "bench.db") as database:
        written(tmp_path / "p")
        assert take_published(database, tmp_path / "p") == "3 published runs are new"
        written(tmp_path / "p", FILE.replace("12.50", "13.50"))
        said = take_published(database, tmp_path / "p")
        assert said == "1 published runs are new, 1 that the files no longer say are forgotten"
        values = database.frame({"metric": "per_token_latency", "method": "int4"}, ["value"])["value"]
        assert values.tolist() == [pytest.approx(0.0135)]


@pytest.mark.parametrize("nothing", ["{}", "", "null"])
def test_an_environment_of_which_nothing_is_known_is_one(nothing: str, tmp_path: Path) -> None:
    text = FILE.replace('{cuda: "12.1", packages: {lib: 0.10}}', nothing)
    environment = read_reported(written(tmp_path, text))[0].environment
    assert (environment.name, environment.packages, environment.python) == ("lib-0.10", {}, "unknown")


def test_packages_that_are_no_mapping_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"packages must be a mapping, e\.g\. 'name: value'"):
        read_reported(written(tmp_path, FILE.replace("packages: {lib: 0.10}", "packages: lib")))
