"""The page of published tables holds against table specs, sweeps, registries and published results; `python -m tests.test_mission` writes it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from harness.tables.catalogue import catalogue_of
from harness.tables.spec import TableSpec
from harness.tables.specfile import read_specs
from tests.conftest import ROOT
from tests.mission import ELSEWHERE, PAGE, PAGES, Seed, jobs, made_by, measured_by, page
from tests.planned_rows import planned_rows, shows

SEEDS = [seed for seeds in PAGES.values() for seed in seeds]


@cache
def specs() -> dict[str, TableSpec]:
    """Read every shipped table, by name."""
    return {spec.name: spec for file in (ROOT / "reports" / "tables").glob("*.yaml") for spec in read_specs(file)}


def test_each_table_of_a_published_page_has_one_row() -> None:
    files = [
        ROOT / "reports" / "tables" / f"{name}.tables.yaml"
        for name in ("bnb", "modelopt_windows", "modelopt_h100", "modelopt_h200")
    ]
    names = [spec.name for file in files for spec in read_specs(file)]
    assert sorted([seed.table for seed in SEEDS] + list(ELSEWHERE)) == sorted(names)


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed.sweep], ids=lambda seed: seed.table)
def test_a_sweep_that_is_named_plans_what_the_row_says(seed: Seed) -> None:
    assert jobs(seed), "the block is there"
    assert measured_by(seed)
    assert not seed.tests or (ROOT / seed.tests).is_file()
    if seed.tests:
        text = (ROOT / seed.tests).read_text("utf-8").replace("-", "_")
        drivers = {word for job in jobs(seed) for word in re.findall(r"-m harness\.engines\.(\w+)", str(job.spec))}
        names = {*made_by(seed), *drivers, *(engine for engine, _ in measured_by(seed))} - {"command", "program"}
        assert any(name.replace("-", "_") in text for name in names)


def test_a_row_without_a_sweep_says_why() -> None:
    assert all(seed.lacks for seed in SEEDS if not seed.sweep)


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed.sweep], ids=lambda seed: seed.table)
def test_what_a_sweep_measures_stands_in_the_table_that_the_row_names(seed: Seed, tmp_path: Path) -> None:
    rows = planned_rows(jobs(seed), tmp_path)
    for name in seed.measured_in:
        assert shows(specs()[name], rows, catalogue_of(ROOT / "configs")), f"{name} takes no row of {seed.sweep}"


def test_a_table_of_reported_numbers_alone_names_another_for_measured_ones() -> None:
    taking = {seed.table for seed in SEEDS if seed.measured_in == (seed.table,)}
    assert {name for name in taking if specs()[name].where.get("origin") == ("reported",)} == set()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tests.test_mission"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
