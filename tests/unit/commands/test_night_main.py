"""Rounds of a night: what the budget did not reach, what broke and what was disturbed is said by name and is no verdict."""

from __future__ import annotations

import pytest

from harness.commands import night_main
from harness.commands.night_main import main_numbers
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import BROKEN, DISTURBED, candidate, last_night, night, night_bench

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280), pytest.mark.usefixtures("found")]


def test_what_the_budget_did_not_reach_is_named_and_exits_3_and_is_first_the_next_night(bench: Bench, say: Say) -> None:
    assert main_numbers.__doc__
    night_bench(bench, method=["fp32", "int8", "int4"])
    said = night(say, bench, budget="0.001s")
    record = last_night(bench)
    late = [one.pair for one in record.numbers if one.word == "not reached"]
    assert said.code == record.exit_code == 3
    assert len(late) == 3, "the first block runs in any case, and one block is none"
    assert "## Not reached: neither passing nor failing" in said.out
    assert all(pair in said.out for pair in late)
    assert bench.frame({"kind": "speed"}, ["run"])["run"].nunique() == 4


def test_a_candidate_that_breaks_is_missing_and_the_others_go_on(bench: Bench, say: Say) -> None:
    night_bench(bench)
    candidate(bench, BROKEN)
    said = night(say, bench)
    assert said.code == 3, said.err
    record = last_night(bench)
    words = {one.metric or one.name: one.word for one in record.numbers}
    assert said.code == record.exit_code == 3
    assert words == {"perplexity": "same", "toy fp32 fake": "missing"}
    assert "in new came to failed" in said.out


def test_nan_of_a_broken_probe_is_no_number(bench: Bench, say: Say) -> None:
    night_bench(bench, engine={"fake": {"step_seconds": 0.002, "fail": "nan"}})
    said = night(say, bench)
    assert said.code == 3
    assert {one.word for one in last_night(bench).numbers} == {"missing"}
    (scored,) = [one for one in last_night(bench).numbers if one.name.endswith(" perplexity")]
    assert "in old it came to failed: " in scored.why, "what failed for both, as one run, is not unchanged"
    assert "in new it came to failed: " in scored.why
    assert "| nan" not in said.out


def test_rounds_that_others_disturbed_are_skipped_and_never_judged(bench: Bench, say: Say) -> None:
    night_bench(bench)
    candidate(bench, DISTURBED)
    (bench.configs / "gate.yaml").write_text("margins: {speed: 50 %}\n", "utf-8")
    words = ["night", "s", "--baseline", "old", "--candidate", "new", "--budget", "25s", "--where", "metric=decode_tps"]
    said = say(bench, *words, "--configs", str(bench.configs))
    skipped = [one for one in last_night(bench).numbers if one.metric == "decode_tps"]
    assert said.code == 3
    assert [one.word for one in skipped] == ["skipped"], said.out
    assert skipped[0].why.startswith("another process used the machine")
    assert skipped[0].change is None


def test_a_later_night_takes_no_rounds_of_one_that_was_cut_off(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    night_bench(bench)
    with monkeypatch.context() as patch:
        patch.setattr(night_main, "numbers_of", ended)
        night(say, bench)
    assert last_night(bench).finished is None
    assert "main" not in last_night(bench).sessions
    said = night(say, bench, budget="50s")  # other words: another night
    assert "was cut off and is not continued; it was asked something else: nothing of it counts" in said.out
    record = last_night(bench)
    rows = bench.frame({"kind": "speed", "metric": "decode_tps"}, ["session", "run"])
    by_session = rows.groupby("session")["run"].nunique().to_dict()
    assert len(by_session) == 2
    assert by_session[record.sessions["main"]] >= 8, "two blocks of its own"
