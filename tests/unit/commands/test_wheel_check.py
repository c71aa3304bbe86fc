"""A wheel that contradicts itself, or is for another Python or machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from harness.commands import fresh
from harness.commands.machine import setup_on_top
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.plan.entries import EnvironmentEntry
from tests.unit.commands.wheels import INFO, wheel, zipped

NOTES = {
    f"{INFO.format('0.45.0.dev0')}/METADATA": "Metadata-Version: 2.1\nName: tonight\nVersion: 0.45.0.dev0\n",
    f"{INFO.format('0.45.0.dev0')}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
}
CODE = {"tonight/__init__.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("files", "record", "why"),
    [
        ({"tonight/__init__.py": "x = 2\n", **NOTES}, {**CODE, **NOTES}, "tonight/__init__.py is not what its RECORD says"),
        ({**CODE, "tonight/more.py": "", **NOTES}, {**CODE, **NOTES}, "its RECORD has no hash of tonight/more.py"),
        (NOTES, {**CODE, **NOTES}, "its RECORD lists tonight/__init__.py, which is not in it"),
        ({**CODE, **NOTES, "other-1.0.dist-info/METADATA": ""}, None, r"has 2 folders \*\.dist-info"),
        ({**CODE, **dict([next(iter(NOTES.items()))])}, None, "lacks .*/WHEEL"),
        ({**CODE, **NOTES, f"{INFO.format('0.45.0.dev0')}/WHEEL": "Tag: cp311-cp311-win_amd64\n"}, None, "says py3-none-any in its name and cp311-cp311-win_amd64 inside"),
        ({**CODE, **NOTES, "../../evil.py": ""}, None, r"would write '\.\./\.\./evil.py', outside"),
        ({**CODE, **NOTES, "/etc/evil": ""}, None, "would write '/etc/evil', outside"),
    ],
    ids=["changed", "more", "fewer", "two infos", "no WHEEL", "another machine", "climbs", "absolute"],
)  # fmt: skip
def test_a_wheel_that_contradicts_itself_is_refused_by_name(
    nights: Workspace, files: dict[str, str], record: dict[str, str] | None, why: str
) -> None:
    path = nights.root / "dist" / "tonight-0.45.0.dev0-py3-none-any.whl"
    path.parent.mkdir()
    zipped(path, {**CODE, **NOTES})
    assert fresh.resolve("dist/*.whl", nights.root).identity.startswith(path.name)
    zipped(path, files, record=record)
    for taken in (
        lambda: fresh.resolve("dist/*.whl", nights.root),
        lambda: setup_on_top("n", EnvironmentEntry(on="cpu", wheel=f"dist/{path.name}"), nights),
    ):
        with pytest.raises(HarnessError, match=f"{path.name}.*{why}"):
            taken()


def test_a_wheel_whose_notes_are_of_another_version_is_refused(nights: Workspace) -> None:
    path = wheel(nights.root / "dist", version="0.44.1", inside="0.45.0.dev0")
    path.rename(path.with_name("tonight-0.45.0.dev0-py3-none-any.whl"))
    with pytest.raises(HarnessError, match=r"says tonight 0\.45\.0\.dev0 in its name and tonight 0\.44\.1 inside"):
        fresh.resolve("dist/*.whl", nights.root)


def test_a_folder_with_signs_of_patterns_in_its_name_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, mine = tmp_path / "br [1] *", tmp_path / "me [2]"
    here = wheel(root / "dist")
    there = wheel(mine / "dist", code="x = 2\n")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(mine))
    monkeypatch.setenv("BUILDS", str(mine / "dist"))
    kept = {
        asked: Path(fresh.resolve(asked, root).requirement).read_bytes()
        for asked in ("dist/*.whl", "~/dist/t*.whl", "$BUILDS/*.whl", str(here))
    }
    assert kept["dist/*.whl"] == kept[str(here)] == here.read_bytes()
    assert kept["~/dist/t*.whl"] == kept["$BUILDS/*.whl"] == there.read_bytes()


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        (f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-{next(sys_tags()).platform}", True),
        ("py2.py3-none-any", True),
        ("cp38-cp38-win32", False),
        ("cp313-cp313t-manylinux_2_28_s390x", False),
    ],
)
def test_a_wheel_for_another_python_or_machine_is_told_before_anything_is_made(
    nights: Workspace, tag: str, fits: bool
) -> None:
    path = wheel(nights.root / "dist")
    path.rename(path.with_name(f"tonight-0.45.0.dev0-{tag}.whl"))
    if fits:
        assert fresh.resolve("dist/*.whl", nights.root).identity.startswith(f"tonight-0.45.0.dev0-{tag}.whl")
        return
    python, abi, machine = tag.split("-")
    with pytest.raises(
        HarnessError, match=rf"is for {python} \({abi}\) on {machine}, and this machine's Python takes cp3"
    ):
        fresh.resolve("dist/*.whl", nights.root)


def test_a_wheel_file_that_is_installed_is_told_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import host

    found = []
    for name, record in (("a", "tonight/x.py,sha256=1,1\n../../bin/t,sha256=7,1\n"), ("b", "tonight/x.py,sha256=2,1\n"),
                         ("c", "../../bin/t,sha256=8,1\ntonight/x.py,sha256=1,1\nx/direct_url.json,sha256=5,1\n")):  # fmt: skip
        info = tmp_path / name / "tonight-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tonight\nVersion: 1.0\n", "utf-8")
        (info / "direct_url.json").write_text('{"url": "file:///x.whl", "archive_info": {}}', "utf-8")
        (info / "RECORD").write_text(record, "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path / name))
        found.append(host.packages()["tonight"])
        monkeypatch.undo()
    assert found[0] == found[2] != found[1]
    assert found[0].startswith("1.0@")
