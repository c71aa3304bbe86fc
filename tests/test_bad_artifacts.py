"""Artifacts, texts and questions that go or are not as they must be, end to end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.fake_machine import Bench, Say

QUICK = {"prompt": 8, "output": 4}


def test_a_base_that_was_deleted_is_built_again_only_where_something_needs_it(bench: Bench, say: Say) -> None:
    bench.methods({"fp32": {"recipes": {"fake": {}}}, "int4": {"recipes": {"fake": {"noise": 0.1, "on": "fp32"}}}})
    bench.sweep(
        method=["int4"], probes={"perplexity": {"window": 64, "tokens": 256, "stride": 64, "text": str(bench.text)}}
    )
    assert "3 ok" in say(bench, "run", "s").out
    base, made = _folders(bench)
    shutil.rmtree(base)
    assert "1 skipped, 2 known" in say(bench, "run", "s").out
    shutil.rmtree(made)
    assert "2 skipped, 1 known" in say(bench, "run", "s").out, "quality is known without its artifact"
    said = say(bench, "run", "s", "--rerun", "quality")
    assert "3 ok" in said.out
    assert base.is_dir()
    assert made.is_dir()


def _folders(bench: Bench) -> tuple[Path, Path]:
    rows = bench.frame({"metric": "build_seconds"}, ["method", "artifact"]).drop_duplicates("method")
    by = {row.method: bench.results / "artifacts" / f"b-{row.artifact[:12]}" for row in rows.itertuples()}
    return by["fp32"], by["int4"]


def test_a_base_that_goes_while_it_is_needed_blocks_only_its_users(bench: Bench, say: Say) -> None:
    bench.methods({"fp32": {"recipes": {"fake": {}}}, "int4": {"recipes": {"fake": {"noise": 0.1, "on": "fp32"}}},
                   "int8": {"recipes": {"fake": {"noise": 0.01}}}})  # fmt: skip
    bench.sweep(method=["int4", "int8"], probes={"generation": QUICK})
    bench.run(lambda event: shutil.rmtree(bench.results / "artifacts") if _built(event, "fp32") else None)
    found = bench.statuses()
    assert found["toy int4 build"][0] == "failed"
    assert "base" in found["toy int4 build"][1]
    assert "is missing" in found["toy int4 build"][1]
    assert "run the same command again" in found["toy int4 build"][1]
    assert {key for key, (status, _) in found.items() if status != "ok"} == {
        "toy int4 build", "toy int4 fake generation",
    }  # fmt: skip
    assert say(bench, "run", "s").code == 0
    assert {status for status, _ in bench.statuses({"status": "ok"}).values()} == {"ok"}


def _built(event: Any, method: str) -> bool:
    return bool(event.what == "done" and event.job.kind == "build" and event.job.labels[0].method == method)


def test_an_artifact_that_lost_a_file_is_named_and_once_deleted_made_again(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "int8"], probes={"generation": QUICK})
    assert say(bench, "run", "s").code == 0
    sealed = _folder(bench, "fp32")
    (sealed / "weights.bin").unlink()
    said = say(bench, "run", "s")
    assert said.code == 1
    assert f"artifacts/{sealed.name} is not what was sealed" in said.out
    assert "delete that folder and run the same command again" in said.out
    assert "toy int8 generation on fake: ok" in said.out
    shutil.rmtree(sealed)
    assert say(bench, "run", "s").code == 0


def _folder(bench: Bench, method: str) -> Path:
    found = bench.frame({"metric": "build_seconds", "method": method}, ["artifact"])["artifact"].iloc[0]
    return bench.results / "artifacts" / f"b-{found[:12]}"


def test_a_text_shorter_than_a_window_fails_its_probe_alone(bench: Bench, say: Say) -> None:
    bench.text.write_text("too short", "utf-8")
    bench.sweep(method=["fp32"])
    said = say(bench, "run", "s")
    assert said.code == 1
    reason = bench.statuses()["toy fp32 fake perplexity"][1]
    assert (
        reason
        == f"the text '{bench.text}' has 9 tokens, fewer than one window of 64; give a longer text or a smaller window"
    )
    assert reason in said.out
    assert bench.statuses()["toy fp32 fake generation"][0] == "ok"
    bench.text.write_text("long enough " * 20, "utf-8")
    assert "1 known, 2 ok" in say(bench, "run", "s").out


def exam(folder: Path, rows: str) -> Path:
    for split in ("dev", "test"):
        (folder / split).mkdir(parents=True, exist_ok=True)
        (folder / split / f"birds_{split}.csv").write_text(rows, "utf-8")
    return folder


def test_questions_with_a_missing_column_are_told_with_their_lines_before_anything_runs(bench: Bench, say: Say) -> None:
    folder = exam(bench.configs.parent / "exam", "Which?,a,b,c,d,A\nShort?,a,b,c,A\nWho?,a,b,c,d,E\n")
    probes = {"mmlu_modelopt": {"questions": str(folder), "shots": 1}, "generation": QUICK}
    bench.sweep(method=["fp32"], probes=probes)
    said = say(bench, "run", "s")
    assert said.code == 2
    for split in ("dev", "test"):
        assert f"{folder}/{split}/birds_{split}.csv:2: this row has 5 columns, not six" in said.err
        assert f"{folder}/{split}/birds_{split}.csv:3: the right answer is 'E', not one of A, B, C, D" in said.err
    assert not (bench.results / "runs").exists()
    exam(folder, "Which?,a,b,c,d,A\n")
    assert "3 ok" in say(bench, "run", "s").out


def test_choices_named_none_and_na_are_text(bench: Bench, say: Say) -> None:
    folder = exam(bench.configs.parent / "exam", "Which bird swims?,None,NA,null,a duck,D\n")
    shown = len("Which bird swims?\nA. None\nB. NA\nC. null\nD. a duck\nAnswer:")
    header = len("The following are multiple choice questions (with answers) about  birds.\n\n")
    probes = {"mmlu_modelopt": {"questions": str(folder), "shots": 0},
              "lm_eval": {"task": "mmlu", "questions": str(folder), "shots": 0}}  # fmt: skip
    bench.sweep(method=["fp32"], probes=probes)
    assert say(bench, "run", "s").code == 0
    rows = bench.frame({"metric": ["mmlu_acc", "lm_eval.acc"], "slice": ""}, ["metric", "n", "prompt_tokens"])
    tokens = rows.set_index("metric")["prompt_tokens"]
    assert set(rows["n"]) == {1}
    assert tokens["mmlu_acc"] == 1 + header + shown, "BOS, and every byte as it stands in the file"
    assert len(tokens) == 2
