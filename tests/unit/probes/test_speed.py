"""Metrics of speed by their definitions, on a trace whose seconds are known, and where a result is unstable."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import Trace
from harness.probes import high_water, speed
from harness.probes.speed import Work
from harness.process_memory import GpuMemory

STEPS = np.array([[0.01, 0.03, 0.02], [0.02, 0.02, 0.14]])
TRACE = Trace(np.array([0.2, 0.4]), np.array([0.1, 0.3]), STEPS, np.array([1.0, 3.0]))
WORK = Work(batch=2, prompt=30, output=4, aggregation="mean")


def by_name(trace: Trace, work: Work) -> dict[str, Any]:
    return {value.metric: value for value in speed.values(trace, work)}


@pytest.mark.parametrize(("aggregation", "step"), [("mean", 0.04), ("median", 0.02)])
def test_work_is_divided_by_typical_seconds(aggregation: Any, step: float) -> None:
    found = by_name(TRACE, replace(WORK, aggregation=aggregation))
    assert {name: value.value for name, value in found.items()} == pytest.approx({
        "ttft": 0.5, "prefill_tps": 60 / 0.3, "e2e_latency": 2.0, "e2e_tps": 8 / 2.0, "decode_tps": 2 / step, "per_token_latency": step,
    })  # fmt: skip
    each = [2 / 0.02, 2 / (0.06 if aggregation == "mean" else 0.02)]
    assert found["decode_tps"].samples == pytest.approx(each)
    assert found["prefill_tps"].samples == pytest.approx([300.0, 150.0])
    assert found["e2e_tps"].samples == pytest.approx([8.0, 8 / 3])
    assert found["ttft"].samples == pytest.approx([0.3, 0.7])
    assert found["per_token_latency"].samples.shape == (2, 3)
    assert (found["per_token_latency"].array, found["ttft"].array) == ("step_seconds", None)


def test_one_token_has_no_steps() -> None:
    none = replace(TRACE, steps=np.empty((2, 0)))
    assert set(by_name(none, WORK)) == {"ttft", "prefill_tps", "e2e_latency", "e2e_tps"}
    assert speed.spread(none, WORK) == {}


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_what_is_no_duration_is_refused(seconds: float) -> None:
    with pytest.raises(HarnessError, match="is not a duration"):
        speed.values(replace(TRACE, total=np.full(2, seconds)), WORK)


def test_processor_seconds_are_told_per_token_of_all_sequences() -> None:
    (found,) = speed.cpu_value([0.8, 1.6], WORK)
    assert found.value == pytest.approx(1.2 / 8)
    assert found.samples == pytest.approx([0.1, 0.2])
    assert speed.cpu_value([], WORK) == []


def test_the_spread_is_over_all_steps_and_over_the_middle_of_the_repetitions() -> None:
    found = speed.spread(TRACE, WORK)
    p50, p99 = np.percentile(STEPS, [50, 99])
    each = np.array([0.02, 0.06])
    assert found == pytest.approx({
        "step_p99_over_p50": p99 / p50, "step_mean_over_median": 0.04 / 0.02,
        "decode_range": 0.8 * 0.04 / 0.04, "decode_relative_stdev": 0.04 / np.sqrt(2) / 0.04,
    })  # fmt: skip
    assert speed.between(each[:1]) == {}
    assert speed.between(np.array([1.0, 1.0])) == {"decode_range": 0.0, "decode_relative_stdev": 0.0}


@pytest.mark.parametrize(("found", "aggregation", "says"), [
    ({"decode_range": 0.80}, "mean", []), ({"decode_range": 0.8001}, "mean", ["decode time varied by 80% between repetitions (stable: 80%)"]),
    ({"decode_range": 0.9}, "median", ["decode time varied by 90%"]), ({"step_mean_over_median": 1.25}, "mean", []),
    ({"step_mean_over_median": 1.26}, "mean", ["the mean decode step is 26% above the median (stable: 25%)"]), ({"step_mean_over_median": 1.5}, "median", []),
    ({}, "mean", []), ({"decode_range": 2.0, "step_mean_over_median": 2.0}, "mean", ["decode time varied by 200%", "is 100% above"]),
])  # fmt: skip
def test_limits_of_what_is_stable(found: dict[str, float], aggregation: Any, says: list[str]) -> None:
    notes = speed.unstable(found, replace(WORK, aggregation=aggregation))
    assert len(notes) == len(says)
    assert all(part in note.text and note.code == "unstable" for part, note in zip(says, notes, strict=True))


def test_protocols_choose_tokens_as_they_say() -> None:
    assert {name: (way.sampling is None, way.aggregation) for name, way in speed.PROTOCOLS.items()} == {
        "genai-e2e-0.9": (True, "mean"), "genai-e2e-0.9-median": (True, "median"), "genai-e2e-0.9-sampling": (False, "mean"),
    }  # fmt: skip
    assert speed.PROTOCOLS["genai-e2e-0.9-sampling"].sampling == {
        "top_k": 50,
        "top_p": 1.0,
        "temperature": 1.0,
        "seed": 7,
    }
    assert (
        speed.why_not("genai-e2e-0.6")
        == "protocol genai-e2e-0.6 leaves is_done outside the timer and so runs too fast on CUDA"
    )
    assert "did you mean 'genai-e2e-0.9'" in speed.why_not("genai-e2e-9")


# ---------------------------------------------------------------- what was generated

IDS = np.arange(16, dtype=np.int32).reshape(2, 2, 4)


def test_the_first_repetitions_tokens_are_the_output() -> None:
    found = speed.output_of(replace(TRACE, ids=IDS), WORK)
    assert found is not None
    assert found.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert speed.sha256_of(found) == hashlib.sha256(struct.pack("<8i", *range(8))).hexdigest()
    assert speed.output_of(TRACE, WORK) is None
    for odd in (IDS[:1], IDS[:, :1], IDS[:, :, :3]):
        with pytest.raises(HarnessError, match=r"\(2, 2, 4\) were asked for"):
            speed.output_of(replace(TRACE, ids=odd), WORK)


def test_greedy_repetitions_that_differ_are_counted_and_the_first_is_placed() -> None:
    ids = np.stack([IDS[0]] * 4)
    assert speed.disagreeing(replace(TRACE, ids=ids)) == speed.disagreeing(TRACE) == ()
    ids[2, 1, 3] = ids[3, 0, 0] = 99
    (note,) = speed.disagreeing(replace(TRACE, ids=ids))
    assert note.code == "output-differs"
    assert note.text.startswith("2 of 4 greedy repetitions")
    assert note.text.endswith("repetition 3 from token 4 of sequence 2 on")


@pytest.mark.parametrize(("found", "expected", "differs"), [("a", "a", False), ("a", None, False), ("a", "b", True)])
def test_another_process_should_have_generated_the_same(found: str, expected: str | None, differs: bool) -> None:
    assert [note.code for note in speed.unexpected(found, expected)] == ["output-differs"] * differs


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize(("opening", "before", "now", "found"), [
    (300, 100, 200, {"peak_rss_bytes": 300.0, "peak_rss_increment_bytes": 200.0}), (150, 100, 200, {"peak_rss_bytes": 200.0, "peak_rss_increment_bytes": 100.0}),
    (150, 900, 200, {"peak_rss_bytes": 200.0, "peak_rss_increment_bytes": 0.0}), (150, None, 200, {"peak_rss_bytes": 200.0}),
])  # fmt: skip
def test_the_mark_of_opening_counts_and_what_was_there_before_is_taken_off(
    monkeypatch: pytest.MonkeyPatch, opening: int, before: int | None, now: int, found: dict[str, float]
) -> None:
    marks = iter([opening, now])
    resets: list[int] = []
    monkeypatch.setattr(high_water.process_memory, "peak_rss_bytes", lambda: next(marks))
    monkeypatch.setattr(high_water.process_memory, "reset_peak_rss", lambda: resets.append(1) or True)
    memory = high_water.MainMemory({} if before is None else {high_water.BEFORE_OPENING: before})
    assert memory.facts["peak_rss_over"] == "the process so far, smaller workloads included"
    memory.opened()
    memory.opened()
    assert resets == [1], "a workload begins once"
    values = memory.values()
    assert {value.metric: value.value for value in values} == found
    assert all(value.samples.tolist() == [value.value] and value.source == "rss" for value in values)
    assert memory.facts == {"peak_rss_over": "opening and this workload", "rss_before_opening": before}


@pytest.mark.parametrize(("torch", "gpu", "found", "noted"), [
    (None, None, {}, False), (5, None, {"torch": 5}, False), (0, GpuMemory(7, 9), {"torch": 0, "nvml-process": 7, "device": 9}, False),
    (None, GpuMemory(None, 9), {"device": 9}, True), (None, GpuMemory(0, None), {"nvml-process": 0}, False),
])  # fmt: skip
def test_each_source_has_its_own_mark(
    torch: int | None, gpu: GpuMemory | None, found: dict[str, int], noted: bool
) -> None:
    values = high_water.gpu_values(replace(TRACE, peak_torch_bytes=torch), gpu)
    assert {value.source: value.value for value in values} == found
    assert bool(high_water.gpu_notes(gpu)) is noted


@pytest.mark.parametrize(
    ("provider", "nvml", "starts"), [("cpu", "there", False), ("cuda", None, False), ("cuda", "there", True)]
)
def test_gpus_are_watched_where_the_work_runs_on_one(
    monkeypatch: pytest.MonkeyPatch, provider: str, nvml: str | None, starts: bool
) -> None:
    class Sampler:
        def __init__(self, gpus: tuple[int, ...]) -> None:
            assert gpus == (0,)

        def start(self) -> str:
            return "started"

    monkeypatch.setattr(high_water.nvml, "open_nvml", lambda: nvml)
    monkeypatch.setattr(high_water.process_memory, "MemorySampler", Sampler)

    class Session:
        pass

    session: Any = Session()
    session.provider = provider
    assert (high_water.start_sampler(session) == "started") is starts
