"""The verb `history`: what its options choose, what it prints, and the file that it draws."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.cli import history as verb
from harness.core.spec import Labels
from harness.store.database import Database
from tests.fake_machine import Bench, Say
from tests.unit.store.outcomes import environment, measured, measurement


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """A database of two methods, each in an environment of its own."""
    bench.results.mkdir()
    with Database.open(bench.results / "bench.db") as database:
        for number, (method, value) in enumerate((("int4", 80.0), ("int8", 50.0))):
            labels = Labels(sweep="s", model="tiny", method=method)
            database.ingest(
                measured(number, [measurement(value=value)], labels=labels, place=environment(method)), None
            )
    return bench


def test_all_series_are_printed_or_those_that_are_chosen(filled: Bench, say: Say) -> None:
    both = say(filled, "history", "decode_tps")
    assert both.code == 0
    assert "80" in both.out
    assert "50" in both.out
    one = say(filled, "history", "decode_tps", "--only", "method=int8")
    assert "50" in one.out
    assert "80" not in one.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--only", "methd=int8"), "did you mean 'method'"),
        (("--only", "method=int9"), "no results of decode_tps fit method=int9"),
        (("--probe", "nothing"), "no results of decode_tps fit probe=nothing"),
        (("--svg", "plot.png"), "--svg plot.png: a plot is written as SVG"),
    ],
)
def test_what_cannot_be_shown_is_told(filled: Bench, say: Say, words: tuple[str, ...], told: str) -> None:
    said = say(filled, "history", "decode_tps", *words)
    assert said.code == 2
    assert told in said.err


def test_the_drawing_is_written_and_named(filled: Bench, say: Say, tmp_path: Path) -> None:
    path = tmp_path / "speed.svg"
    said = say(filled, "history", "decode_tps", "--svg", str(path))
    assert said.code == 0
    assert f"written to {path}" in said.out
    assert ET.fromstring(path.read_text("utf-8")).tag.endswith("svg")


def test_the_help_tells_what_the_metric_and_the_drawing_are(say: Say, filled: Bench) -> None:
    said = say(filled, "history", "--help")
    assert said.code == 0
    assert all(word in " ".join(said.out.split()) for word in (str(verb.history.__doc__), "{metric}", "--svg"))
