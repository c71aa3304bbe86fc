"""Quality of a night: known where nothing changed, called where the candidate answers worse, twice."""

from __future__ import annotations

import pytest

from harness.commands.night_quality import refused_by_both, run_quality
from harness.plan.expand import Plan
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import candidate, last_night, night, night_bench
from tests.unit.runner.test_choosing import job

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280), pytest.mark.usefixtures("found")]
SURE = """
import harness.engines.fake as fake
real = fake.FakeSession._rows
def sure(self, ids):
    import numpy as np
    rows = 1.2 * real(self, ids)
    return (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)
fake.FakeSession._rows = sure
"""
"""Makes the fake engine surer of everything, and it is mostly wrong."""

UNSCORED = """
import harness.engines.fake as fake
def broken(self, ids):
    raise RuntimeError("this version cannot score")
fake.FakeSession._rows = broken
"""


def test_what_the_plan_refuses_for_both_is_told_and_what_it_refuses_for_one_is_not() -> None:
    def jobs(*refused: str | None) -> Plan:
        sides = zip(("old", "new"), refused, strict=True)
        return Plan("s", tuple(job(side, "quality", "int4", environment=side, refused=why) for side, why in sides))

    assert refused_by_both(jobs("no GPU", "too old"), ("old", "new")) == {"tiny int4 fake perplexity": "no GPU"}
    for one in (jobs(None, "too old"), jobs("no GPU", None), jobs(None, None)):
        assert refused_by_both(one, ("old", "new")) == {}


@pytest.mark.slow
def test_a_candidate_that_can_score_nothing_is_missing_and_says_why(bench: Bench, say: Say) -> None:
    night_bench(bench, probes={"perplexity": {"window": 64, "stride": 32, "text": str(bench.text)}})
    candidate(bench, UNSCORED)
    assert night(say, bench).code == 3
    (one,) = last_night(bench).numbers
    assert (one.word, one.name) == ("missing", "toy fp32 fake perplexity")
    assert one.why == "in new it came to failed: RuntimeError: this version cannot score"


@pytest.mark.slow
def test_what_is_known_is_not_measured_again(bench: Bench, say: Say) -> None:
    assert run_quality.__doc__
    night_bench(bench, probes={"perplexity": {"window": 64, "stride": 32, "text": str(bench.text)}})
    assert night(say, bench).code == 0
    first = len(bench.frame({"probe": "perplexity"}, ["run"]))
    assert night(say, bench).code == 0
    assert len(bench.frame({"probe": "perplexity"}, ["run"])) == first


@pytest.mark.slow
def test_a_candidate_that_answers_worse_is_called_after_a_second_look(bench: Bench, say: Say) -> None:
    night_bench(bench, probes={"perplexity": {"window": 64, "stride": 32, "text": str(bench.text)}})
    candidate(bench, SURE)
    said = night(say, bench)
    (one,) = last_night(bench).alarms
    assert said.code == 1
    assert (one.metric, one.confirmed) == ("perplexity", True)
    assert one.again is not None
    assert one.again.change == pytest.approx(one.change)
    assert len(bench.frame({"probe": "perplexity", "environment": "new"}, ["run"])) == 2
