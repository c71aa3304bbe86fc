"""A bundle is made here, run by its script in a bare folder, and what came of it is taken in: the same jobs, the same values."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from filelock import FileLock

from harness.bundling.back import bring_back
from harness.bundling.records import MANIFEST, read_manifest
from harness.core.errors import HarnessError
from harness.store.database import Database
from tests.fake_machine import Bench
from tests.unit.bundling.conftest import QUICK, copied, make, run

COLUMNS = ["job_key", "kind", "method", "metric", "value", "artifact", "artifact_content"]


def quality(results: Path) -> set[tuple[object, ...]]:
    """Read what must be the same wherever it is measured: of each quality number key, artifact, content and value."""
    with Database.open(results / "bench.db") as database:
        frame = database.frame({"kind": "quality", "status": "ok"}, COLUMNS)
    return {tuple(row) for row in frame.itertuples(index=False)}


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
