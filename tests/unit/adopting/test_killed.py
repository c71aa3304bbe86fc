"""An `adopt` that ends in the middle of its writing: everything is as before, or the same command finishes the work."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.adopting.adopt import WantedTables
from harness.commands.adopt import adopt_page
from harness.commands.workspace import Workspace, read_workspace
from harness.core.errors import HarnessError
from harness.pages import writing
from tests.conftest import ROOT
from tests.unit.adopting.conftest import files_of

PAGE = "# Bench\n\n| Method | Decode (tok/s) |\n|---|---|\n| FP16 | 25.66 |\n| Odd one | 16.45 |\n"
REPLACES = 4
"""The note's, and one of each of three files."""
KILLED = """
import os, sys
from pathlib import Path
from harness.adopting.adopt import WantedTables
from harness.commands.adopt import adopt_page
from harness.commands.workspace import read_workspace

replace, left = os.replace, int(sys.argv[2])
def counted(*paths):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    replace(*paths)
os.replace = counted
root = Path(sys.argv[1])
list(adopt_page(root / "bench.md", read_workspace(root), WantedTables()))
"""


def kept(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_of(folder).items() if not name.endswith(".lock")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    for name, text in (("harness.yaml", 'version: 1\npages: ["*.md"]\n'), ("bench.md", PAGE)):
        (root / name).write_text(text, "utf-8")
    list(adopt_page(root / "bench.md", read_workspace(root), WantedTables()))
    found = kept(root)
    assert len(found) == 4
    return found


@pytest.fixture
def undisturbed(theirs: Workspace, whole: dict[str, bytes]) -> dict[str, bytes]:
    (theirs.root / "bench.md").write_text(PAGE, "utf-8")
    return whole


class _Gone(BaseException):
    pass


@pytest.mark.parametrize(
    ("kind", "steps"), [(OSError, range(REPLACES)), (PermissionError, [1]), (KeyboardInterrupt, [REPLACES - 1])]
)
def test_an_error_at_any_step_puts_everything_back(
    theirs: Workspace, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException], steps: list[int],
) -> None:  # fmt: skip
    page, before, replace = theirs.root / "bench.md", kept(theirs.root), os.replace
    for step in steps:
        left = [step]

        def counted(source: Path, target: Path, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == -1:
                raise kind
            replace(source, target)

        monkeypatch.setattr(os, "replace", counted)
        with pytest.raises(HarnessError if kind is PermissionError else kind):
            list(adopt_page(page, theirs, WantedTables()))
        assert left[0] < 0
        assert kept(theirs.root) == before
    monkeypatch.setattr(os, "replace", replace)
    list(adopt_page(page, theirs, WantedTables()))
    assert kept(theirs.root) == undisturbed


def test_after_a_kill_at_any_step_the_same_command_finishes_the_work(
    theirs: Workspace, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kill does, nothing that would clean up runs: `os.replace` and all that could take back are gone with it."""
    page = theirs.root / "bench.md"
    for step in range(1, REPLACES):
        for name in kept(theirs.root):
            if name not in {"harness.yaml", "bench.md"}:
                (theirs.root / name).unlink()
        page.write_text(PAGE, "utf-8")
        left, replace = [step], os.replace

        def counted(source: Path, target: Path, left: list[int] = left, replace: object = replace) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise _Gone
            replace(source, target)  # type: ignore[operator]

        def never(self: Path, missing_ok: bool = False) -> None:
            raise _Gone

        with monkeypatch.context() as during:
            during.setattr(os, "replace", counted)
            during.setattr(writing, "_put_back", lambda path, content: None)
            during.setattr(Path, "unlink", never)
            with pytest.raises(_Gone):
                list(adopt_page(page, theirs, WantedTables()))
        assert kept(theirs.root) != undisturbed
        assert [name for name in kept(theirs.root) if name.endswith(".partial")]
        if step == 2:
            (dry,) = [line for line in adopt_page(page, theirs, WantedTables(), dry=True) if "published" in line]
            assert "published/bench.reported.yaml" in dry, "a name that a killed one took is free"
        list(adopt_page(page, theirs, WantedTables()))
        assert kept(theirs.root) == undisturbed


@pytest.mark.slow
def test_a_process_that_is_gone_at_once(theirs: Workspace, undisturbed: dict[str, bytes]) -> None:
    page = theirs.root / "bench.md"
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(theirs.root), "3"], cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 9
    there = theirs.own_published / "bench.reported.yaml"
    assert there.is_file()
    assert page.read_text("utf-8") == PAGE
    said = list(adopt_page(page, theirs, WantedTables()))
    assert sum(line.startswith("removed ") for line in said) == 2
    assert kept(theirs.root) == undisturbed


@pytest.mark.slow
def test_what_somebody_changed_since_the_kill_stays(theirs: Workspace, undisturbed: dict[str, bytes]) -> None:
    page = theirs.root / "bench.md"
    subprocess.run([sys.executable, "-c", KILLED, str(theirs.root), "2"], cwd=ROOT, check=False, timeout=60)
    there = theirs.own_published / "bench.reported.yaml"
    mine = there.read_text("utf-8") + "# mine\n"
    there.write_text(mine, "utf-8")
    said = list(adopt_page(page, theirs, WantedTables()))
    assert there.read_text("utf-8") == mine
    assert not [line for line in said if line.startswith("removed ")]
    assert (theirs.own_published / "bench_2.reported.yaml").is_file()
    assert not [name for name in kept(theirs.root) if name.endswith(".partial")]


def test_one_that_was_killed_after_its_last_step_is_done(theirs: Workspace, undisturbed: dict[str, bytes]) -> None:
    page = theirs.root / "bench.md"
    list(adopt_page(page, theirs, WantedTables()))
    hashes = {
        name: hashlib.sha256(content).hexdigest() for name, content in undisturbed.items() if name != "harness.yaml"
    }
    (theirs.root / "bench.md.adopt.partial").write_text(json.dumps(hashes), "utf-8")
    assert (
        list(adopt_page(page, theirs, WantedTables()))[-1]
        == "an `adopt` of bench.md that was killed had written all of it"
    )
    assert kept(theirs.root) == undisturbed
    with pytest.raises(HarnessError, match="cannot be adopted"):
        list(adopt_page(page, theirs, WantedTables()))


@pytest.mark.parametrize("said", ["{}}", "[1]", '{"../x.md": "0"}', '{"configs/tables/../../mine.tables.yaml": "0"}'])
def test_a_note_that_is_none_of_ours_removes_nothing(theirs: Workspace, said: str) -> None:
    page = theirs.root / "bench.md"
    page.write_text(PAGE, "utf-8")
    (theirs.root / "bench.md.adopt.partial").write_text(said, "utf-8")
    with pytest.raises(HarnessError, match=r"bench\.md\.adopt\.partial is no note of `harness adopt`; remove it"):
        list(adopt_page(page, theirs, WantedTables()))
