"""`make bench-accuracy` runs all that is promised, says what it left out, and fails where one part does; peers' numbers are part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import accuracy_peers
from tests.benchmarks.bench_accuracy import Part, parts, verdict
from tests.conftest import ROOT


def test_every_part_is_a_benchmark_and_what_is_not_given_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    run: list[str] = []
    assert verdict(parts(None, None, None), lambda part: run.append(part.name) or 0) == 0
    assert run == ["accuracy", "head_rows", "kl_hidden"]
    said = capsys.readouterr().out
    assert "whole_mmlu needs --old, a checkout of 0.1.0: left out" in said
    assert said.endswith("hold: accuracy, head_rows, kl_hidden; left out: whole_mmlu, nvidia_kl\n")
    everything = parts(Path("q"), Path("t"), Path("o"), smollm2=True)
    assert not any(part.lacks for part in everything)
    assert everything[0].words == ("--questions", "q", "--peers", "--smollm2")
    assert all((ROOT / "tests" / "benchmarks" / f"{part.name}.py").is_file() for part in everything)


def test_one_part_that_does_not_hold_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict([Part("one"), Part("two"), Part("three")], lambda part: int(part.name == "two")) == 1
    assert capsys.readouterr().out.endswith("do not hold: two; hold: one, three\n")


@pytest.mark.parametrize(
    ("precision", "factor", "furthest", "holds"),
    [("fp32", 4.1, 9e-5, True), ("fp32", 4.1, 2e-4, False), ("fp32", 3.9, 9e-5, False), ("int4", 4.1, 2e-4, True)],
)
def test_peers_are_held_to_their_factor_and_in_fp32_to_the_same_log_likelihoods(
    precision: str, factor: float, furthest: float, *, holds: bool
) -> None:
    found = {"hf": [accuracy_peers.Compared(9.0, 1e-6), accuracy_peers.Compared(factor, furthest)]}
    assert accuracy_peers.verdict(found, precision, 0.0) is holds


@pytest.mark.parametrize(("gap", "batches", "holds"), [(2e-6, 3e-6, True), (4e-6, 3e-6, False), (4e-6, 0.0, False)])
@pytest.mark.parametrize("precision", ["fp32", "int4"])
def test_peers_may_choose_otherwise_only_where_their_own_batches_do(
    precision: str, gap: float, batches: float, *, holds: bool
) -> None:
    logs = [np.asarray([-1.0, -2.0, -3.0, -4.0]), np.asarray([-1.0 - batches, -2.0, -3.0, -4.0])]
    found = {"hf": [accuracy_peers.Compared(9.0, 1e-6, (gap,) if one is logs[1] else (), one) for one in logs]}
    assert accuracy_peers.verdict(found, precision, 1e-7) is holds
