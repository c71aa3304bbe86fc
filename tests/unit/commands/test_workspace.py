"""A folder with harness.yaml is a workspace: found, read, refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import environments
from harness.commands.init import make_workspace
from harness.commands.machine import plan_sweep
from harness.commands.plan import _own
from harness.commands.workspace import here, pages_of, read_workspace
from harness.core.errors import ConfigError, HarnessError
from harness.core.paths import FILE, MINE
from harness.environments import ROOT, SHIPPED
from tests.unit.commands.writing import write


def test_a_workspace_is_found_from_below_and_from_anywhere_by_name(made: Path, tmp_path: Path) -> None:
    below = made / "docs" / "more"
    below.mkdir(parents=True)
    assert here(start=below).root == here(start=made).root == here(asked=made, start=tmp_path).root == made
    with pytest.raises(HarnessError, match=r"there is no harness\.yaml here or in a folder above; `harness init`"):
        here(start=tmp_path)
    with pytest.raises(HarnessError, match=r"there is no harness\.yaml in it; `harness init"):
        here(asked=tmp_path, start=made)


def test_the_innermost_of_two_workspaces_is_meant_and_init_says_that_there_are_two(made: Path) -> None:
    inner = made / "inner"
    said = list(make_workspace(inner))
    assert any(f"lies inside of another, {made}" in line for line in said)
    assert here(start=inner / "configs").root == inner
    write(inner, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    assert _own(plan_sweep("first", here(start=inner)))[-1].startswith(f"this workspace lies inside of another, {made}")


def test_a_file_that_somebody_else_put_where_all_may_write_is_not_taken_for_a_workspace(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4711)
    (made / FILE).chmod(0o644)
    if (made / FILE).stat().st_uid == 0:
        import os

        os.chown(made / FILE, 1234, -1)
    assert here(start=made).root == made, "in a folder of their own it is theirs to say"
    made.chmod(0o777)
    with pytest.raises(HarnessError, match="belongs to another user; if you trust it, name it"):
        here(start=made)
    assert here(asked=made).root == made


def test_a_named_results_folder_needs_no_workspace_and_named_configs_stand_alone(tmp_path: Path, made: Path) -> None:
    bare = here(results=tmp_path / "r", start=tmp_path)
    assert bare.results == tmp_path / "r"
    assert bare.configs == (SHIPPED / "configs",)
    lent = here(configs=tmp_path / "c", start=made)
    assert lent.configs == (tmp_path / "c",)
    assert lent.lent


def test_the_projects_own_folder_is_a_workspace_like_any_other() -> None:
    home = read_workspace(ROOT)
    assert home.configs == (ROOT / "configs",)
    assert home.tables == (ROOT / "reports" / "tables",)
    assert {path.name for path in pages_of(home)} > {"README.md", "quickstart.md"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("version: 2\n", "is of version 2; this harness knows 1: upgrade it"),
        ("versoin: 1\n", "did you mean 'version'"),
        (
            "pipeline: {name: x}\nstages: []\n",
            "is another tool's, it seems: it says 'pipeline', 'stages'; make a workspace in a",
        ),
        ("version: 0\n", "version"),
        ("results: ../results\n", "'results' lies outside of the workspace"),
        ("configs: /etc\n", "'configs' lies outside of the workspace"),
        ("pages: [../*.md]\n", "page ../*.md lies outside of the workspace"),
        ("pages: 3\n", "pages"),
        ("[", "not YAML"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_refused_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    write(tmp_path, FILE, content)
    with pytest.raises(ConfigError) as refused:
        here(start=tmp_path)
    assert said in str(refused.value)
    assert FILE in str(refused.value)


def test_an_empty_file_is_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, FILE, "")
    assert here(start=tmp_path).results == tmp_path / "results"


def test_a_page_outside_of_the_workspace_or_that_is_not_there_is_refused(made: Path, tmp_path: Path) -> None:
    workspace = here(start=made)
    write(tmp_path, "other.md", "text\n")
    with pytest.raises(HarnessError, match="lies outside of the workspace"):
        pages_of(workspace, [tmp_path / "other.md"])
    with pytest.raises(HarnessError, match="there is no such file"):
        pages_of(workspace, [made / "none.md"])
    (made / "docs").mkdir()
    (made / "docs" / "linked.md").symlink_to(tmp_path / "other.md")
    with pytest.raises(HarnessError, match="lies outside of the workspace"):
        pages_of(workspace, [made / "docs" / "linked.md"])
    assert [path.name for path in pages_of(workspace)] == ["benchmarks.md"]


def test_environments_of_a_workspace_stand_in_it_and_a_clones_own_in_the_clone(made: Path) -> None:
    assert environments.place_of("cpu", made) == made / ".venvs" / "cpu"
    assert environments.place_of("cpu", ROOT) == ROOT / ".venv"
    assert environments.place_of("cuda", ROOT) == ROOT / ".venvs" / "cuda"


def test_an_installed_package_is_linked_alone_for_workers(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environments.package_path() == ROOT
    monkeypatch.setattr(environments, "IN_CLONE", False)
    monkeypatch.setenv(MINE, str(made))
    folder = environments.package_path()
    assert folder == environments.package_path()
    assert [path.name for path in folder.iterdir()] == ["harness"]
    assert (folder / "harness" / "worker" / "server.py").is_file()
    (folder / "harness").unlink()
    (folder / "harness").symlink_to(made)
    assert (environments.package_path() / "harness" / "worker" / "server.py").is_file(), (
        "a link to a package that moved is made anew"
    )


def test_all_packages_travel_in_the_wheel() -> None:
    import tomllib

    said = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "harness").rglob("*.py")
        if "data" not in path.parts
    }
    assert {name for name in said["packages"] if not name.startswith("harness.shipped")} == there
    for name, folder in said["package-dir"].items():
        assert name in said["packages"]
        assert (ROOT / folder).is_dir()
