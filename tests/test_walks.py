"""The walks of CONTRIBUTING.md: their files are there, and each walk goes down the order of imports, back up at most twice."""

from __future__ import annotations

import itertools
import re
import tomllib

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WALKS = dict(re.findall(r"^(An? \w.*):\n\n((?:    harness/.*\n)+)", PAGE, re.MULTILINE))


def layers() -> list[list[str]]:
    """The packages of each layer, top first, as the contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return [[name.strip() for name in layer.split("|")] for layer in contracts[0]["layers"]]


def depth(path: str) -> int:
    module = path.removesuffix(".py").replace("/", ".")
    return next(
        place for place, names in enumerate(layers()) if any(f"{module}.".startswith(f"{one}.") for one in names)
    )


def test_there_are_five_walks_of_at_most_ten_lines() -> None:
    assert len(WALKS) == 5
    assert all(len(walk.splitlines()) <= 10 for walk in WALKS.values())


@pytest.mark.parametrize("walk", list(WALKS.values()), ids=list(WALKS))
def test_a_walk_goes_down_the_tree_and_back_up_at_most_twice(walk: str) -> None:
    files = re.findall(r"harness/\S+\.py", walk)
    assert [file for file in files if not (ROOT / file).is_file()] == []
    depths = [depth(file) for file in files]
    assert sum(after < before for before, after in itertools.pairwise(depths)) <= 2
    assert len(set(files)) == len(files)


def test_the_list_of_layers_is_in_the_order_of_the_contract() -> None:
    said = re.findall(r"`(\w+(?: \| \w+)*)`", PAGE.partition("`pyproject.toml`): ")[2].partition("\n\n")[0])
    named = [name for one in said for name in one.split(" | ")]
    assert len(named) > 20
    places = [depth(f"harness/{name}/x.py") for name in named]
    assert places == sorted(places)
