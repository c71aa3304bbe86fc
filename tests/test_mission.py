"""The page of published tables holds against table specs, sweeps, registries and published results; `python -m tests.test_mission` writes it."""

from __future__ import annotations

import re

import pytest

from harness.engines import ENGINES
from harness.tables.specfile import read_specs
from tests.conftest import ROOT
from tests.mission import ELSEWHERE, NOT_ON_CPU, PAGE, PAGES, Seed, jobs, made_by, measured_by, page

SEEDS = [seed for seeds in PAGES.values() for seed in seeds]


def test_each_table_of_a_published_page_has_one_row() -> None:
    files = [
        ROOT / "reports" / "tables" / f"{name}.tables.yaml"
        for name in ("bnb", "modelopt_windows", "modelopt_h100", "modelopt_h200")
    ]
    specs = [spec.name for file in files for spec in read_specs(file)]
    assert sorted([seed.table for seed in SEEDS] + list(ELSEWHERE)) == sorted(specs)


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


def test_every_engine_runs_for_real_in_tests_or_is_listed_with_its_reason() -> None:
    real = " ".join(
        path.read_text("utf-8")
        for path in [*(ROOT / "tests" / "real").glob("*.py"), *(ROOT / "tests" / "contract").glob("*.py")]
    )
    generating = {name for name in ENGINES if name in {"ort-genai", "transformers"}}  # those that tests/contract opens
    unseen = {
        name for name in ENGINES if name not in generating and not re.search(rf"\b{name.replace('-', '[-_]')}\b", real)
    }
    assert unseen <= NOT_ON_CPU.keys()
    assert NOT_ON_CPU.keys() <= ENGINES.keys()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tests.test_mission"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
