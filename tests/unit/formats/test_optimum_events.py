"""Intervals between tokens that optimum-benchmark 0.5 and 0.6 pile up: taken back exactly, or not taken."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.formats import optimum_events
from harness.formats.reading import read_contents, recognized
from harness.formats.records import Found
from harness.formats.source import read_source
from tests.unit.importing.files import optimum, write


class Tracker:
    """Its list of events as its source keeps it: appended to by each token, read whole after each round."""

    def __init__(self, *, clears: bool) -> None:
        self.clears, self.now = clears, 0.0
        self.events: list[float] = []
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.own: list[float] = []

    def round(self, tokens: int, draw: random.Random) -> None:
        if self.clears:
            self.events = []
        self.now += draw.random()
        for number in range(tokens):
            step = draw.random()
            self.now += step
            if number:
                self.own.append(step)
            self.events.append(self.now)
        self.starts += self.events[:-1]
        self.ends += self.events[1:]

    @property
    def values(self) -> list[float]:
        return [end - start for start, end in zip(self.starts, self.ends, strict=True)]


def told(rounds: int, tokens: int, *, clears: bool = False) -> Tracker:
    tracker, draw = Tracker(clears=clears), random.Random(rounds * 100 + tokens)
    for _ in range(rounds):
        tracker.round(tokens, draw)
    return tracker


@pytest.mark.parametrize(("rounds", "tokens"), [(1, 2), (1, 9), (2, 2), (3, 16), (10, 64), (12, 100)])
def test_what_piled_up_is_taken_back_to_each_rounds_own_intervals(rounds: int, tokens: int) -> None:
    tracker = told(rounds, tokens)
    assert len(tracker.values) == tokens * rounds * (rounds + 1) // 2 - rounds
    found = optimum_events.own_intervals(tracker.values, rounds)
    assert found == pytest.approx(tracker.own)
    assert len(found or ()) == rounds * (tokens - 1)


@pytest.mark.parametrize(("rounds", "tokens"), [(2, 3), (3, 16), (10, 64)])
def test_lists_that_were_kept_apart_are_left_alone(rounds: int, tokens: int) -> None:
    values = told(rounds, tokens, clears=True).values
    assert optimum_events.own_intervals(values, rounds) is None
    assert optimum_events.are_apart(values, rounds)


def test_a_list_of_that_length_whose_pieces_differ_did_not_pile_up() -> None:
    values = told(3, 16).values
    assert optimum_events.own_intervals([*values[:20], values[20] + 1e-9, *values[21:]], 3) is None
    assert optimum_events.own_intervals([], 3) is None
    assert optimum_events.own_intervals(values, 0) is None


def read(folder: Path, whole: dict[str, Any]) -> Found:
    source = read_source(write(folder, "benchmark.json", whole))
    (found,) = read_contents(recognized(source, "optimum-benchmark"), source).runs
    return found


def report(values: list[float] | None, rounds: int, version: str = "0.6.0") -> dict[str, Any]:
    """Write a report with these intervals; None: with their mean alone."""
    mean = sum(values) / len(values) if values else 7.0
    latency = {"unit": "s", "mean": mean, "p50": mean, "stdev": 0.5} | ({"values": values} if values else {})
    whole = optimum(per_token={"latency": latency})
    whole["report"]["decode"]["latency"] |= {"values": [1.5] * rounds, "count": rounds}
    whole["config"]["environment"]["optimum_benchmark_version"] = version
    return whole


def test_an_imported_report_has_the_mean_of_its_rounds_own_intervals(tmp_path: Path) -> None:
    tracker = told(10, 64)
    found = read(tmp_path, report(tracker.values, 10))
    (number,) = [one for one in found.numbers if one.metric == "per_token_latency"]
    assert number.value == pytest.approx(sum(tracker.own) / len(tracker.own))
    assert number.value != pytest.approx(sum(tracker.values) / len(tracker.values), rel=1e-3), "the report's own mean"
    assert (number.slice, len(number.samples)) == ("", 630), "what it says of the piled-up list is not taken"
    assert optimum_events.UNDONE in found.notes


def test_a_mean_over_what_piled_up_is_not_taken_where_the_list_is_absent(tmp_path: Path) -> None:
    found = read(tmp_path, report(None, 10))
    assert [one for one in found.numbers if one.metric == "per_token_latency"] == []
    assert optimum_events.NOT_TAKEN in found.notes
    found = read(tmp_path, report(None, 10, version="0.4.0"))
    assert [one.value for one in found.numbers if one.metric == "per_token_latency" and not one.slice] == [7.0]


def test_the_commit_of_the_published_page_keeps_rounds_apart_under_a_version_that_does_not(tmp_path: Path) -> None:
    tracker = told(10, 100, clears=True)
    found = read(tmp_path, report(tracker.values, 10, version="0.5.0.dev0"))
    number = next(one for one in found.numbers if one.metric == "per_token_latency" and not one.slice)
    assert number.value == pytest.approx(sum(tracker.own) / len(tracker.own))
    assert [note for note in found.notes if note.code == optimum_events.CODE] == []


def test_the_throughput_that_is_labelled_wrong_is_not_taken(tmp_path: Path) -> None:
    whole = report(told(10, 64).values, 10)
    source = read_source(write(tmp_path, "benchmark.json", whole))
    contents = read_contents(recognized(source, "optimum-benchmark"), source)
    assert whole["report"]["generate"]["throughput"]["unit"] == "samples/s"
    assert "report.generate.throughput.value" in contents.left
    assert {one.metric for one in contents.runs[0].numbers}.isdisjoint({"e2e_tps", "e2e_sps", "generate_sps"})


def test_a_quantization_that_it_ignores_is_refused(tmp_path: Path) -> None:
    whole = optimum()
    whole["config"]["backend"] |= {"quantization_scheme": None, "quantization_config": {"quant_method": "bitsandbytes"}}
    with pytest.raises(ConfigError, match="ignores it and measures the model as its own files are, in floats"):
        read(tmp_path, whole)
    whole["config"]["backend"]["quantization_scheme"] = "bitsandbytes"
    assert read(tmp_path, json.loads(json.dumps(whole))).labels["method"] == "bitsandbytes"
