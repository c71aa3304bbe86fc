"""Bad input, end to end: a clear error that names file, line and remedy; nothing finished is lost, and the next command works."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines import ENGINES
from harness.engines.fake import ENGINE
from tests.conftest import ROOT
from tests.fake_machine import Bench, Say

TALKER = replace(ENGINE, name="talker", offers=frozenset({"generates"}))
QUICK = {"prompt": 8, "output": 4}
SWEEP = (
    "model: toy\nmethod: fp32\nengine: fake\nenvironment: here\nprobes:\n  generation: {prompt: 8, output: 4}\n"
    "rounds: 1\nskip: [{probe: output_check}]\n"
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A machine that has run the sweep `s` already, for mistakes that must leave all of it alone."""
    bench = Bench(tmp_path_factory.mktemp("kept"))
    (bench.configs / "sweeps" / "s.yaml").write_text(SWEEP, "utf-8")
    bench.run()
    return bench


def contents(folder: Path) -> dict[str, str]:
    """Hash every file that holds a result; locks and the log of the database are none."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".lock", ".db-wal", ".db-shm"}
    }


@contextmanager
def written(path: Path, text: str) -> Iterator[None]:
    """Give a file another text for a while."""
    before = path.read_text("utf-8") if path.exists() else None
    path.write_text(text, "utf-8")
    yield
    path.unlink() if before is None else path.write_text(before, "utf-8")


# ---------------------------------------------------------------- files that people write


@pytest.mark.parametrize(("old", "new", "told"), [
    ("model: toy", "modle: toy", "bad.yaml:1: unknown key of a sweep 'modle'; did you mean 'model'?"),
    ("method: fp32", "method: fp23", "bad.yaml:2: unknown method 'fp23'; did you mean 'fp32'?"),
    ("engine: fake", "engine: {fake: {step_second: 1}}", "bad.yaml:3: unknown option of engine 'fake' 'step_second'; did you mean 'step_seconds'?"),
    ("output: 4", "outptu: 4", "bad.yaml:6: unknown option of probe 'generation' 'outptu'; did you mean 'output'?"),
    ("generation:", "generatoin:", "bad.yaml:6: unknown probe 'generatoin'; did you mean 'generation'?"),
    ("engine: fake", "engine: fake\nmodel: toy", "bad.yaml:4: 'model' is given twice, first in line 1; keep one"),
    ("output: 4", "output: many", "bad.yaml:6: 'output' of probe 'generation': Input should be a valid integer"),
    ("environment: here", "environment: here\ntimeout: soon", "bad.yaml:5: 'timeout' must be a number of seconds; it is 'soon'"),
    ("prompt: 8", "prompt: []", "bad.yaml:6: 'prompt' is empty: give at least one value, or leave the key out"),
    ("method: fp32", "method: []", "bad.yaml:2: 'method' is empty"),
    ("probes:", "probes: [", "bad.yaml:7: not YAML: "),
], ids=["key", "name", "option", "probe-option", "probe", "duplicate", "type", "key-type", "axis", "name-axis", "yaml"])  # fmt: skip
def test_a_mistake_in_a_sweep_is_told_with_its_line_before_anything_runs(
    kept: Bench, say: Say, old: str, new: str, told: str
) -> None:
    before = contents(kept.results)
    with written(kept.configs / "sweeps" / "bad.yaml", SWEEP.replace(old, new, 1)):
        said = say(kept, "run", "bad")
    assert said.code == 2
    assert f"{kept.configs}/sweeps/{told}" in said.err
    assert contents(kept.results) == before


@pytest.mark.parametrize(("file", "text", "told"), [
    ("models.yaml", "toy:\n  foldr: x\n", "models.yaml:2: unknown option of model 'toy' 'foldr'; did you mean 'folder'?"),
    ("models.yaml", "toy: {folder: nowhere}\n", f"models.yaml:1: model 'toy': the folder {ROOT}/nowhere does not exist; correct the path, or copy the model there"),
    ("methods.yaml", "fp32:\n  recipes:\n    fake: {nois: 1}\n", "methods.yaml:3: unknown option of recipe 'fake' of method 'fp32' 'nois'; did you mean 'noise'?"),
    ("methods.yaml", "fp32: {recipes: {fake: {}}}\nfp32: {recipes: {fake: {}}}\n", "methods.yaml:2: 'fp32' is given twice, first in line 1; keep one"),
    ("environments.yaml", "here: {pyhton: x}\n", "environments.yaml:1: unknown option of environment 'here' 'pyhton'; did you mean 'python'?"),
])  # fmt: skip
def test_a_mistake_in_a_catalogue_is_told_with_its_line(kept: Bench, say: Say, file: str, text: str, told: str) -> None:
    before = contents(kept.results)
    with written(kept.configs / file, text):
        said = say(kept, "run", "s")
    assert said.code == 2
    assert f"{kept.configs}/{told}" in said.err
    assert contents(kept.results) == before
    assert say(kept, "plan", "s").code == 0


def test_a_probe_that_the_engine_cannot_serve_is_a_mistake_of_the_plan(
    kept: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "talker", "tests.test_bad_input:TALKER")
    text = SWEEP.replace("engine: fake", "engine: talker").replace("generation: {prompt: 8, output: 4}", "perplexity:")
    with written(kept.configs / "sweeps" / "bad.yaml", text):
        said = say(kept, "run", "bad")
    assert said.code == 2
    assert "bad.yaml:6: probe 'perplexity' needs an engine that scores; 'talker' does not: leave one" in said.err


@pytest.mark.parametrize(("gone", "told"), [
    ("tokenizer.json", "has no tokenizer (tokenizer.json)"),
    ("model.safetensors", "has no weights (*.safetensors)"),
    ("config.json", "has no config.json"),
])  # fmt: skip
def test_a_model_folder_that_is_not_whole_is_told_with_the_line_that_names_it(
    kept: Bench, say: Say, tmp_path: Path, gone: str, told: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(kept.configs.parent / "model", folder)
    (folder / gone).unlink()
    with written(kept.configs / "models.yaml", f"# models\ntoy: {{folder: {folder}}}\n"):
        said = say(kept, "run", "s")
    assert said.code == 2
    assert f"models.yaml:2: model 'toy': {folder} {told}; get the folder again or correct its entry" in said.err


def test_what_a_whole_box_knows_outlives_every_mistake(kept: Bench, say: Say) -> None:
    said = say(kept, "run", "s")
    assert said.code == 0
    assert "1 known, 1 ok" in said.out


# ---------------------------------------------------------------- environments


def test_an_environment_without_pydantic_is_named_with_the_remedy(kept: Bench, say: Say, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = next(path for path in (tmp_path / "bare").glob("*/python*") if path.stem == "python")
    with written(kept.configs / "environments.yaml", f"here: {{python: '{python}'}}\n"):
        said = say(kept, "run", "s")
    assert said.code == 2
    assert said.err.startswith(
        f"environment here ({python}) cannot run the worker: ModuleNotFoundError: No module named"
    )
    assert f"{python} -m pip install pydantic filelock" in said.err


@pytest.mark.parametrize(("python", "told"), [
    ("{tmp}/no/python", "does not exist; fix `python:`, or run harness setup --env here"),
    ("{tmp}/text", "cannot be started (Permission denied); its `python:` must name an interpreter"),
    (shutil.which("true") or "/bin/true", "cannot run the worker: it printed nothing and exited with code 0; it needs Python 3.11"),
])  # fmt: skip
def test_an_interpreter_that_is_none_is_named(kept: Bench, say: Say, tmp_path: Path, python: str, told: str) -> None:
    (tmp_path / "text").write_text("no program", "utf-8")
    with written(kept.configs / "environments.yaml", f"here: {{python: '{python.format(tmp=tmp_path)}'}}\n"):
        said = say(kept, "run", "s")
    assert said.code == 2
    assert said.err.startswith("environment here")
    assert told in said.err


# ---------------------------------------------------------------- the results folder and its database


def test_a_database_from_a_newer_version_is_left_alone(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32"])
    assert say(bench, "run", "s").code == 0
    _stamp_schema(bench, "9999")
    before = (bench.results / "bench.db").read_bytes()
    for words in (("run", "s"), ("plan", "s"), ("ingest",), ("report",)):
        said = say(bench, *words)
        assert said.code == 2
        assert said.err.startswith(f"{bench.results / 'bench.db'} has schema 9999 and this harness knows schemas up to")
        assert "update the harness, or move the file away and run `harness ingest`" in said.err
    assert (bench.results / "bench.db").read_bytes() == before
    (bench.results / "bench.db").rename(bench.results / "newer.db")
    assert "3 runs are new" in say(bench, "ingest").out
    assert "2 known, 1 ok" in say(bench, "run", "s").out


def _stamp_schema(bench: Bench, name: str) -> None:
    connection = sqlite3.connect(bench.results / "bench.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (name,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_of_two_runners_on_one_database_the_second_is_refused(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "stuck"])
    words = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "s",
        "--configs",
        str(bench.configs),
        "--results",
        str(bench.results),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        try:
            while "stuck build ..." not in first.stdout.readline():
                assert first.poll() is None
            said = say(bench, "run", "s")
        finally:
            first.kill()
    assert said.code == 2
    assert said.err == f"another command is running on {bench.results}; wait for it or use another --results\n"
    bench.sweep(method=["fp32"])
    assert "1 known, 2 ok" in say(bench, "run", "s").out, "what the first had finished is kept"


# ---------------------------------------------------------------- artifacts


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


# ---------------------------------------------------------------- texts and questions


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
