"""What a repetition consists of: also the making of a generator, and one that the system interrupted is no habit."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.sessions import Trace
from harness.probes.trace_check import clock_notes


@pytest.mark.parametrize(("setup", "told"), [(0.02, False), (0.01, True), (None, True)])
def test_what_an_engine_says_of_making_its_generator_is_a_part(setup: float | None, told: bool) -> None:
    parts = (np.full(2, 0.001), np.full(2, 0.001), np.empty((2, 0)), np.full(2, 0.022))
    said = Trace(*parts, setup=None if setup is None else np.full(2, setup))
    assert bool(clock_notes(said, list(said.total))) is told


@pytest.mark.parametrize(("repetitions", "told"), [(4, False), (5, True)])
def test_one_of_few_repetitions_that_was_interrupted_is_no_habit(repetitions: int, told: bool) -> None:
    """Of fewer than five the least counts, of more the median: here all but one wait."""
    short = np.full(repetitions, 0.001)
    said = Trace(short, short, np.empty((repetitions, 0)), np.asarray([0.002, *[0.03] * (repetitions - 1)]))
    assert bool(clock_notes(said, list(said.total))) is told
