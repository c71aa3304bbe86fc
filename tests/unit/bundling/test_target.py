"""The script of a bundle in a bare folder: what is missing, changed, full, shut or in the way is told, and nothing is lost."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.bundling import stages, target
from harness.bundling.records import MANIFEST, Refused, read_manifest
from harness.bundling.target import main
from tests.fake_machine import Bench
from tests.unit.bundling.conftest import QUICK, copied, make, run


def test_missing_and_changed_pieces_are_all_named_and_nothing_is_run(made: Path, tmp_path: Path) -> None:
    bundle = copied(made, tmp_path)
    (bundle / "piece-001").unlink()
    changed = bytearray((bundle / "piece-003").read_bytes())
    changed[100] ^= 1
    (bundle / "piece-003").write_bytes(changed)
    (bundle / "piece-004").write_bytes(b"short")
    ran = run(bundle)
    assert ran.returncode == 2
    assert "piece-001 is missing" in ran.stderr
    assert "piece-003 is not what was bundled" in ran.stderr
    assert "piece-004 has 5 bytes and should have 63,999" in ran.stderr
    assert {path.name for path in (bundle / "work").iterdir()} == {"lock"}


def test_files_that_are_in_place_need_no_piece_until_one_of_them_is_changed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, ran = copied(made, tmp_path), list[object]()

    def noted(*given: object) -> int:
        ran.append(given)
        return 0

    monkeypatch.setattr(stages, "_run", noted)
    assert main([str(bundle)]) == 0
    (bundle / "piece-001").unlink()
    assert main([str(bundle), "--rerun"]) == 0
    assert len(ran) == 2
    (bundle / "work" / "content" / "harness" / "cli" / "app.py").write_text("", "utf-8")
    assert main([str(bundle), "--rerun"]) == 2
    assert "piece-001 is missing" in capsys.readouterr().err
    assert len(ran) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "is cut off or damaged: copy it again"),
        (lambda text: text.replace('"version": 1', '"version": 2', 1), "is of version 2, and this script reads 1"),
        (lambda text: text.replace('"path": "harness/cli/app.py"', '"path": "../app.py"'), "leads out of its folder"),
        (lambda text: text.replace('"stages"', '"stage"'), "is damaged (KeyError: 'stages')"),
        (lambda text: "[]", "is no manifest of a bundle"),
    ],
)
def test_a_manifest_that_is_cut_off_newer_or_wrong_is_told(
    made: Path, tmp_path: Path, change: object, said: str
) -> None:
    text = (made / MANIFEST).read_text("utf-8")
    assert callable(change)
    (tmp_path / MANIFEST).write_text(change(text), "utf-8")
    with pytest.raises(Refused, match=said.replace("(", r"\(").replace(")", r"\)")):
        read_manifest(tmp_path)


def test_a_changed_script_and_a_newer_manifest_end_the_command_before_anything_is_written(
    made: Path, tmp_path: Path
) -> None:
    bundle = copied(made, tmp_path)
    script = bundle / "script" / "harness" / "bundling" / "stages.py"
    script.write_text(script.read_text("utf-8") + "\n", "utf-8")
    ran = run(bundle)
    assert (ran.returncode, "stages.py of this bundle was changed or is missing" in ran.stderr) == (2, True)
    (bundle / MANIFEST).write_text('{"format": "quant-harness bundle", "version": 7}', "utf-8")
    ran = run(bundle)
    assert (ran.returncode, "is of version 7" in ran.stderr) == (2, True)
    assert not (bundle / "work").exists()


def test_another_python_than_the_wheels_are_for_is_told_before_anything_is_written(made: Path, tmp_path: Path) -> None:
    bundle = copied(made, tmp_path)
    text = (bundle / "run.sh").read_text("utf-8")
    for old, new in (("3.11", "3.99"), (">= (3, 11)", "== (3, 99)")):
        text = text.replace(old, new)
    (bundle / "run.sh").write_text(text, "utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    ran = run(bundle)
    assert ran.returncode == 2
    assert (
        f"this bundle needs Python 3.99 or newer: {sys.executable} is {version}; name one, as PYTHON=/path/to/python3.99"
        in ran.stderr
    )
    assert run(bundle, python=str(tmp_path / "none")).returncode == 2
    assert not (bundle / "work").exists()


def test_a_disk_that_is_full_is_told_and_the_same_command_goes_on_once_there_is_room(
    made: Path, tmp_path: Path
) -> None:
    bundle = copied(made, tmp_path)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ran = run(bundle, preexec_fn=little)
    assert ran.returncode == 2
    assert "the disk is full" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (bundle / "work" / "content").exists(), "what is half there is never taken for whole"
    ran = run(bundle, "--stage", "none")
    assert "there is no stage none; there are s" in ran.stderr
    assert (bundle / "work" / "content" / "harness" / "cli" / "app.py").is_file(), "and then all of it is there"


def test_an_end_of_a_stage_that_was_half_written_is_no_end(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = list[object]()

    def noted(*given: object) -> int:
        ran.append(given)
        return 0

    monkeypatch.setattr(stages, "_run", noted)
    words = [str(made), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    done = tmp_path / "work" / "stage-1.done"
    done.parent.mkdir()
    done.write_bytes(b"")
    assert main(words) == 0
    assert (len(ran), done.read_text("utf-8")) == (1, "0")
    assert main(words) == 0
    assert len(ran) == 1, "what is done is not run again"


@pytest.mark.parametrize(
    "name", ["content/thesis", "content.partial", "results/runs", "env-cpu/lib", "content/harness"]
)
def test_what_somebody_else_has_put_into_the_work_folder_is_refused_and_stays(
    made: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "work" / name / "a"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("x", "utf-8")
    for more in ([], ["--check"]):
        assert main([str(made), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), *more]) == 2
        assert f"{name.partition('/')[0]} is there and not from this script" in capsys.readouterr().err
    assert theirs.read_text("utf-8") == "x"
    assert {path.name for path in (tmp_path / "work").iterdir()} == {name.partition("/")[0], "lock"}


def test_a_tar_with_runs_that_would_be_lost_is_not_replaced(
    came: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "_run", lambda *_: 0)
    (tmp_path / "out").mkdir()
    shutil.copy(came, tmp_path / "out")
    assert main([str(made), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]) == 2
    assert "runs that are not in" in capsys.readouterr().err
    assert (tmp_path / "out" / came.name).read_bytes() == came.read_bytes()


@pytest.mark.parametrize("option", ["--work", "--out"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_run(
    made: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    words = {"--work": tmp_path / "work", "--out": tmp_path / "out", option: tmp_path / "file" / "below"}
    assert main([str(made), *(str(word) for pair in words.items() for word in pair)]) == 2
    assert f"below cannot be written: name a folder that you may write with {option} DIR" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_disk_that_shuts_meanwhile_is_told(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def shut(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "work" / "x"))

    monkeypatch.setattr(target, "put_in_place", shut)
    assert main([str(made), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]) == 2
    assert f"no access to {tmp_path / 'work' / 'x'} ({os.strerror(number)}): name folders" in capsys.readouterr().err


@pytest.mark.slow
def test_one_that_was_killed_in_a_stage_goes_on_and_two_at_once_are_refused(theirs: Bench, tmp_path: Path) -> None:
    theirs.sweep(method=["fp32", "int8"], engine={"fake": {"open_seconds": 0.5}}, probes=QUICK)
    make(theirs, tmp_path / "bundle")
    bundle = copied(tmp_path / "bundle", tmp_path)
    variables = {**os.environ, "PYTHON": sys.executable}
    first = subprocess.Popen(
        ["sh", str(bundle / "run.sh")], env=variables, start_new_session=True, stdout=subprocess.DEVNULL
    )
    outcomes = bundle / "work" / "results" / "runs"
    until = time.monotonic() + 60
    while len(list(outcomes.glob("*-q-*/outcome.json"))) < 1 and time.monotonic() < until:
        time.sleep(0.02)
    second = run(bundle)
    assert (second.returncode, "another run.sh works in" in second.stderr) == (2, True)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (bundle / "out").exists()
    ran = run(bundle)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "done already" not in ran.stdout
    assert len(list(outcomes.glob("*-q-*/outcome.json"))) == 2, "what was measured is not measured again"
