"""A workspace's own entries, sweeps, locks and tables, over those that are shipped."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.commands.machine import plan_sweep
from harness.commands.pages import check_pages
from harness.commands.plan import _own
from harness.commands.report import specs_of
from harness.commands.workspace import here, lock_of, own_tables, spec_files, sweep_path
from harness.core.errors import ConfigError
from harness.environments import SHIPPED
from harness.pages.writing import specs_in
from harness.plan.catalogue import load_catalogue
from harness.tables.catalogue import catalogue_of
from tests.unit.commands.writing import write


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
    asked = [spec.name for spec in specs_of(["quickstart"], workspace, catalogue_of(workspace.configs))]
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
