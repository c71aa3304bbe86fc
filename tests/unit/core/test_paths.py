"""Where a path that a workspace's file says leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core import paths
from harness.core.paths import NoHome, at_home, matching, placed, workspace_around, workspace_folder


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a workspace in it, in which one stands two folders deep."""
    (tmp_path / "w" / "a" / "b").mkdir(parents=True)
    (tmp_path / "w" / "harness.yaml").touch()
    monkeypatch.delenv(paths.MINE, raising=False)
    monkeypatch.chdir(tmp_path / "w" / "a" / "b")
    return tmp_path / "w"


def test_a_workspace_is_the_nearest_folder_with_its_file(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workspace_around() == workspace_folder() == there
    (there / "a" / "harness.yaml").touch()
    assert workspace_around() == there / "a"
    (there / "a" / "b" / "harness.yaml").touch()
    assert workspace_around() == there / "a" / "b"
    monkeypatch.setenv(paths.MINE, "/said")
    assert workspace_folder() == Path("/said")


def test_without_a_workspace_it_is_the_clone_or_of_an_installed_package_where_one_stands(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "harness.yaml").unlink()
    assert workspace_around() is None
    assert workspace_folder() == Path(paths.__file__).resolve().parents[2]
    (there / "package" / "shipped").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", there / "package")
    assert workspace_folder() == there / "a" / "b"


def test_a_path_is_seen_from_the_workspace_with_variables_and_home_filled_in(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("PART", "p")
    assert placed("x/$PART") == there / "x" / "p"
    assert placed("x", Path("/other")) == Path("/other/x")
    assert placed("/x", Path("/other")) == Path("/x")
    assert placed("~/x") == Path("/home/me/x")
    with pytest.raises(
        NoHome,
        match=r"'~nobody-here/x': no home folder is known for '~nobody-here'; write the whole path, or './~nobody-here/x'",
    ):
        at_home("~nobody-here/x")


@pytest.mark.parametrize(("pattern", "found"), [
    ("*.txt", ["a.txt", "b.txt"]), ("[ab].txt", ["a.txt", "b.txt"]), ("$ODD/*", ["[x]/c.txt"]), ("${ODD}/c.*", ["[x]/c.txt"]), ("**/c.txt", ["[x]/c.txt"]),
    ("~/*.txt", ["a.txt", "b.txt"]), ("~", ["."]), ("none*", []),
])  # fmt: skip
def test_signs_of_a_pattern_are_those_that_it_says_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    root = tmp_path / "[r]*"
    (root / "[x]").mkdir(parents=True)
    for name in ("b.txt", "a.txt", "[x]/c.txt"):
        (root / name).touch()
    monkeypatch.setenv("ODD", "[x]")
    monkeypatch.setenv("HOME", str(root))
    assert matching(pattern, root) == [root / name for name in found]
