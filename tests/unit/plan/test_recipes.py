"""Which recipe makes a method, and what is said where none or several fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from tests.unit.plan.conftest import CATALOGUE, Planner
from tests.unit.plan.planned import LEAST, job_of


def test_two_recipes_that_fit_are_an_error_naming_both_and_a_choice_decides(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:2: method 'int4' has two recipes .*'export' and 'calibrated'"):
        plan(LEAST.replace("fp32", "int4"))
    chosen = plan(LEAST.replace("fp32", "{int4: calibrated}"))
    assert [job.labels[0].recipe for job in chosen.jobs if job.kind == "build"] == ["export", "calibrated"]


def test_a_recipe_for_when_it_is_named_never_competes(plan: Planner) -> None:
    assert job_of(plan(LEAST.replace("fp32", "rtn")), "build", method="rtn").labels[0].recipe == "calibrated"
    assert job_of(plan(LEAST.replace("fp32", "{rtn: export}")), "build").labels[0].recipe == "export"


def test_a_quantizer_may_say_by_option_what_it_takes_and_makes(plan: Planner) -> None:
    assert job_of(plan(LEAST.replace("fp32", "free").replace("runtime", "torch")), "build").spec
    base, free, _ = plan(LEAST.replace("fp32", "free_int4")).jobs
    assert isinstance(free.spec, BuildSpec)
    assert free.spec.base == base.artifact


def test_a_method_that_the_engine_cannot_open_is_an_error_that_says_what_there_is(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:2: method 'dense' has no recipe that engine 'runtime' takes"):
        plan(LEAST.replace("fp32", "dense"))


def test_a_quantizer_is_only_suggested_where_the_engine_opens_what_it_makes(plan: Planner) -> None:
    for method in ("rtn", "{rtn: export}"):
        with pytest.raises(ConfigError, match=r"no recipe that engine 'torch' takes.*; take engine runtime or talker$"):
            plan(LEAST.replace("fp32", method).replace("runtime", "torch"))


def test_the_recipe_source_builds_nothing_and_tells_the_engine_its_dtype(plan: Planner) -> None:
    (measure,) = plan(LEAST.replace("fp32", "fp16").replace("runtime", "torch")).jobs
    assert isinstance(measure.spec, MeasureSpec)
    assert measure.spec.engine_options == {"dtype": "float16"}
    assert measure.inputs[0].content == measure.spec.artifact == measure.inputs[0].id
    assert measure.inputs[0].provenance["kind"] == "local"


def test_an_engine_told_another_dtype_than_the_method_means_is_an_error(plan: Planner) -> None:
    with pytest.raises(ConfigError, match="method 'fp16' sets dtype float16, but engine 'torch' is given float32"):
        plan("model: tiny\nmethod: fp16\nengine: {torch: {dtype: float32}}\nprobes: perplexity\n")


FREE = "free_any: {{recipes: {{free: {{makes: ort-genai, on: {on}}}}}}}\n"


def with_method(catalogue: Catalogue, folder: Path, line: str) -> Catalogue:
    for path in CATALOGUE.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text + (line if path.stem == "methods" else ""), encoding="utf-8")
    return load_catalogue(folder, catalogue.adapters)


def test_the_remedy_for_two_recipes_of_a_base_is_taken_where_the_base_is_named(
    plan: Planner, catalogue: Catalogue, tmp_path: Path
) -> None:
    text = "model: tiny\nmethod: free_any\nengine: runtime\nprobes: speed\n"
    with pytest.raises(ConfigError) as caught:
        plan(text, catalogue=with_method(catalogue, tmp_path, FREE.format(on="fp32")))
    (problem,) = caught.value.problems
    assert "two recipes that quantizer 'free' takes, 'export' and 'source'" in problem.message
    remedy = problem.message.rpartition(" as ")[2]
    for on in (remedy, f"{{cpu: {remedy}, other: fp16}}"):
        made = plan(text, catalogue=with_method(catalogue, tmp_path, FREE.format(on=on)))
        assert [job.labels[0].recipe for job in made.jobs if job.kind == "build"] == ["export", "free"]
