"""Every registered probe, on a real artifact: its metrics and no others, the same twice where it measures quality, its words the job's."""

from __future__ import annotations

import math

import pytest

from harness.core.metric import LM_EVAL, OWN
from harness.core.registry import load
from harness.core.seam import Probe
from harness.probes import PROBES
from tests.contract.cases import PROBE_CASES, ProbeCase
from tests.contract.serving import Bench, Served


@pytest.fixture(scope="module", params=list(PROBE_CASES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def case(name: str) -> ProbeCase:
    return PROBE_CASES[name]


@pytest.fixture(scope="module")
def probe(name: str) -> Probe:
    found: Probe = load(PROBES, "probe", name)
    return found


@pytest.fixture(scope="module")
def measured(name: str, case: ProbeCase, contract_bench: Bench) -> Served:
    return contract_bench.measure(name, case)


def test_it_measures_its_metrics_and_no_others(probe: Probe, case: ProbeCase, measured: Served) -> None:
    outcome = measured.outcome
    assert outcome.status == "ok", outcome.reason
    assert probe.kind == case.kind
    found = {one.metric for one in outcome.measurements}
    assert bool(found) is (case.kind != "reference")
    own = {one for one in found if one.startswith((OWN, LM_EVAL))}
    told = {"decode_tps"} if probe.name == "command" else set(probe.yields)
    assert found - own <= told
    assert all(math.isfinite(one.value) and one.n >= 1 for one in outcome.measurements)
    assert all((one.low is None or one.low <= one.value) and (one.high is None or one.high >= one.value) for one in outcome.measurements)  # fmt: skip


def test_it_says_how_it_measured_and_what_ran(case: ProbeCase, measured: Served) -> None:
    outcome = measured.outcome
    assert outcome.protocol is not None
    assert outcome.protocol.name
    assert outcome.provider == "cpu"
    assert outcome.executed is not None
    assert all(note.code and note.text.strip() for note in outcome.notes)
    codes = {note.code for note in outcome.notes}
    assert case.kind == "speed" or "implausible" not in codes, "clocks are held against each other below"


@pytest.mark.alone
def test_speed_on_a_machine_of_its_own_is_plausible(contract_bench: Bench) -> None:
    outcome = contract_bench.measure("generation", PROBE_CASES["generation"], "-alone").outcome
    assert [note.text for note in outcome.notes if note.code == "implausible"] == []


def test_a_second_measurement_finds_the_same_and_is_silent(
    name: str, case: ProbeCase, measured: Served, contract_bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    again = contract_bench.measure(name, case, "-again")
    heard = capfd.readouterr()
    assert (heard.out, heard.err) == ("", "")
    one, other = measured.outcome, again.outcome
    assert [(item.metric, item.slice, item.unit) for item in one.measurements] == [
        (item.metric, item.slice, item.unit) for item in other.measurements
    ]
    if case.kind == "quality":
        assert [item.value for item in one.measurements] == [item.value for item in other.measurements]
        assert [item.array for item in one.measurements] == [item.array for item in other.measurements]
    if case.kind == "reference":
        assert measured.files() == again.files()
    assert one.protocol is not None
    assert other.protocol is not None
    assert one.protocol.facts.get("output_sha256") == other.protocol.facts.get("output_sha256")
    if name == "command":
        assert "words of a script" in again.log
