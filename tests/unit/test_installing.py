"""Lock files are installed in parts; what fails there is left to the step that goes over the whole file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.core.errors import Trouble
from harness.installing import PARTS, in_parts, pip_reasons, run_step

PINS = [f"package-{number}=={number}.0" for number in range(40)]


@pytest.fixture
def pip(tmp_path: Path) -> list[str]:
    """A pip that notes what it is asked for in a file of its own, and fails on one package."""
    script = tmp_path / "pip.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path)!r}, f'asked-{{os.getpid()}}.json').write_text(json.dumps(sys.argv[1:]))\n"
        "sys.exit('package-13==13.1' in sys.argv)\n"
    )
    return [sys.executable, str(script), "--no-deps"]


def asked(folder: Path) -> list[list[str]]:
    return [json.loads(path.read_text()) for path in folder.glob("asked-*.json")]


def test_every_pin_is_installed_in_one_part_and_comments_in_none(tmp_path: Path, pip: list[str]) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("# All of it.\n\n" + "\n".join(PINS) + "\n")
    in_parts(pip, lock, tmp_path)
    parts = asked(tmp_path)
    assert len(parts) == PARTS
    assert all(part[0] == "--no-deps" for part in parts)
    assert sorted(pin for part in parts for pin in part[1:]) == sorted(PINS)


@pytest.mark.parametrize("line", ["package-40", "-r other.txt", "package-40==1; python_version < '3.12'"])
def test_a_file_that_holds_more_than_pins_is_left_whole(tmp_path: Path, pip: list[str], line: str) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("\n".join([*PINS, line]) + "\n")
    in_parts(pip, lock, tmp_path)
    assert asked(tmp_path) == []


def test_a_part_that_fails_ends_the_parts_and_not_the_command(tmp_path: Path, pip: list[str]) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("\n".join(["package-13==13.1", *PINS]) + "\n")
    in_parts(pip, lock, tmp_path)
    assert 1 <= len(asked(tmp_path)) < PARTS
    with pytest.raises(Trouble, match="installing failed"):
        run_step([*pip, "package-13==13.1"], tmp_path)


def test_what_pip_says_of_a_failure_is_told_in_its_own_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys; sys.stderr.write('WARNING: old\\nERROR: No matching distribution found for nothing==9\\n'); sys.exit(1)"
    with pytest.raises(
        Trouble, match=r"installing failed \(1\), pip says: No matching distribution found for nothing==9: "
    ):
        run_step([sys.executable, "-c", script], tmp_path)
    assert "WARNING: old" in capfd.readouterr().err


def test_of_many_reasons_the_last_ones_are_told_each_once() -> None:
    said = "\n".join(f"ERROR: {reason}" for reason in ("a", "b", "b", "c", "ResolutionImpossible: see", "d", "x" * 999))
    assert pip_reasons(said) == ["c", "d", "x" * 300]
