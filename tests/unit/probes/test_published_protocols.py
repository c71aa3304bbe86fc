"""Protocols of published pages by name: what they fix, whose they are, and that a report kept to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.core.options import canonical_options, validated
from harness.core.outcome import Protocol
from harness.core.reports import FixedWork, Reported
from harness.core.seam import Facts, MetricValue
from harness.engines.optimum_benchmark import ENGINE, PROTOCOLS
from harness.probes.generation import PROBE
from harness.probes.published_protocols import PUBLISHED, fixed_work, refuse_other_rounds

HERE = Facts({}, "Linux")


def asked(**given: Any) -> Any:
    return validated(PROBE.workload, given, "probe generation")


def test_the_two_protocols_of_bitsandbytes_are_what_its_script_does() -> None:
    page, script = asked(protocol="bnb-2024-12", batch=8), asked(protocol="bnb-2025-09")
    assert fixed_work(page.protocol, page) == FixedWork(8, 64, 100, 10, 10, seconds=10.0, protocol="bnb-2024-12")
    assert fixed_work(script.protocol, script) == FixedWork(1, 64, 64, 10, 10, seconds=0.0, protocol="bnb-2025-09")
    plain = asked(prompt=7)
    assert fixed_work(plain.protocol, plain) == FixedWork(1, 7, 128, 2, 5)


def test_a_job_is_the_same_whether_its_numbers_are_said_or_follow_from_the_protocol() -> None:
    said = asked(protocol="bnb-2024-12", prompt=64, output=100, repetitions=10)
    assert canonical_options(said) == canonical_options(asked(protocol="bnb-2024-12"))
    assert asked(protocol="bnb-2024-12", prompt=32).prompt == 32, "the script takes it as an argument"


@pytest.mark.parametrize(("given", "told"), [
    ({"output": 99}, "protocol bnb-2024-12 has 100 new tokens, and the sweep asks for 99: leave `output` out"),
    ({"repetitions": 3}, "has 10 repetitions, and the sweep asks for 3: leave `repetitions` out"),
    ({"warmup": 1}, "has 10 warm-ups, and the sweep asks for 1: leave `warmup` out"),
])  # fmt: skip
def test_a_sweep_that_says_otherwise_is_told(given: dict[str, int], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        asked(protocol="bnb-2024-12", **given)


@pytest.mark.parametrize("name", PUBLISHED)
def test_they_are_measured_by_the_program_whose_they_are_and_by_no_other(name: str) -> None:
    work = asked(protocol=name)
    assert PROBE.refuse(work, HERE) is None
    assert PROBE.refuse_on(work, ENGINE.offers) is None
    assert "take engine optimum-benchmark" in str(PROBE.refuse_on(work, frozenset({"generates"})))
    assert f"not by {name}: leave `protocol` out" in str(PROBE.refuse_on(work, frozenset({"reports"})))
    assert name in PROTOCOLS


def test_the_old_name_says_which_two_there_are() -> None:
    assert "bnb is two: bnb-2024-12" in str(PROBE.refuse(asked(protocol="bnb"), HERE))
    assert "did you mean 'bnb-2024-12'" in str(PROBE.refuse(asked(protocol="bnb-2024-21"), HERE))


def report(*seconds: float) -> Reported:
    parts = {"prefill_latency": 0.25 * np.asarray(seconds), "decode_latency": 0.75 * np.asarray(seconds)}
    summary = tuple(MetricValue(name, float(some.mean()), some, version=0) for name, some in parts.items())
    return Reported(Path("r.json"), {}, summary, Protocol(name="optimum-benchmark", version=0))


def test_rounds_and_seconds_of_a_report_are_those_of_the_protocol() -> None:
    page, script = (fixed_work(name, asked(protocol=name)) for name in ("bnb-2024-12", "bnb-2025-09"))
    refuse_other_rounds(report(*[0.1] * 10), script)
    refuse_other_rounds(report(*[0.5] * 20), page)
    refuse_other_rounds(report(0.1), FixedWork(1, 64, 64, 10, 10))
    for work, seconds, told in (
        (script, [0.1] * 11, "tells of 11 rounds, and protocol bnb-2025-09 asks for exactly 10"),
        (script, [0.1] * 9, "tells of 9 rounds, and protocol bnb-2025-09 asks for exactly 10"),
        (page, [2.0] * 9, "tells of 9 rounds, and protocol bnb-2024-12 asks for at least 10"),
        (page, [0.5] * 10, "tells of 5 s, and protocol bnb-2024-12 asks for 10 s at least"),
    ):
        with pytest.raises(HarnessError, match=told):
            refuse_other_rounds(report(*seconds), work)
