"""A folder with harness.yaml is a workspace: found, read, layered over what comes with the harness."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from harness import environments
from harness.commands.init import make_workspace
from harness.commands.machine import plan_sweep
from harness.commands.pages import check_pages
from harness.commands.plan import _own
from harness.commands.report import _specs_of
from harness.commands.workspace import here, lock_of, own_tables, pages_of, read_workspace, spec_files, sweep_path
from harness.core.errors import ConfigError, HarnessError
from harness.core.paths import FILE, MINE
from harness.environments import ROOT, SHIPPED
from harness.pages.pages import specs_in
from harness.plan.catalogue import load_catalogue
from harness.tables.catalogue import catalogue_of


def write(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A fresh workspace."""
    folder = tmp_path / "theirs"
    list(make_workspace(folder))
    return folder


def test_a_workspace_is_found_from_below_and_from_anywhere_by_name(made: Path, tmp_path: Path) -> None:
    below = made / "docs" / "more"
    below.mkdir(parents=True)
    assert here(start=below).root == here(start=made).root == here(asked=made, start=tmp_path).root == made
    with pytest.raises(HarnessError, match=r"there is no harness\.yaml here or in a folder above; `harness init`"):
        here(start=tmp_path)
    with pytest.raises(HarnessError, match=r"there is no harness\.yaml in it; `harness init"):
        here(asked=tmp_path, start=made)


def test_init_makes_the_workspace_where_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness import cli

    def say(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["harness", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    stood = tmp_path / "stood"
    stood.mkdir()
    monkeypatch.chdir(stood)
    assert say("--workspace", str(tmp_path / "there"), "init")[0] == 0
    assert (tmp_path / "there" / FILE).is_file()
    assert list(stood.iterdir()) == []
    code, said = say("--workspace", str(tmp_path / "there"), "init", "other")
    assert code == 2
    assert "both name the folder to make a workspace of; give one of them" in said
    assert say("init", "other")[0] == 0
    assert (stood / "other" / FILE).is_file()


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


def test_init_writes_few_short_files_and_none_over_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text("ours\n", "utf-8")
    (tmp_path / "README.md").write_text("ours, too\n", "utf-8")
    said = list(make_workspace(tmp_path))
    assert (tmp_path / "benchmarks.md").read_text("utf-8") == "ours\n"
    assert "benchmarks.md: there already, and left as it is" in said
    new = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in {"benchmarks.md", "README.md"}]
    assert len(new) <= 5
    assert max(len(path.read_text("utf-8").splitlines()) for path in new) <= 20
    assert all(": " in line for line in said)
    with pytest.raises(HarnessError, match="is a workspace already"):
        list(make_workspace(tmp_path))


def test_what_a_killed_init_left_half_is_not_taken_for_another_tools(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".gitignore.partial").write_text("/ben", "utf-8")
    list(make_workspace(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmarks.md", "configs", "harness.yaml", "results"]
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".gitignore"]


FOREIGN = {
    "configs/models.yaml": "- resnet50\n- vit\n",
    "configs/sweeps/wandb.yaml": "program: train.py\n",
    "results/2024.csv": "a,b\n1,2\n",
    "results/runs/x.partial/y": "theirs\n",
    "reports/page.md": "theirs\n",
}


def test_another_tools_folders_stay_as_they_are_and_ours_get_names_of_their_own(tmp_path: Path) -> None:
    for name, text in FOREIGN.items():
        write(tmp_path, name, text)
    said = list(make_workspace(tmp_path))
    assert said[0].startswith("configs: another tool's, it seems (")
    assert "configs/models.yaml" in said[0]
    assert said[0].endswith("left as it is, and ours goes into harness-configs (`configs:` in harness.yaml)")
    assert said[1].startswith("results: holds something else than our results; left as it is")
    assert {name: (tmp_path / name).read_text("utf-8") for name in FOREIGN} == FOREIGN
    assert not (tmp_path / "results" / ".gitignore").exists()
    assert "`harness-results/published`" in (tmp_path / "benchmarks.md").read_text("utf-8")
    workspace = here(start=tmp_path)
    assert workspace.own_configs == tmp_path / "harness-configs"
    assert workspace.results == tmp_path / "harness-results"
    assert workspace.tables[-1] == tmp_path / "harness-configs" / "tables"
    write(tmp_path, "harness-configs/local.yaml", {"python": {"cpu": sys.executable}})
    assert plan_sweep("first", workspace).plan.jobs


def test_another_tools_file_of_our_name_is_told_and_a_folder_below_can_be_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, FILE, "pipeline: {name: deploy}\n")
    with pytest.raises(
        ConfigError, match=r"another tool's, it seems: it says 'pipeline'; make a workspace in a folder"
    ):
        list(make_workspace(tmp_path))
    list(make_workspace(tmp_path / "benchmarks"))
    assert here(start=tmp_path / "benchmarks" / "configs").root == tmp_path / "benchmarks"
    assert (tmp_path / FILE).read_text("utf-8") == "pipeline: {name: deploy}\n"


def test_what_init_writes_is_read_and_planned(made: Path) -> None:
    workspace = here(start=made)
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    planned = plan_sweep("first", workspace)
    assert {job.kind for job in planned.plan.jobs} >= {"build", "quality", "speed"}
    assert not [job.refused for job in planned.plan.jobs if job.refused and not job.verifies]
    assert check_pages(Console(), workspace) == 0, "nothing is out of date before anything was measured"


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


def test_own_entries_add_to_the_shipped_ones_and_override_them_by_name(made: Path) -> None:
    write(made, "configs/models.yaml", {"mine": {"folder": "/nowhere", "title": "Mine"}})
    write(made, "configs/methods.yaml", {"int8": {"title": "Ours", "recipes": {"ort-genai": {"precision": "int8"}}}})
    catalogue = load_catalogue(here(start=made).configs)
    assert {"mine", "reference"} <= set(catalogue.models)
    assert catalogue.methods["int8"].entry.title == "Ours"
    assert list(catalogue.methods)[:3] == list(load_catalogue(SHIPPED / "configs").methods)[:3], "rows keep their order"
    assert catalogue.overrides == ("method int8",)


def test_overriding_a_shipped_name_changes_no_key_where_the_recipe_stays(made: Path, capsys: Any) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    before = plan_sweep("first", here(start=made))
    recipe = {"ort-genai": {"precision": "int8"}}
    write(made, "configs/methods.yaml", {"int8": {"title": "Ours", "link": "https://example.com", "recipes": recipe}})
    after = plan_sweep("first", here(start=made))
    assert [job.key for job in before.plan.jobs] == [job.key for job in after.plan.jobs]


def test_a_workspace_that_says_again_all_that_is_shipped_has_the_same_keys_and_is_told(made: Path) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    before = plan_sweep("quickstart", here(start=made))
    for name in ("models", "methods", "environments"):
        write(made, f"configs/{name}.yaml", (SHIPPED / "configs" / f"{name}.yaml").read_text("utf-8"))
    after = plan_sweep("quickstart", here(start=made))
    keys = [(job.key, job.artifact) for job in before.plan.jobs]
    assert keys == [(job.key, job.artifact) for job in after.plan.jobs]
    (told,) = _own(after)
    assert all(name in told for name in ("model reference", "method int8", "environment cpu"))


def test_plan_tells_what_the_workspace_says_in_place_of_the_harness(made: Path) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    write(made, "configs/methods.yaml", {"int8": {"title": "Ours", "recipes": {"ort-genai": {"precision": "int8"}}}})
    assert _own(plan_sweep("first", here(start=made))) == ["the workspace's own, in place of the shipped: method int8"]


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"title": "Ours"}, "has no recipe; give it `recipes:` there, or take it out"),
        ({"recipes": {"modelopt-onnx": {"algo": "rtn_dq", "on": "fp32"}, "ort-genai": {"precision": "int8"}}}, "has two recipes that"),
    ],
    ids=["none", "two"],
)  # fmt: skip
def test_what_an_own_method_breaks_in_a_shipped_sweep_is_told_with_its_own_place(
    made: Path, own: dict[str, Any], why: str
) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    write(made, "configs/methods.yaml", {"int8": own})
    place = re.escape(str(made / "configs" / "methods.yaml"))
    with pytest.raises(
        ConfigError,
        match=rf"quickstart\.yaml:\d+: method 'int8', which {place}:1 puts in the place of the shipped one, {why}",
    ):
        plan_sweep("quickstart", here(start=made))


@pytest.mark.parametrize(
    "entry",
    [
        {"folder": "~nouser/x"},
        {"ready": {"path": "~nouser/x", "method": "int8"}},
        {"random": {"config": "~nouser/x.json"}},
    ],
)
def test_a_model_in_the_home_of_nobody_is_told_with_its_line(made: Path, entry: dict[str, Any]) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    write(made, "configs/models.yaml", {"m": entry})
    write(
        made, "configs/sweeps/s.yaml", {"model": "m", "method": "fp32", "engine": "ort-genai", "probes": ["perplexity"]}
    )
    with pytest.raises(
        ConfigError, match=r"models\.yaml:\d: model 'm': '~nouser/x.*': no home folder is known for '~nouser'"
    ):
        plan_sweep("s", here(start=made))


def test_mistakes_of_own_entries_are_told_with_their_file(made: Path) -> None:
    write(made, "configs/methods.yaml", {"mine": {"recipes": {"ort-genai": {"precison": "int8"}}}})
    with pytest.raises(ConfigError, match=r"theirs/configs/methods\.yaml.*did you mean 'precision'"):
        load_catalogue(here(start=made).configs)


def test_own_sweeps_and_locks_stand_in_place_of_shipped_ones_of_their_name(made: Path) -> None:
    workspace = here(start=made)
    assert sweep_path("quickstart", workspace) == SHIPPED / "configs" / "sweeps" / "quickstart.yaml"
    write(made, "configs/sweeps/quickstart.yaml", "model: reference\n")
    assert sweep_path("quickstart", workspace) == made / "configs" / "sweeps" / "quickstart.yaml"
    assert lock_of("cpu", workspace) == SHIPPED / "configs" / "locks" / "cpu.txt"
    write(made, "configs/locks/cpu.txt", "pydantic==2.14.3\n")
    assert lock_of("cpu", workspace) == made / "configs" / "locks" / "cpu.txt"
    assert lock_of("../x", workspace) is None


def _tables(console: io.StringIO) -> Console:
    return Console(file=console, soft_wrap=True)


def test_an_own_table_of_a_shipped_name_stands_in_its_place_alone_and_that_is_told(made: Path) -> None:
    workspace = here(start=made)
    before = {spec.name for spec in specs_in(spec_files(workspace))}
    mine = {"rows": ["method"], "cells": {"PPL": {"metric": "perplexity", "format": "2"}}}
    write(
        made,
        "configs/tables/mine.tables.yaml",
        {"quickstart-speed": {**mine, "where": {"sweep": "quickstart"}}, "more": mine},
    )
    write(made, "configs/tables/quickstart.tables.yaml", {"quickstart-extra": mine})
    specs = {spec.name: spec for spec in specs_in(spec_files(workspace))}
    assert set(specs) == before | {"more", "quickstart-extra"}, "the other tables of the shipped file stay"
    assert Path(specs["quickstart-speed"].path).parent == made / "configs" / "tables"
    assert Path(specs["quickstart-quality"].path).parent == SHIPPED / "reports" / "tables"
    said = io.StringIO()
    assert check_pages(_tables(said), workspace) == 0
    assert "the workspace's own, in place of the shipped: table quickstart-speed\n" in said.getvalue()
    assert own_tables(["quickstart"], workspace) == ["quickstart-speed"]
    asked = [spec.name for spec in _specs_of(["quickstart"], workspace, catalogue_of(workspace.configs))]
    assert {"quickstart-speed", "quickstart-quality", "quickstart-extra"} <= set(asked)
    assert "more" not in asked


def test_two_own_tables_of_one_name_are_a_mistake(made: Path) -> None:
    mine = {"bnb": {"rows": ["method"], "cells": {"PPL": {"metric": "perplexity"}}}}
    for name in ("one", "two"):
        write(made, f"configs/tables/{name}.tables.yaml", mine)
    with pytest.raises(
        ConfigError, match=r"two\.tables\.yaml:1: table 'bnb' is also in .*one\.tables\.yaml:1; rename one"
    ):
        specs_in(spec_files(here(start=made)))


def test_a_plan_tells_the_sweep_the_tables_and_the_locks_that_are_the_workspaces_own(made: Path) -> None:
    write(made, "configs/local.yaml", {"python": {"cpu": sys.executable}})
    write(made, "configs/sweeps/quickstart.yaml", (SHIPPED / "configs/sweeps/quickstart.yaml").read_text("utf-8"))
    write(made, "configs/locks/cpu.txt", (SHIPPED / "configs/locks/cpu.txt").read_text("utf-8"))
    write(
        made,
        "configs/tables/x.tables.yaml",
        {"quickstart-speed": {"rows": ["method"], "cells": {"PPL": {"metric": "perplexity"}}}},
    )
    (told,) = _own(plan_sweep("quickstart", here(start=made)))
    assert told == "the workspace's own, in place of the shipped: table quickstart-speed, sweep quickstart, lock cpu"


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


def test_a_sweep_that_the_schema_knows_is_what_init_writes(made: Path) -> None:
    import jsonschema

    schema = json.loads((SHIPPED / "configs" / "sweep.schema.json").read_text("utf-8"))
    jsonschema.validate(yaml.safe_load((made / "configs" / "sweeps" / "first.yaml").read_text("utf-8")), schema)
