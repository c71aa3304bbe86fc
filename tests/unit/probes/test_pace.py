"""The machine's own pace: timed around every repetition of a run without a GPU, and what metrics come to at one pace."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.core.seam import Context
from harness.core.sessions import Trace
from harness.probes import conditions, pace
from harness.probes.generation import PROBE
from tests.unit.probes.clockwork import Clockwork


def slowed(paces: list[float]) -> Trace:
    """A trace on a machine of this pace before the first repetition and after each: all it does takes as much longer."""
    around = np.asarray(paces)
    by = (around[:-1] + around[1:]) / 2 / pace.UNIT_SECONDS
    steps = np.full((len(by), 3), 0.01) * by[:, None]
    return Trace(0.2 * by, 0.05 * by, steps, 0.3 * by, ids=np.zeros((len(by), 1, 4), dtype=np.int32))


def test_at_one_pace_a_machine_that_changes_its_speed_always_takes_as_long() -> None:
    paces = [0.001, 0.001, 0.0014, 0.0014, 0.002, 0.001, 0.001, 0.003, 0.003, 0.001, 0.001, 0.001, 0.001]
    found = pace.at_pace(slowed(paces), paces)
    assert found is not None
    assert found.prefill == pytest.approx(np.full(6, 0.2))
    assert found.first_token == pytest.approx(np.full(6, 0.05))
    assert found.steps == pytest.approx(np.full((6, 3), 0.01))
    assert found.total == pytest.approx(np.full(6, 0.3))


def test_the_half_in_which_the_machine_ran_best_counts_and_five_at_the_least() -> None:
    paces = [0.001] * 8 + [0.002] * 9
    trace = slowed([0.001] * 17)  # what the slow half did is not known to its pace
    found = pace.at_pace(trace, paces)
    assert found is not None
    assert found.prefill == pytest.approx([0.2] * 7 + [0.2 / 1.5])
    few = pace.at_pace(slowed(paces[:7]), paces[:7])
    assert few is not None
    assert len(few.prefill) == 5
    three = pace.at_pace(slowed(paces[:4]), paces[:4])
    assert three is not None
    assert len(three.prefill) == 3


def test_without_a_pace_around_every_repetition_there_is_no_value_at_one_pace() -> None:
    assert pace.at_pace(slowed([0.001] * 4), [0.001] * 3) is None


def test_a_run_without_a_gpu_says_its_pace_and_one_with_a_gpu_lets_it_not_wait(tmp_path: Path) -> None:
    options = PROBE.workload.model_validate({"prompt": 4, "output": 4, "warmup": 1, "repetitions": 6})
    found = PROBE.measure(Clockwork(), options, Context(folder=tmp_path))
    told = found.protocol.facts["pace"]
    values = {reading.metric: reading.value for reading in found.values}
    assert told["computation"].startswith("sum of the squares below 20,000, CPython 3.")
    assert 0 < told["fastest"] <= told["median"] <= told["slowest"] < 0.5
    ratios = {values[metric] / told["at_1ms"][metric] for metric in ("decode_tps", "prefill_tps")}
    assert len({round(math.log(one), 9) for one in ratios}) == 1, "each repetition took as long, so that all move alike"
    assert values["ttft"] / told["at_1ms"]["ttft"] == pytest.approx(1 / ratios.pop())
    watch = conditions.Watch(on_gpu=True)
    watch.mark()
    assert watch.paces() == []


def test_taking_the_pace_is_no_work_of_the_workload_and_none_of_others() -> None:
    watch = conditions.Watch()
    for _ in range(3):
        watch.mark()
    assert len(watch.paces()) == 3
    assert max(watch.cpu_seconds()) < min(watch.paces()) * pace.TIMES
