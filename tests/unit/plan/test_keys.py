"""What is part of a key, and what is not."""

from __future__ import annotations

from pathlib import Path

from harness.core.seam import Facts
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.entries import Catalogue, LocalEntry
from harness.plan.jobs import Plan
from tests.fake_machine import Bench
from tests.unit.plan.conftest import ENVIRONMENTS, HERE, Planner, model_folder
from tests.unit.plan.planned import LEAST, job_of


def test_the_providers_word_reaches_builder_calibration_and_base(plan: Planner) -> None:
    gpu = {"cpu": Facts(HERE.packages, "Linux", ("NVIDIA H100",))}
    made = plan(LEAST.replace("fp32", "awq").replace("runtime", "{runtime: {provider: cuda}}"), gpu)
    export, calibrated = (job.spec for job in made.jobs if job.kind == "build")
    assert isinstance(export, BuildSpec)
    assert isinstance(calibrated, BuildSpec)
    assert export.options == {"precision": "fp16", "provider": "cuda"}, "the base of awq on cuda is fp16"
    assert calibrated.options == {"algo": "awq", "eps": ["cuda"]}
    assert calibrated.base == made.jobs[0].artifact


def test_a_default_that_is_written_out_changes_no_key(plan: Planner) -> None:
    written = LEAST.replace("probes: perplexity", "probes: {perplexity: {text: t, window: 1024}}").replace(
        "engine: runtime", "engine: {runtime: {provider: cpu}}"
    )
    assert [job.key for job in plan(written).jobs] == [job.key for job in plan("smallest").jobs]


def test_contents_decide_and_names_do_not(plan: Planner, models: Path) -> None:
    before = [job.key for job in plan(LEAST).jobs]
    (models / "tiny").rename(models / "nowhere")
    assert [job.key for job in plan(LEAST.replace("tiny", "nowhere")).jobs] == before
    model_folder(models / "tiny", weights="trained longer")
    assert all(old != new for old, new in zip(before, [job.key for job in plan(LEAST).jobs], strict=True))


def test_a_changed_text_changes_the_key(plan: Planner, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("one", encoding="utf-8")
    sweep = LEAST.replace("probes: perplexity", f"probes: {{perplexity: {{text: '{text}'}}}}")
    before = job_of(plan(sweep), "quality")
    text.write_text("two", encoding="utf-8")
    after = job_of(plan(sweep), "quality")
    assert isinstance(before.spec, MeasureSpec)
    assert list(before.spec.contents) == ["text"]
    assert before.key != after.key


def test_the_builders_packages_are_part_of_the_artifact_and_the_engines_are_not(plan: Planner) -> None:
    build = job_of(plan(LEAST), "build")
    exporter = {"cpu": Facts({**HERE.packages, "exporter": "2.1"}, "Linux")}
    runtime = {"cpu": Facts({**HERE.packages, "runtime": "1.1", "rich": "15"}, "Linux")}
    assert job_of(plan(LEAST, exporter), "build").key == build.key
    assert job_of(plan(LEAST, exporter), "build").artifact != build.artifact
    assert job_of(plan(LEAST, runtime), "build").artifact == build.artifact
    known = job_of(plan(LEAST, runtime), "quality").known_by
    assert known == {"packages": {"counter": "1", "runtime": "1.1"}, "provider": "cpu", "gpu": None}
    assert job_of(plan(LEAST, exporter), "build").known_by == {"packages": {"exporter": "2.1", "torch": "2.13.0"}}


def test_local_yaml_names_the_box_and_is_in_no_key(plan: Planner, catalogue: Catalogue) -> None:
    text = LEAST + "on: {gpu: the old one}\n"
    local = Catalogue(**{**catalogue.__dict__, "local": LocalEntry(gpu="The Old One")})
    assert {job.other_gpu for job in plan(text, ENVIRONMENTS, local).jobs} == {None}
    assert [job.key for job in plan(text, ENVIRONMENTS, local).jobs] == [job.key for job in plan(LEAST).jobs]


def test_the_digest_depends_on_the_jobs_alone(plan: Planner) -> None:
    assert plan(LEAST).digest == plan("# a remark\n" + LEAST).digest
    assert plan(LEAST).digest != plan(LEAST.replace("fp32", "awq")).digest


def test_where_a_text_lies_is_no_part_of_the_question() -> None:
    from harness.core.spec import MeasureSpec
    from harness.plan.keys import spec_key

    def spec(text: str, sha: str, tokens: int = 5) -> MeasureSpec:
        return MeasureSpec(
            probe="perplexity", version=1, workload={"text": text, "tokens": tokens}, engine="e", engine_version=1,
            artifact="a", contents={"text": sha},
        )  # fmt: skip

    key = spec_key(spec("/here/a.txt", "1"), ("text",))
    assert key == spec_key(spec("/there/b.txt", "1"), ("text",))
    assert key != spec_key(spec("/here/a.txt", "2"), ("text",))
    assert key != spec_key(spec("/here/a.txt", "1", tokens=6), ("text",))


def test_what_was_installed_from_a_file_or_a_source_counts_whoever_imports_it(bench: Bench) -> None:
    from dataclasses import replace

    from harness.plan.keys import known_by

    facts = Facts({"torch": "2.13.0", "tonight": "0.45@aaa", "other": "1"}, "Linux")
    rerun = replace(facts, packages={**facts.packages, "tonight": "0.45@bbb"})
    assert known_by(["torch"], "cpu", facts)["packages"] == {"tonight": "0.45@aaa", "torch": "2.13.0"}
    assert known_by(["torch"], "cpu", facts) != known_by(["torch"], "cpu", rerun)
    plan = Plan("s", ())
    assert (
        replace(plan, sources=(("e", "tonight", "0.45@aaa"),)).digest
        != replace(plan, sources=(("e", "tonight", "0.45@bbb"),)).digest
    )
