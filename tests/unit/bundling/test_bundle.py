"""A bundle is made here, run by its script in a bare folder, and what came of it is taken in: the same jobs, the same values."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from filelock import FileLock

from harness.bundling import stages, target
from harness.bundling.back import bring_back
from harness.bundling.records import MANIFEST, Refused, read_manifest
from harness.bundling.target import main
from harness.core.errors import HarnessError
from harness.store.database import Database
from tests.fake_machine import Bench
from tests.unit.bundling.conftest import QUICK, make, run

COLUMNS = ["job_key", "kind", "method", "metric", "value", "artifact", "artifact_content"]


def quality(results: Path) -> set[tuple[object, ...]]:
    """Read what must be the same wherever it is measured: of each quality number key, artifact, content and value."""
    with Database.open(results / "bench.db") as database:
        frame = database.frame({"kind": "quality", "status": "ok"}, COLUMNS)
    return {tuple(row) for row in frame.itertuples(index=False)}


def copied(bundle: Path, to: Path) -> Path:
    shutil.copytree(bundle, to / "brought")
    return to / "brought"


@pytest.fixture(scope="module")
def came(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a stage that was run."""
    bundle = copied(made, tmp_path_factory.mktemp("came"))
    ran = run(bundle)
    assert ran.returncode == 0, ran.stderr
    return next((bundle / "out").glob("*.tar"))


def test_what_came_of_a_bundle_is_that_of_running_directly_and_is_taken_in_once(
    came: Path, maker: Bench, tmp_path: Path
) -> None:
    first = bring_back(came, tmp_path)
    assert not first.problems
    assert first.new
    with Database.open(tmp_path / "bench.db") as database:
        assert not database.ingest_folder(tmp_path).problems
        numbers = len(database.frame())
        again = bring_back(came, tmp_path)
        assert (again.new, again.here, again.problems) == ((), len(first.new), ())
        assert database.ingest_folder(tmp_path).new == 0
        assert len(database.frame()) == numbers > 0
    maker.run()
    assert quality(tmp_path) == quality(maker.results) != set()


@pytest.mark.slow
def test_each_block_is_a_stage_whose_outcomes_are_ready_when_it_is_over(theirs: Bench, tmp_path: Path) -> None:
    said = make(theirs, tmp_path / "bundle", by_block=True)
    assert any(line.startswith("s-one, s-two: ") for line in said)
    bundle = copied(tmp_path / "bundle", tmp_path)
    ran = run(bundle, "--stage", "2")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert [path.name for path in (bundle / "out").iterdir()] == ["2-s-two.tar"]
    ran = run(bundle)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "stage 2, s-two: done already" in ran.stdout
    assert {path.name for path in (bundle / "out").iterdir()} == {"1-s-one.tar", "2-s-two.tar"}
    assert not list((tmp_path / "home").rglob("*")), "nothing is left in the home folder"
    found = bring_back(bundle / "out", tmp_path / "fresh")
    assert len(found.new) == len(list((bundle / "work" / "results" / "runs").glob("*/outcome.json")))
    with Database.open(tmp_path / "fresh" / "bench.db") as database:
        database.ingest_folder(tmp_path / "fresh")
        places = database.frame({"kind": "quality"}, ["sweep", "block", "method", "environment"])
    assert {tuple(row) for row in places.itertuples(index=False)} == {
        ("s", "one", "fp32", "here"), ("s", "one", "int8", "here"), ("s", "two", "int4", "here"),
    }  # fmt: skip


def test_every_piece_is_smaller_than_asked_and_the_manifest_tells_every_byte(made: Path) -> None:
    manifest = read_manifest(made)
    sizes = [piece.bytes for piece in manifest.pieces]
    assert len(sizes) > 10
    assert max(sizes) < 64_000
    assert sum(sizes) == manifest.bytes == sum(one.bytes for one in manifest.files)
    assert {path.name for path in made.iterdir()} == {
        "run.sh",
        "script",
        MANIFEST,
        *(piece.path for piece in manifest.pieces),
    }


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


# ---------------------------------------------------------------- what does not travel


def test_nothing_of_the_maker_travels(theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = theirs.configs.parent
    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    planted = ("hf_planted0123456789", "planted-user", "planted-host", str(root), str(Path.home()))
    for path in (theirs.configs / "sweeps" / "s.yaml", theirs.configs / "models.yaml", theirs.configs / "texts.yaml"):
        path.write_text(path.read_text("utf-8") + "".join(f"# {word}\n" for word in planted), "utf-8")
    (theirs.configs / "local.yaml").write_text(f"gpu: planted-host\nfolders: {{toy: {root / 'model'}}}\n", "utf-8")
    make(theirs, tmp_path / "bundle", pieces=None)
    for path in (tmp_path / "bundle").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for word in planted:
            assert word.encode() not in content or len(word) < 6, f"{word} in {path.name}"
            assert word not in path.name


@pytest.mark.parametrize("word", ["hf_planted0123456789", "planted-host", "planted-user"])
def test_a_sweep_that_tells_of_the_maker_is_refused(
    theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    theirs.sweep(method="fp32", title=f"Numbers of {word}", probes=QUICK)
    with pytest.raises(HarnessError, match=r"s\.yaml of the bundle would say the (value of HF_TOKEN|name of)"):
        make(theirs, tmp_path / "bundle")


def test_what_is_not_here_or_lies_elsewhere_is_all_told(theirs: Bench, tmp_path: Path) -> None:
    text = {"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(theirs.text)}}
    theirs.sweep(method="fp32", probes=text)
    with pytest.raises(HarnessError, match=r"reads .*text\.txt, a place of this machine; put it into the workspace"):
        make(theirs, tmp_path / "bundle")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(HarnessError, match="full is not empty"):
        make(theirs, tmp_path / "full")
    theirs.sweep(method="fp32", probes=QUICK)
    make(theirs, tmp_path / "bundle")  # the folder of one that was refused is taken anew


# ---------------------------------------------------------------- what comes back


def test_a_tar_that_was_cut_off_changed_or_is_newer_gives_nothing(came: Path, tmp_path: Path) -> None:
    whole = came.read_bytes()
    outcome = whole.index(b'"schema_version"')
    for name, content, said in (
        ("short.tar", whole[: len(whole) // 2], "copy it again"),
        ("changed.tar", whole[:outcome] + b"'" + whole[outcome + 1 :], "is not what was packed"),
        ("newer.tar", whole.replace(b'"version": 1', b'"version": 2', 1), "is of version 2; this harness reads 1"),
        ("other.tar", b"not a tar", "no outcomes of a bundle"),
    ):
        (tmp_path / name).write_bytes(content)
        found = bring_back(tmp_path / name, tmp_path / "results")
        assert not found.new, name
        assert said in " ".join(found.problems), found.problems
        assert not list((tmp_path / "results" / "runs").glob("*")), "nothing of it stays"
    with pytest.raises(HarnessError, match="neither a tar of a bundle's stage nor a folder"):
        bring_back(tmp_path / "nowhere", tmp_path / "results")


def test_a_tar_names_nobody_and_leads_nowhere(came: Path, tmp_path: Path) -> None:
    with tarfile.open(came) as archive:
        for member in archive.getmembers():
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        told = json.loads(archive.extractfile("outcomes.json").read())  # type: ignore[union-attr]
    told["files"]["../escaped"] = "0" * 64
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as archive:
        for name, data in (("outcomes.json", json.dumps(told).encode()), ("../escaped", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = bring_back(evil, tmp_path / "results")
    assert found.problems
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "results" / "escaped").exists()


def test_what_a_command_that_was_cut_off_left_goes_and_two_at_once_are_refused(came: Path, tmp_path: Path) -> None:
    left = tmp_path / "runs" / ".import-0123" / "runs" / "x"
    left.mkdir(parents=True)
    with FileLock(tmp_path / "bundle.lock"), pytest.raises(HarnessError, match="another command brings runs back"):
        bring_back(came, tmp_path)
    assert left.is_dir()
    assert bring_back(came, tmp_path).new
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")]


def test_another_outcome_under_the_same_name_is_told_and_left_out(came: Path, tmp_path: Path) -> None:
    first = bring_back(came, tmp_path)
    mine = tmp_path / "runs" / first.new[0] / "outcome.json"
    mine.write_text(mine.read_text("utf-8").replace('"seconds"', '"seconds" '), "utf-8")
    again = bring_back(came, tmp_path)
    assert again.here == len(first.new) - 1
    assert again.problems
    assert "is here with another outcome" in again.problems[0]
