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

import pytest

from harness.engines import ENGINES
from harness.engines.fake import ENGINE
from tests.conftest import ROOT
from tests.fake_machine import Bench, Say

TALKER = replace(ENGINE, name="talker", offers=frozenset({"generates"}))
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
