"""Words of `harness night` that cannot be are told before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.cli.night import night as verb
from harness.night.files import NIGHTS, alone_tonight
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import night, night_bench


def test_the_verb_says_its_exit_codes() -> None:
    assert "exit code 1 where one is worse" in str(verb.__doc__)


@pytest.mark.parametrize(("words", "said"), [
    (("--budget", "soon"), "a budget is a time above 0"),
    (("--baseline", "odl"), "unknown environment 'odl'"),
    (("--candidate", "old"), "baseline and candidate are both old"),
    (("--candidate", "none-1-py3-none-any.whl"), "environment old has no lock file"),
    (("--only", "method=int3"), "no job has method=int3"),
    (("--where", "metrik=1"), "metrik"),
    (("--junit", "none/junit.xml"), "there is no folder none"),
])  # fmt: skip
def test_what_cannot_be_asked_is_told_and_exits_2(bench: Bench, say: Say, words: tuple[str, ...], said: str) -> None:
    night_bench(bench)
    answer = night(say, bench, *words)
    assert (answer.code, said in answer.err) == (2, True), answer.err
    assert list((bench.results / NIGHTS).glob("*.json")) == []


def test_a_sweep_of_which_nothing_can_run_in_a_side_exits_2(bench: Bench, say: Say) -> None:
    night_bench(bench)
    bench._write("environments.yaml", {"old": {"python": sys.executable}, "new": {"lock": "none.txt"}})
    answer = night(say, bench)
    assert answer.code == 2
    assert "nothing of sweep s can run in new: environment 'new' is not on this machine" in answer.err


def test_two_nights_at_once_are_refused(bench: Bench, say: Say) -> None:
    night_bench(bench)
    with alone_tonight(bench.results / NIGHTS):
        answer = night(say, bench)
    assert (answer.code, "another night is running" in answer.err) == (2, True)


def test_a_wrong_acknowledged_change_is_told_with_its_line(bench: Bench, say: Say) -> None:
    night_bench(bench)
    path: Path = bench.configs / "acknowledged.yaml"
    path.write_text("- {metric: decode_tps}\n", "utf-8")
    answer = night(say, bench)
    assert answer.code == 2
    assert f"{path}:1: a known change needs 'cause'" in answer.err
