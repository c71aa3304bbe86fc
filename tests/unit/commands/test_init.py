"""What `harness init` writes, and what of others' it leaves alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from harness.commands.init import make_workspace
from harness.commands.machine import plan_sweep
from harness.commands.pages import check_pages
from harness.commands.workspace import here
from harness.core.errors import ConfigError, HarnessError
from harness.core.paths import FILE
from harness.environments import SHIPPED
from tests.unit.commands.writing import write


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


def test_a_sweep_that_the_schema_knows_is_what_init_writes(made: Path) -> None:
    import jsonschema

    schema = json.loads((SHIPPED / "configs" / "sweep.schema.json").read_text("utf-8"))
    jsonschema.validate(yaml.safe_load((made / "configs" / "sweeps" / "first.yaml").read_text("utf-8")), schema)
