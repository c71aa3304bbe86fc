"""A bundle that is killed at any step is made by the same command, two commands keep out of each other's way, and what tells of its maker stays here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from harness.bundling.making import MAKING
from harness.bundling.records import MANIFEST, read_manifest
from harness.bundling.target import check_pieces, check_scripts
from harness.core.errors import HarnessError
from tests.conftest import ROOT
from tests.fake_machine import METHODS, Bench
from tests.unit.bundling.conftest import QUICK, make


def is_whole(bundle: Path) -> bool:
    manifest = read_manifest(bundle)
    check_scripts(bundle, manifest)
    check_pieces(bundle, manifest)
    pieces = {piece.path for piece in manifest.pieces}
    return {path.name for path in bundle.iterdir()} == {"run.sh", "script", MANIFEST, *pieces}


@pytest.mark.parametrize(
    "left",
    [
        [MANIFEST, f"{MAKING}/lock", f"{MAKING}/wheels/x.whl", f"{MANIFEST}.partial"],
        [MANIFEST, f"{MAKING}.partial-gone/lock"],
        [f"{MAKING}.partial-gone/wheels/x.whl", "script.partial-gone/x", "run.sh.partial", "piece-000.partial-gone"],
        [f"{MAKING}/lock", "piece-000", "piece-999", "script/harness/x.py"],
    ],
    ids=["manifest written", "sign going", "from before", "pieces"],
)
def test_whatever_a_killed_command_left_the_same_one_makes_the_bundle(
    theirs: Bench, tmp_path: Path, left: list[str]
) -> None:
    to = tmp_path / "bundle"
    for name in left:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text("half", "utf-8")
    make(theirs, to, pieces=None)
    assert is_whole(to)
    with pytest.raises(HarnessError, match="bundle is not empty"):
        make(theirs, to)
    assert is_whole(to), "what is whole is not touched"


SLOWLY = """
import sys, time
from pathlib import Path
from harness.bundling import making
from harness.commands.workspace import read_workspace, settle_in
from tests.unit.bundling.conftest import for_this_machine
ended = making._Cutter._end
def slowly(cutter):
    ended(cutter)
    time.sleep(0.1)
making._Cutter._end = slowly
workspace = read_workspace(Path(sys.argv[1]))
settle_in(workspace)
list(making.make_bundle(["s"], workspace, for_this_machine(Path(sys.argv[2]))))
"""


def test_one_that_is_being_made_keeps_others_out_and_once_killed_is_made_by_the_same_command(
    theirs: Bench, tmp_path: Path
) -> None:
    to = tmp_path / "bundle"
    words = [sys.executable, "-c", SLOWLY, str(theirs.configs.parent), str(to)]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:
        until = time.monotonic() + 60
        while not (to / "piece-003").exists() and time.monotonic() < until and child.poll() is None:
            time.sleep(0.01)
        with pytest.raises(HarnessError, match=r"another command makes a bundle in .*bundle; wait for it"):
            make(theirs, to)
        assert (to / "piece-003").exists()
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert not (to / MANIFEST).exists()
    make(theirs, to)
    assert is_whole(to)


def test_two_that_begin_at_once_are_one(theirs: Bench, tmp_path: Path) -> None:
    (tmp_path / "bundle" / MAKING).mkdir(parents=True)
    with FileLock(tmp_path / "bundle" / MAKING / "lock"), pytest.raises(HarnessError, match="another command makes"):
        make(theirs, tmp_path / "bundle")


# ---------------------------------------------------------------- what must not travel


@pytest.fixture
def planted(theirs: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A maker with a name, a home, a machine and a secret."""
    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setenv("HOME", "/planted/home")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    return theirs


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("/planted/home/models/toy", "the home folder of this machine"),
        ("made on planted-host", "the name of this machine"),
        ("planted-user/toy", "the name of its user"),
        ("hf_planted0123456789", "the value of HF_TOKEN"),
    ],
)
def test_a_model_whose_configuration_tells_of_its_maker_is_refused_and_not_changed(
    planted: Bench, tmp_path: Path, word: str, what: str
) -> None:
    path = planted.configs.parent / "model" / "config.json"
    said = json.dumps({**json.loads(path.read_text("utf-8")), "_name_or_path": word})
    path.write_text(said, "utf-8")
    with pytest.raises(HarnessError) as told:
        make(planted, tmp_path / "bundle")
    assert f"config.json would say {what} in the bundle; take it out (`_name_or_path`" in str(told.value)
    assert path.read_text("utf-8") == said
    assert not list((tmp_path / "bundle").glob("piece-*"))


def test_a_script_that_tells_of_its_maker_is_refused_and_a_word_list_may_hold_any_word(
    planted: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = planted.configs.parent
    monkeypatch.chdir(root)
    (root / "model" / "vocab.json").write_text('{"planted-user": 1}', "utf-8")
    planted.text.write_text(planted.text.read_text("utf-8") + "\nplanted-user wrote this\n", "utf-8")
    make(planted, tmp_path / "bundle", pieces=None)
    (root / "tools").mkdir()
    (root / "tools" / "quantize.py").write_text('OUT = "/planted/home/out"\n', "utf-8")
    command = {"run": "python tools/quantize.py {base} {out}", "produces": "fake", "consumes": "fake", "on": "fp32"}
    planted.methods({**METHODS, "scripted": {"recipes": {"command": command}}})
    planted.sweep(method="scripted", probes=QUICK)
    with pytest.raises(HarnessError, match=r"quantize\.py would say the home folder of this machine in the bundle"):
        make(planted, tmp_path / "other")


def test_a_file_whose_name_tells_of_its_maker_is_refused(planted: Bench, tmp_path: Path) -> None:
    (planted.configs.parent / "model" / "planted-user.json").write_text("{}", "utf-8")
    with pytest.raises(HarnessError, match=r"planted-user\.json would say the name of its user"):
        make(planted, tmp_path / "bundle")


def test_a_name_that_tells_of_nobody_is_no_reason(
    planted: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "ubuntu")
    planted.sweep(method="fp32", title="Numbers of ubuntu", probes=QUICK)
    make(planted, tmp_path / "bundle", pieces=None)
    text = yaml.safe_load((planted.configs / "sweeps" / "s.yaml").read_text("utf-8"))
    assert text["title"].endswith("ubuntu")
    assert is_whole(tmp_path / "bundle")
