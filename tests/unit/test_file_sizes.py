"""No file of ours is longer than a person reads at a sitting; a migration of the database is as long as its change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

MOST = 300
"""Lines of a file."""
HELD: dict[str, int] = {}
"""What is longer, and no longer than that; an entry goes when its file is cut."""
MIGRATIONS = Path("harness/store/migrations/versions")


def too_long(root: Path, folder: str) -> dict[str, int]:
    """Count the lines of the Python files below a folder that have more than most."""
    found = {path.relative_to(root): path for path in (root / folder).rglob("*.py")}
    counted = {name: len(path.read_text("utf-8").splitlines()) for name, path in found.items()}
    most = {name: HELD.get(name.as_posix(), MOST) for name in found}
    return {
        name.as_posix(): lines for name, lines in counted.items() if lines > most[name] and name.parent != MIGRATIONS
    }


@pytest.mark.parametrize("folder", ["harness", "tests", "tools"])
def test_no_file_is_longer_than_300_lines(folder: str) -> None:
    assert too_long(ROOT, folder) == {}, "cut the file where functions have nothing to do with one another"


def test_a_file_of_301_lines_is_found_and_a_migration_may_have_them(tmp_path: Path) -> None:
    for name, lines in (("x/y/long.py", MOST + 1), ("x/most.py", MOST), (f"{MIGRATIONS}/0001.py", MOST + 1)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n" * lines, "utf-8")
    assert too_long(tmp_path, "x") == {"x/y/long.py": MOST + 1}
    assert too_long(tmp_path, "harness") == {}
