from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.core.seam import Facts
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue, LocalEntry
from harness.plan.jobs import Plan, PlannedJob
from harness.plan.sizes import of_config
from tests.fake_machine import Bench
from tests.unit.plan.conftest import CATALOGUE, ENVIRONMENTS, HERE, Planner, model_folder

LEAST = "model: tiny\nmethod: fp32\nengine: runtime\nprobes: perplexity\n"


def kinds(plan: Plan) -> Counter[str]:
    return Counter(job.kind for job in plan.jobs)


def one(plan: Plan, kind: str, probe: str = "", method: str = "") -> PlannedJob:
    (found,) = [
        job
        for job in plan.jobs
        if job.kind == kind
        and (not probe or (isinstance(job.spec, MeasureSpec) and job.spec.probe == probe))
        and (not method or job.labels[0].method == method)
    ]
    return found


def test_the_smallest_sweep_builds_once_and_measures_once(plan: Planner) -> None:
    build, measure = plan("smallest").jobs
    assert (build.kind, measure.kind) == ("build", "quality")
    assert isinstance(measure.spec, MeasureSpec)
    assert measure.spec.artifact == build.artifact
    assert measure.needs == (build.id,)
    assert build.inputs[0].role == "model"
    assert build.inputs[0].content == build.inputs[0].id
    assert measure.inputs[0].path == "", "what another job makes has no path yet"
    assert build.labels[0].model_dump() == {
        "sweep": "smallest", "block": "", "model": "tiny", "method": "fp32", "recipe": "export", "reference": "",
    }  # fmt: skip


def test_every_list_is_an_axis_and_skip_leaves_out(plan: Planner) -> None:
    made = plan("axes")
    # tiny fp32 and awq, random fp32: each in 2 environments x 2 thread counts x 4 workloads; builds serve both environments
    assert kinds(made) == {"speed": 3 * 2 * 2 * 4, "build": 2 + 2}
    assert len({job.id for job in made.jobs}) == len(made.jobs)


def test_nothing_comes_before_what_it_needs_and_candidates_are_finished_one_by_one(plan: Planner) -> None:
    made = plan("model: [tiny, other]\nmethod: [fp32, awq]\nengine: runtime\nprobes: {perplexity: {tokens: [1, 2]}}\n")
    place = {job.id: number for number, job in enumerate(made.jobs)}
    assert all(place[need] < place[job.id] for job in made.jobs for need in job.needs)
    artifacts = [job.spec.artifact for job in made.jobs if isinstance(job.spec, MeasureSpec)]
    changes = sum(before != after for before, after in itertools.pairwise(artifacts))
    assert changes == len(set(artifacts)) - 1


def test_rounds_repeat_speed_jobs_alone_and_interleave_the_candidates(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: [fp32, awq]\nengine: runtime\nprobes: [speed, perplexity]\nrounds: 3\n")
    speed = [(job.round, job.labels[0].method) for job in made.jobs if job.kind == "speed"]
    assert [number for number, _ in speed] == [0, 0, 1, 1, 2, 2]
    assert all({method for number, method in speed if number == each} == {"fp32", "awq"} for each in range(3))
    assert [job.kind for job in made.jobs].index("speed") == len(made.jobs) - len(speed), (
        "nothing is built between rounds"
    )
    assert kinds(made)["quality"] == 2
    assert len({job.key for job in made.jobs if job.kind == "speed"}) == 2, "a round is no part of the key"


def test_candidates_take_turns_in_an_order_that_is_drawn_and_every_second_round_runs_backwards(plan: Planner) -> None:
    threads = list(range(1, 9))
    text = f"model: tiny\nmethod: fp32\nengine: {{runtime: {{threads: {threads}}}}}\nprobes: speed\nrounds: 20\n"
    made = plan(text)
    orders = [
        [job.spec.engine_options.get("threads", 0) for job in made.jobs if job.kind == "speed" and job.round == each]
        for each in range(20)
    ]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert all(later == earlier[::-1] for earlier, later in zip(orders[::2], orders[1::2], strict=True))
    assert len({tuple(order) for order in orders[::2]}) == 10, "every two rounds are drawn anew"
    assert [job.id for job in plan(text).jobs] == [job.id for job in made.jobs], "the same plan has the same order"


def test_versions_of_a_library_stand_side_by_side_in_each_round(plan: Planner) -> None:
    text = "model: [tiny, other]\nmethod: [fp32, awq]\nengine: runtime\nenvironment: [cpu, new]\nprobes: {speed: {batch: [1, 4]}}\nrounds: 8\n"
    speed = [job for job in plan(text).jobs if job.kind == "speed"]
    groups = [next(jobs) for _, jobs in itertools.groupby(speed, lambda job: job.group)]
    pairs = list(zip(groups[::2], groups[1::2], strict=True))
    assert len(pairs) == 4 * 8
    for one, other in pairs:
        assert (one.labels[0].model, one.labels[0].method, one.round) == (
            other.labels[0].model, other.labels[0].method, other.round,
        )  # fmt: skip
        assert {one.environment, other.environment} == {"cpu", "new"}
    for early, late in zip(groups[:8], groups[8:16][::-1], strict=True):
        assert (early.group.partition("#")[0], early.round, late.round) == (late.group.partition("#")[0], 0, 1)
    assert {one.environment for one, _ in pairs} == {"cpu", "new"}, "neither always comes first"


def test_the_workloads_of_an_artifact_share_one_process_in_each_round_smallest_first(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: [fp32, awq]\nengine: runtime\n"
        "probes: {speed: {batch: [4, 1], prompt: [100, 7]}, perplexity: }\nrounds: 2\n"
    )
    speed = [job for job in made.jobs if job.kind == "speed"]
    groups = [
        (name, [job.spec.workload for job in jobs]) for name, jobs in itertools.groupby(speed, lambda job: job.group)
    ]
    assert len(groups) == len({name for name, _ in groups}) == 4, "one for each of two methods and two rounds"
    works = [{"prompt": 7}, {"prompt": 100}, {"batch": 4, "prompt": 7}, {"batch": 4, "prompt": 100}]
    sizes = [[_size(work) for work in found] for _, found in groups]
    assert all(found == sorted(found) and len(found) == len(works) for found in sizes)
    assert not {job.group for job in made.jobs if job.kind == "quality"} & {name for name, _ in groups}


def _size(work: dict[str, Any]) -> int:
    return int(work.get("batch", 1)) * int(work.get("prompt", 128))


def test_what_cannot_run_is_planned_once_whatever_the_rounds(plan: Planner) -> None:
    made = plan("model: tiny\nmethod: fp32\nengine: runtime\nenvironment: absent\nprobes: speed\nrounds: 5\n")
    assert kinds(made)["speed"] == 1


def test_quality_of_one_artifact_shares_a_worker_and_speed_has_its_own(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: fp32\nengine: runtime\n"
        "probes: {speed: {batch: [1, 2]}, perplexity: {tokens: [1, 2]}, compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    assert len({job.group for job in made.jobs if job.kind in {"quality", "reference"}}) == 1
    assert len({job.group for job in made.jobs if job.kind == "speed"}) == 1
    assert len({job.group for job in made.jobs}) == 3, "a build is alone"
    assert [job.kind for job in made.jobs] == ["build", "reference", "quality", "quality", "quality", "speed", "speed"]
    assert [job.spec.probe for job in made.jobs if isinstance(job.spec, MeasureSpec)][1] == "compare", (
        "before perplexity"
    )


def test_a_reference_of_another_engine_comes_before_what_is_compared_with_it(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: awq\nengine: runtime\n"
        "probes: {compare: {tokens: 9, reference: [{method: fp32}, {method: fp32, engine: torch}]}}\n"
    )
    assert [job.kind for job in made.jobs] == ["build", "reference", "build", "reference", "quality", "quality"]
    assert len({job.group for job in made.jobs if job.kind == "quality"}) == 1


def test_equal_jobs_become_one_that_knows_all_its_places(plan: Planner) -> None:
    made = plan(
        "model: tiny\nengine: runtime\nprobes: perplexity\nblocks:\n  a: {method: fp32}\n  b: {method: [fp32, awq]}\n"
    )
    assert kinds(made) == {"build": 2, "quality": 2}
    assert [labels.block for labels in one(made, "quality", method="fp32").labels] == ["a", "b"]


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
    before = one(plan(sweep), "quality")
    text.write_text("two", encoding="utf-8")
    after = one(plan(sweep), "quality")
    assert isinstance(before.spec, MeasureSpec)
    assert list(before.spec.contents) == ["text"]
    assert before.key != after.key


def test_the_builders_packages_are_part_of_the_artifact_and_the_engines_are_not(plan: Planner) -> None:
    build = one(plan(LEAST), "build")
    exporter = {"cpu": Facts({**HERE.packages, "exporter": "2.1"}, "Linux")}
    runtime = {"cpu": Facts({**HERE.packages, "runtime": "1.1", "rich": "15"}, "Linux")}
    assert one(plan(LEAST, exporter), "build").key == build.key
    assert one(plan(LEAST, exporter), "build").artifact != build.artifact
    assert one(plan(LEAST, runtime), "build").artifact == build.artifact
    known = one(plan(LEAST, runtime), "quality").known_by
    assert known == {"packages": {"counter": "1", "runtime": "1.1"}, "provider": "cpu", "gpu": None}


def test_a_small_reference_is_written_down_and_a_large_or_live_one_is_run_beside(plan: Planner) -> None:
    made = plan("comparison")
    references = [job for job in made.jobs if job.kind == "reference"]
    assert len(references) == 2, "one for each engine"
    assert all(isinstance(job.spec, MeasureSpec) and job.spec.workload == {"tokens": 100} for job in references)
    compared = [job for job in made.jobs if isinstance(job.spec, MeasureSpec) and job.spec.probe == "compare"]
    assert len(compared) == 2 * 2 * 2
    stored = [job for job in compared if job.inputs[1].engine is None]
    assert {job.inputs[1].id for job in stored} == {job.artifact for job in references}
    live = [job for job in compared if job.inputs[1].engine]
    same = [
        job.spec.reference_engine
        for job in live
        if isinstance(job.spec, MeasureSpec) and job.inputs[1].engine == "runtime"
    ]
    assert same == [None, None]
    assert {job.labels[0].reference for job in compared} == {"fp32", "fp32@torch"}
    assert {job.inputs[1].engine_options.get("dtype") for job in live} == {None}, "float32 is the default"


def test_auto_runs_a_reference_live_beyond_two_gibibytes(plan: Planner, models: Path) -> None:
    text = "model: tiny\nmethod: awq\nengine: runtime\nprobes: {compare: {tokens: 600000, reference: {method: fp32}}}\n"
    assert one(plan(text), "quality").inputs[1].engine == "runtime", "600,000 x 1,000 x 4 bytes"
    model_folder(models / "tiny", vocabulary=500)
    assert one(plan(text), "reference").needs


def test_a_live_reference_counts_with_its_packages_and_stays_in_one_environment(plan: Planner) -> None:
    text = """model: tiny
method: fp32
engine: runtime
environment: {runtime: cpu, torch: ENVIRONMENT, other: cpu}
probes: {compare: {tokens: 9, form: live, reference: {method: fp32, engine: torch}}}
"""
    together = one(plan(text.replace("ENVIRONMENT", "cpu")), "quality")
    assert together.refused is None
    assert together.known_by["packages"] == {"runtime": "1.0", "torch": "2.13.0"}
    apart = one(plan(text.replace("ENVIRONMENT", "new")), "quality")
    assert apart.refused == (
        "a live reference runs beside its candidate, in one environment, not in 'new' and 'cpu': say form: stored"
    )


def test_a_candidate_equal_to_its_reference_is_still_measured(plan: Planner) -> None:
    made = plan(
        "model: tiny\nmethod: fp32\nengine: runtime\nprobes: {compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    assert kinds(made) == {"build": 1, "reference": 1, "quality": 1}


def test_building_and_measuring_may_stand_in_different_environments(plan: Planner) -> None:
    made = plan("places")
    assert {job.environment for job in made.jobs if job.kind == "build"} == {"cpu"}
    speed = {job.environment: job.refused for job in made.jobs if job.kind == "speed"}
    assert speed == {"new": None, "absent": "environment 'absent' is not on this machine: harness setup --env absent"}


def test_an_adapter_without_environment_is_told_with_its_line(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:4: 'environment' has no entry for 'export'"):
        plan("model: tiny\nmethod: fp32\nengine: runtime\nenvironment: {runtime: cpu}\nprobes: speed\n")


def test_two_recipes_that_fit_are_an_error_naming_both_and_a_choice_decides(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:2: method 'int4' has two recipes .*'export' and 'calibrated'"):
        plan(LEAST.replace("fp32", "int4"))
    chosen = plan(LEAST.replace("fp32", "{int4: calibrated}"))
    assert [job.labels[0].recipe for job in chosen.jobs if job.kind == "build"] == ["export", "calibrated"]


def test_a_recipe_for_when_it_is_named_never_competes(plan: Planner) -> None:
    assert one(plan(LEAST.replace("fp32", "rtn")), "build", method="rtn").labels[0].recipe == "calibrated"
    assert one(plan(LEAST.replace("fp32", "{rtn: export}")), "build").labels[0].recipe == "export"


def test_a_quantizer_may_say_by_option_what_it_takes_and_makes(plan: Planner) -> None:
    assert one(plan(LEAST.replace("fp32", "free").replace("runtime", "torch")), "build").spec
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


def test_random_weights_are_a_build_of_their_own(plan: Planner) -> None:
    made = plan(LEAST.replace("tiny", "random"))
    weights, export, _ = made.jobs
    assert isinstance(weights.spec, BuildSpec)
    assert weights.spec.quantizer == "random-weights"
    assert weights.inputs == ()
    assert isinstance(export.spec, BuildSpec)
    assert export.spec.model == weights.artifact
    assert export.needs == (weights.id,)
    direct = plan("model: random\nmethod: fp32\nengine: torch\nprobes: perplexity\n")
    assert direct.jobs[0].artifact == weights.artifact


def test_a_ready_artifact_is_hashed_and_measured_once_under_its_method(plan: Planner) -> None:
    made = plan(
        "model: ready\nmethod: [fp32, int4]\nengine: runtime\n"
        "probes: {perplexity: , compare: {tokens: 9, reference: {method: fp32}}}\n"
    )
    measured = one(made, "quality", "perplexity")
    assert isinstance(measured.spec, MeasureSpec)
    assert measured.inputs[0].content == measured.spec.artifact
    assert (measured.labels[0].model, measured.labels[0].method, measured.labels[0].recipe) == ("tiny", "awq", "ready")
    assert one(made, "build").labels[0].method == "fp32", "its reference is made of the model that it was made of"


def test_a_refused_build_refuses_its_dependants_with_the_same_reason_and_no_others(plan: Planner) -> None:
    made = plan(LEAST.replace("fp32", "[fp16, fp32]"))
    assert {job.labels[0].method: job.refused for job in made.jobs} == {"fp16": "no fp16 on cpu", "fp32": None}
    assert kinds(made) == {"build": 2, "quality": 2}


def test_a_missing_folder_is_an_error_at_its_entry_and_a_missing_download_a_refusal(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"models\.yaml:3: model 'nowhere': the folder .* does not exist"):
        plan(LEAST.replace("tiny", "nowhere"))
    made = plan(LEAST.replace("tiny", "on-hub"))
    remedy = "model 'on-hub' is not in the local hub cache: hf download nobody/nothing --revision abc123"
    assert {job.refused for job in made.jobs} == {remedy}


@pytest.mark.parametrize(
    ("name", "told"), [("config.json", "config"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")]
)
def test_a_model_folder_that_lacks_something_is_an_error_naming_it(
    name: str, told: str, plan: Planner, models: Path
) -> None:
    (models / "tiny" / name).unlink()
    with pytest.raises(ConfigError, match=rf"models\.yaml:1: model 'tiny': .* has no {told}"):
        plan(LEAST)


def test_a_downloaded_snapshot_is_found_by_its_revision(plan: Planner, tmp_path: Path) -> None:
    model_folder(tmp_path / "hub" / "models--nobody--nothing" / "snapshots" / "abc123")
    made = plan(LEAST.replace("tiny", "on-hub"))
    assert {job.refused for job in made.jobs} == {None}
    assert made.jobs[0].inputs[0].provenance["revision"] == "abc123"


def test_a_case_of_another_box_is_listed_and_not_refused(plan: Planner) -> None:
    made = plan(LEAST + "on: {gpu: T4}\n")
    assert {(job.other_gpu, job.refused) for job in made.jobs} == {("T4", None)}
    here = {"cpu": Facts(HERE.packages, "Linux", ("Tesla T4",))}
    assert {job.other_gpu for job in plan(LEAST + "on: {gpu: T4}\n", here).jobs} == {None}
    larger = {"cpu": Facts(HERE.packages, "Linux", ("NVIDIA T400",))}
    assert {job.other_gpu for job in plan(LEAST + "on: {gpu: T4}\n", larger).jobs} == {"T4"}


def test_local_yaml_names_the_box_and_is_in_no_key(plan: Planner, catalogue: Catalogue) -> None:
    text = LEAST + "on: {gpu: the old one}\n"
    local = Catalogue(**{**catalogue.__dict__, "local": LocalEntry(gpu="The Old One")})
    assert {job.other_gpu for job in plan(text, ENVIRONMENTS, local).jobs} == {None}
    assert [job.key for job in plan(text, ENVIRONMENTS, local).jobs] == [job.key for job in plan(LEAST).jobs]


def test_a_text_that_is_missing_is_an_error_of_the_plan(plan: Planner) -> None:
    with pytest.raises(ConfigError, match=r"given\.yaml:5: no text 'gone\.txt'"):
        plan("model: tiny\nmethod: fp32\nengine: runtime\nprobes:\n  perplexity: {text: gone.txt}\n")


def test_a_sweep_that_skips_everything_is_an_error(plan: Planner) -> None:
    with pytest.raises(ConfigError, match="'skip' skips every job"):
        plan(LEAST + "skip: {model: tiny}\n")


def test_the_digest_depends_on_the_jobs_alone(plan: Planner) -> None:
    assert plan(LEAST).digest == plan("# a remark\n" + LEAST).digest
    assert plan(LEAST).digest != plan(LEAST.replace("fp32", "awq")).digest


def test_ten_thousand_jobs_are_planned_in_two_seconds(plan: Planner) -> None:
    batches, prompts = list(range(1, 26)), list(range(1, 101))
    text = (
        "model: [tiny, random]\nmethod: [fp32, awq]\nengine: runtime\n"
        f"probes: {{speed: {{batch: {batches}, prompt: {prompts}}}}}\n"
    )
    many = {f"package-{number}": "1.0" for number in range(200)}
    environments = {"cpu": Facts({**HERE.packages, **many}, "Linux")}
    begun = time.process_time()
    made = plan(text, environments)
    seconds = time.process_time() - begun  # of this process alone: other work on the machine does not count
    assert kinds(made)["speed"] == 10_000
    assert seconds < 2


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


def test_what_builds_and_references_will_write_is_estimated(plan: Planner, models: Path) -> None:
    config = {"vocab_size": 1000, "hidden_size": 100, "dtype": "float16"}
    (models / "tiny" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (models / "tiny" / "model.safetensors").write_bytes(bytes(2 * 1_000_000))
    jobs = plan(
        "model: tiny\nmethod: [fp32, fp16, int4, rtn]\nengine: runtime\n"
        "probes: {compare: {tokens: 50, form: stored, reference: {method: fp32}}}\n".replace("int4,", "{int4: export},")
    ).jobs
    sizes = {job.labels[0].method: job.bytes for job in jobs if job.kind == "build"}
    assert sizes["fp32"] == 4 * 1_000_000, "weights kept in 16 bits become twice as large"
    assert sizes["int4"] == 625_000 + 4 * 1000 * 100, "four bits with scales, and the embedding in floats"
    assert sizes["rtn"] == sizes["fp32"], "where nothing says the precision: as large as what it starts from"
    assert [job.bytes for job in jobs if job.kind == "reference"] == [4 * 50 * 1000]


def test_random_weights_are_sized_by_their_configuration() -> None:
    config = {
        "vocab_size": 1536, "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 8,
        "num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 64,
    }  # fmt: skip
    size = of_config(config, "float32")
    assert size.parameters == pytest.approx(59e6, rel=0.02)
    assert size.bytes == 4 * size.parameters


def test_a_sweep_of_too_many_jobs_is_refused_with_its_file_and_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.core import limits

    bench.sweep(method=["fp32", "int8"])
    monkeypatch.setattr(limits, "JOBS", 3)
    with pytest.raises(ConfigError, match=r"s\.yaml:\d+: this sweep has more than 3 jobs"):
        bench.run()


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
