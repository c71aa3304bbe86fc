"""Scoring in a process of its own: the same rows as in this one, and failures in a few words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.spec import MeasureSpec
from harness.engines.fake import VOCABULARY, FakeEngineOptions, FakeSession
from harness.worker import fresh_process
from harness.worker.fresh_process import main, scorer

IDS, PLACES = [5, 250, 256, 17], [1, 3]
NOISE = 0.25


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "noise.txt").write_text(str(NOISE), "utf-8")
    return folder


def spec(**options: Any) -> MeasureSpec:
    return MeasureSpec(probe="p", version=1, engine="fake", engine_version=1, engine_options=options, artifact="b-1")


def wanted(places: list[int]) -> Any:
    """Rows as a session in this process gives them."""
    (tile,) = FakeSession(NOISE, FakeEngineOptions(), 0.0).logprobs(IDS, places)
    return tile.logprobs


def ended(monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    """Let a process end so."""
    done = subprocess.CompletedProcess([], code, "", said)
    monkeypatch.setattr(fresh_process.subprocess, "run", lambda *words, **rest: done)


def test_another_process_gives_the_rows_that_were_asked_for(artifact: Path) -> None:
    found = scorer(str(artifact), spec(step_seconds=0.0))(IDS, PLACES)
    assert found.dtype == np.float32
    assert found.shape == (2, VOCABULARY)
    assert np.array_equal(found, wanted(PLACES))


def test_what_a_process_raised_is_told_in_its_last_line(artifact: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"a process that scores once failed: .*HarnessError: non-finite logits at position 0"
    ):
        scorer(str(artifact), spec(fail="nan"))(IDS, PLACES)


def test_main_writes_all_tiles_as_one_array(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, out = IDS * 100, tmp_path / "rows.npy"
    places = list(range(300))  # the engine gives 256 rows at once
    asked = {
        "artifact": str(artifact),
        "engine": "fake",
        "options": {},
        "ids": ids,
        "positions": places,
        "out": str(out),
    }
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    main()
    found = np.load(out)
    assert found.shape == (300, VOCABULARY)
    assert np.array_equal(found[[1, 299]], wanted(PLACES))


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (1, "Traceback\n  File\nMemoryError: no room\n", "failed: MemoryError: no room"),
        (-9, "", "failed: it ended with -9"),
        (0, " \n", "failed: it ended with 0"),
        (1, "x" * 1000, "failed: " + "x" * 300),
    ],
    ids=["raised", "killed", "wrote nothing", "long"],
)
def test_an_end_without_rows_is_told_in_short(monkeypatch: pytest.MonkeyPatch, code: int, said: str, told: str) -> None:
    ended(monkeypatch, code, said)
    with pytest.raises(HarnessError) as raised:
        scorer("/nowhere", spec())(IDS, PLACES)
    assert str(raised.value) == f"a process that scores once {told}"


def test_a_process_that_hangs_is_ended(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_process, "_SECONDS", 0.01)
    with pytest.raises(HarnessError, match=r"a process that scores once did not end well \(TimeoutExpired\)"):
        scorer(str(artifact), spec(open_seconds=60.0))(IDS, PLACES)


def test_a_process_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(HarnessError, match=r"did not end well \(FileNotFoundError\)"):
        scorer("/nowhere", spec())(IDS, PLACES)


def test_where_memory_is_short_no_process_is_started(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (artifact / "weights.bin").write_bytes(bytes(2000))
    ended(monkeypatch, 0, "")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1999))
    with pytest.raises(HarnessError, match=r"one more copy of the model may need 0\.0 GB, and 0\.0 GB of memory"):
        scorer(str(artifact), spec())(IDS, PLACES)
