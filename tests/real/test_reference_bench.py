"""What the reference model's numbers must show, and what a command and its repetition may cost."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.numbers.intervals import mean_interval
from harness.numbers.pairing import paired_difference
from harness.published.items import items_of
from tests.real.conftest import ROUNDS, Twice
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(1500)]
OWN_SECONDS_PER_JOB = 0.6
"""About 0.1 s on an idle machine; on a busy one a job waits for its turn of the processor."""
GENAI = {"engine": "ort-genai"}


def test_int8_differs_less_than_mixed_and_mixed_less_than_int4(twice: Twice) -> None:
    items, values = [], []
    with twice.machine.database() as database:
        for method in ("int8", "int4_k_quant_mixed", "int4_rtn"):
            where = {"metric": "kl_divergence", "method": method}
            found = database.frame(where, ["value", "measurement_id"]).iloc[0]
            values.append(float(found["value"]))
            items.append(items_of(database, found["measurement_id"]))
    assert values == sorted(values), values
    for less, more in ((items[0], items[1]), (items[1], items[2])):
        assert paired_difference("kl_divergence", more, less).low > 0, (
            f"KL {values}: the difference is within its paired interval"
        )


def test_an_engine_against_itself_through_a_stored_reference_is_at_the_floor_and_shown(twice: Twice) -> None:
    assert 0 <= twice.machine.value("kl_divergence", method="fp32", **GENAI) < 1e-6
    shown = twice.machine.tables("quickstart")["quickstart-quality"]
    lines = [[cell.strip() for cell in line.split("|")] for line in shown.splitlines()]
    place = next(line.index("KL divergence (nat)") for line in lines if "KL divergence (nat)" in line)
    own = next(line for line in lines if line[1:3] == ["FP32", "ONNX Runtime GenAI"])
    assert own[place].startswith("0.000000 ± <0.000001 <sup>")
    assert "it cannot be told from none" in shown


def test_both_engines_agree_in_fp32_and_the_floor_has_its_table(twice: Twice) -> None:
    machine = twice.machine
    floor = machine.value("kl_divergence", method="fp32", engine="transformers")
    assert 0 <= floor < 1e-6
    ours, torch = (machine.value("perplexity", method="fp32", engine=name) for name in ("ort-genai", "transformers"))
    assert ours == pytest.approx(torch, rel=1e-4)
    table = machine.tables("quickstart")["quickstart-floor"]
    assert f"| FP32 | transformers | {floor:.1e} " in table


def test_decoding_in_int4_separates_from_fp32_beyond_its_interval(twice: Twice) -> None:
    """Rounds are interleaved: each gives one ratio, whose logarithms have Student's interval."""
    ratios = decode_ratios(twice.machine, "int4_rtn")
    assert len(ratios) == 2 * ROUNDS
    value, low, high = mean_interval(np.log(ratios))
    assert low is not None
    assert high is not None
    assert low > 0, f"speed-up {math.exp(value):.2f} [{math.exp(low):.2f}, {math.exp(high):.2f}]: {ratios}"


def decode_ratios(machine: RealMachine, method: str) -> list[float]:
    """Divide decode throughput by fp32's, session by session and round by round."""
    rows = machine.frame({"metric": "decode_tps", "method": [method, "fp32"]}, ["session", "round", "method", "value"])
    table = rows.pivot_table(index=["session", "round"], columns="method", values="value")
    return [float(ratio) for ratio in table[method] / table["fp32"]]


def test_a_second_command_rebuilds_nothing_reevaluates_nothing_and_appends_speed(twice: Twice) -> None:
    first, both = twice.first, twice.machine.kinds()
    assert set(first) == {"build", "reference", "quality", "speed"}
    assert both - first == {"speed": first["speed"]}
    counts = twice.machine.frame({"metric": "decode_tps"}, ["session", "value"]).groupby("session").size()
    assert counts.tolist() == [first["speed"]] * 2


def test_spans_sum_to_the_wall_time_and_our_own_share_is_small(twice: Twice) -> None:
    jobs = [sum(twice.first.values()), twice.first["speed"]]
    for number, (found, count) in enumerate(zip(twice.shares, jobs, strict=True)):
        print(f"run {number + 1}, {count} jobs, {found.own / count:.3f} s each: {found}")
        assert abs(found.gap) <= 0.01 * found.wall, f"spans leave {found.gap:.2f} s of {found.wall:.1f} s"
        assert found.own / count < OWN_SECONDS_PER_JOB, str(found)
        assert str(found) in twice.printed[number].replace("\n", " ")


def test_a_database_made_again_from_the_run_folders_equals_the_one_that_grew(twice: Twice, tmp_path: Path) -> None:
    again = RealMachine(tmp_path)
    for name in ("runs", "sessions"):
        shutil.copytree(twice.machine.results / name, again.results / name)
    again.command("ingest")
    frames = [machine.frame() for machine in (twice.machine, again)]
    columns = sorted(frames[0].columns)
    order = ["run", "metric", "slice", "source", "sweep", "block", "method"]
    grown, made = (frame[columns].sort_values(order).reset_index(drop=True) for frame in frames)
    assert len(grown) > 100
    assert grown.equals(made)


FALSE_ALARM = 0.02
"""Share of runs, at most, in which chance alone may fail the comparison of two commands."""


def chance_of_being_apart(rounds: int) -> float:
    """Return how often two 95 % intervals of the same thing do not meet, each Student's of so many rounds: about 1 in 200."""
    drawn = np.random.default_rng(0).standard_normal((200_000, 2, rounds))
    middles = drawn.mean(axis=2)
    halves = stats.t.ppf(0.975, rounds - 1) * stats.sem(drawn, axis=2)
    return float((np.abs(middles[:, 0] - middles[:, 1]) > halves.sum(axis=1)).mean())


def allowed(pairs: int, rounds: int) -> int:
    """Return how many pairs may be apart.

    Methods share the machine and the four metrics of a method its processes, so pairs fall together and a binomial would be too
    strict. Markov's inequality holds however they hang together: more than k of n are apart in at most n p / (k + 1) of all runs.
    """
    return math.ceil(pairs * chance_of_being_apart(rounds) / FALSE_ALARM) - 1


def test_two_commands_print_intervals_that_agree(twice: Twice) -> None:
    """By chance alone it fails in one of fifty runs at most; of intervals of repetitions, as version 0.1 had them, most were apart.

    What a machine is slower or faster by between the two commands, all methods alike, is taken out: an interval is of its session's rounds.
    """
    columns = ["session", "method", "metric", "summary_low", "summary_high"]
    where = {"metric": ["decode_tps", "prefill_tps", "ttft", "e2e_latency"]}
    rows = twice.machine.frame(where, columns).drop_duplicates()
    assert rows["summary_low"].notna().all()
    middle = (rows["summary_low"] + rows["summary_high"]) / 2
    level = middle.groupby([rows["session"], rows["metric"]]).transform("median")
    for end in ("summary_low", "summary_high"):
        rows[end] /= level
    pairs = [pair for _, pair in rows.groupby(["method", "metric"])]
    assert len(pairs) == 4 * 4
    assert all(len(pair) == 2 for pair in pairs)
    apart = [pair for pair in pairs if pair["summary_low"].max() > pair["summary_high"].min()]
    most = allowed(len(pairs), ROUNDS)
    assert most < len(pairs) / 3, "the comparison could not fail"
    assert len(apart) <= most, apart
