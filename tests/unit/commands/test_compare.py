"""`harness compare` as a person meets it: what two words name, exit codes, Markdown and JSON; runs are of adapters that measure nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fake_machine import Bench, Say

BEFORE, AFTER = sorted((ROOT / "tests" / "golden" / "lm_eval").glob("*.jsonl"))


def harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, timeout=120, check=False, cwd=folder
    )


def test_two_files_of_answers_need_no_workspace(tmp_path: Path) -> None:
    ran = harness(tmp_path, "compare", str(BEFORE), str(AFTER))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "lm-eval acc, shipped_questions: B gained 1 and lost 2 questions" in ran.stdout
    assert "| 30: What is the step of the feast of Jonna? | lost | gavotte | gavotte | minuet |" in ran.stdout


def test_json_has_every_number_in_full(bench: Bench, say: Say) -> None:
    said = say(bench, "compare", str(BEFORE), str(AFTER), "--json")
    found = json.loads(said.out)
    assert (said.code, found["exit_code"], found["format"]) == (0, 0, 1)
    one = found["comparisons"][0]
    assert (one["metric"], one["gained"], one["lost"], one["better"]) == ("lm_eval.acc", 1, 2, "higher")
    assert one["low"] < one["change"] < one["high"]
    assert one["margin"] == {"size": 0.01, "relative": False}
    assert len(one["flips"]) == 3


@pytest.mark.parametrize(("words", "said"), [
    (("x.jsonl", "int4"), "a result file is compared with another result file"),
    (("fp32", "fp32"), "both sides are fp32; name two"),
    (("fp32", "nosuch"), "unknown method, session, run, environment or published file 'nosuch'"),
    (("fp32", "int8", "--where", "metod=fp32"), "did you mean 'method'?"),
    (("fp32", "v1.yaml"), "there is no file v1.yaml; `harness publish NAME --to published/v1.yaml` writes one"),
    (("a.jsonl", "b.jsonl", "--where", "batch=1"), "--where narrows names in the results"),
])  # fmt: skip
def test_what_cannot_be_compared_is_told_and_exits_2(bench: Bench, say: Say, words: tuple[str, ...], said: str) -> None:
    bench.sweep(method=["fp32", "int8"])
    bench.run()
    answer = say(bench, "compare", *words)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_failed_method_has_no_numbers_and_is_told_with_its_reason(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "broken"])
    bench.run()
    answer = say(bench, "compare", "fp32", "broken")
    assert answer.code == 2
    assert "method broken has no numbers: its run" in answer.err
    assert "run it again" in answer.err


def test_a_pin_is_a_published_file_and_sessions_have_their_names(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "int8"], probes={"generation": {"prompt": 8, "output": 8}}, rounds=3)
    bench.run()
    pin = bench.results / "published" / "v1.yaml"
    assert say(bench, "publish", "s", "--to", str(pin)).code == 0
    bench.run()
    sessions = sorted(set(bench.frame({}, ["session"])["session"].dropna()))
    assert len(sessions) == 2
    for sides in ((str(pin), sessions[1]), ("v1", f"session={sessions[1]}"), (sessions[0], sessions[1])):
        answer = say(bench, "compare", *sides, "--json")
        found = json.loads(answer.out)
        assert (answer.code, found["exit_code"]) == (3, 3), "sessions are the unit, and two of them are known"
        why = {one["why"] for one in found["missing"] if one["metric"] == "decode_tps"}
        assert "different sessions, of which 2 are known and 5 are needed" in "".join(why)


def test_methods_of_one_session_are_compared_round_by_round(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "int8"], probes={"generation": {"prompt": 8, "output": 8}}, rounds=3)
    bench.run()
    answer = say(bench, "compare", "fp32", "method=int8", "--json")
    found = json.loads(answer.out)
    decode = next(one for one in found["comparisons"] if one["metric"] == "decode_tps")
    assert "between processes, 3 and 3 of them" in decode["interval"]
    assert answer.code == (1 if any(one["verdict"] == "worse" for one in found["comparisons"]) else 0)


def test_a_workspaces_margins_count(tmp_path: Path) -> None:
    (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "gate.yaml").write_text("margins: {fraction: 20 %}\n", "utf-8")
    ran = harness(tmp_path, "compare", str(BEFORE), str(AFTER))
    assert "| same | 1 | 20 % |" in ran.stdout
    (tmp_path / "configs" / "gate.yaml").write_text("margins: {fracton: 20 %}\n", "utf-8")
    wrong = harness(tmp_path, "compare", str(BEFORE), str(AFTER))
    assert wrong.returncode == 2
    assert "did you mean 'fraction'?" in wrong.stderr
