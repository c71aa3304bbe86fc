"""When a quality result counts as known: for the same content, packages, provider and GPU, and for nothing less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.spec import MeasureSpec, Status
from harness.plan.expand import Plan, PlannedJob
from harness.probes import VERIFY, VERIFY_REFERENCE
from harness.runner.decide import decide, needed
from harness.runner.job_memory import JobMemory
from harness.store.cache import CachedRun

SPEC = MeasureSpec(
    probe="perplexity", version=1, engine="ort-genai", engine_version=1, artifact="a" * 64, reference="r" * 64
)
JOB = PlannedJob(
    id="q-1", kind="quality", spec=SPEC, key="k" * 64, artifact=None, needs=(), inputs=(), environment="cuda", labels=(),
    provider="cuda", round=0, own_process=False, timeout_seconds=None, group="g",
    known_by={"packages": {"onnxruntime": "1.31.1", "lm-eval": "0.4.13"}, "provider": "cuda", "gpu": "H100"},
)  # fmt: skip
RUN = CachedRun(
    run="earlier", environment="cuda", packages={"onnxruntime": "1.31.1", "LM_Eval": "0.4.13", "rich": "15.0"},
    provider="cuda", gpu="H100", artifact_content="c1", inputs={"artifact": "c1", "reference": "c2"},
)  # fmt: skip


def verdict(*records: CachedRun, job: PlannedJob = JOB, rerun: frozenset[str] = frozenset()) -> tuple[str, str]:
    plan = Plan("s", (job,))
    memory = JobMemory(opened=cast("Any", None), plan=plan, rerun=rerun, quality={job.key: list(records)})
    memory.made = {"a" * 64: "c1", "r" * 64: "c2"}
    return decide(job, memory)


def test_a_result_of_the_same_content_packages_provider_and_gpu_is_known() -> None:
    assert verdict(RUN) == ("known", "earlier")
    assert verdict(replace(RUN, packages={**RUN.packages, "rich": "16.0"})) == ("known", "earlier")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"inputs": {"artifact": "other", "reference": "c2"}}, "the artifact's content differs"),
        ({"inputs": {"reference": "c2"}}, "the artifact's content differs"),
        ({"inputs": {"artifact": "c1", "reference": "other"}}, "the reference's content differs"),
        ({"inputs": {"artifact": "c1"}}, "the reference's content differs"),
        ({"packages": {"onnxruntime": "1.30.0", "lm-eval": "0.4.13"}}, "onnxruntime was 1.30.0, is 1.31.1"),
        ({"packages": {"onnxruntime": "1.31.1"}}, "lm-eval was absent, is 0.4.13"),
        ({"provider": "cpu"}, "provider was cpu, is cuda"),
        ({"provider": None}, "provider was none, is cuda"),
        ({"gpu": "A100"}, "GPU was A100, is H100"),
        ({"gpu": None}, "GPU was none, is H100"),
    ],
)
def test_a_result_that_differs_in_anything_that_counts_is_measured_again(changed: dict[str, Any], why: str) -> None:
    assert verdict(replace(RUN, **changed)) == ("run", why)


def test_on_a_cpu_the_gpu_that_is_also_there_does_not_count() -> None:
    known_by = {**JOB.known_by, "provider": "cpu"}
    assert verdict(replace(RUN, provider="cpu", gpu="A100"), job=replace(JOB, known_by=known_by)) == (
        "known",
        "earlier",
    )


def test_an_older_result_that_fits_is_found_behind_a_newer_one_that_does_not() -> None:
    assert verdict(replace(RUN, run="newer", gpu="A100"), RUN) == ("known", "earlier")


def test_quality_is_measured_again_where_a_person_asks_for_it() -> None:
    assert verdict(RUN, rerun=frozenset({"quality"}))[0] == "run"
    assert verdict()[0] == "run"


# ---------------------------------------------------------------- every way that a job can go


VERIFYING, TELLING = (SPEC.model_copy(update={"probe": probe}) for probe in (VERIFY, VERIFY_REFERENCE))


class Rounds:
    """How many rounds are enough, as told."""

    def __init__(self, why: str = "") -> None:
        self.why, self.asked = why, ()

    def enough(self, *asked: Any) -> str:
        self.asked = asked
        return self.why


def job(name: str, kind: str = "quality", **more: Any) -> PlannedJob:
    return replace(JOB, id=name, key=f"key of {name}", kind=cast("Any", kind), **more)


def remembered(tmp_path: Path, *jobs: PlannedJob, rerun: frozenset[str] = frozenset(), **more: Any) -> JobMemory:
    memory = JobMemory(
        opened=cast("Any", SimpleNamespace(artifact=lambda content, kind: tmp_path / content)),
        plan=Plan("s", jobs),
        rerun=rerun,
    )
    for name, value in more.items():
        setattr(memory, name, value)
    return memory


BUILD = job("b-1", "build", artifact="art")


@pytest.mark.parametrize(("made", "is_there", "rerun", "verdict"), [
    ({}, False, frozenset(), ("run", "never made here")), ({"art": "c"}, False, frozenset(), ("run", "its folder is gone")),
    ({"art": "c"}, True, frozenset(), ("known", "art")), ({}, True, frozenset(), ("run", "never made here")),
    ({"art": "c"}, True, frozenset({"build"}), ("run", "--rerun build")),
])  # fmt: skip
def test_an_artifact_is_made_unless_it_is_known_and_lies_there(
    tmp_path: Path, made: dict[str, str], is_there: bool, rerun: frozenset[str], verdict: tuple[str, str]
) -> None:
    if is_there:
        (tmp_path / "art").mkdir()
    assert decide(BUILD, remembered(tmp_path, BUILD, made=made, rerun=rerun)) == verdict


@pytest.mark.parametrize(("users", "verdict"), [
    ((), "run"), ((job("q-1"),), "run"), ((job("q-1", refused="no"),), "skipped"), ((job("q-1", other_gpu="no"),), "skipped"),
    ((job("q-1", refused="no"), job("q-2")), "run"), ((job("s-1", "speed"),), "run"), ((job("b-2", "build", artifact="other"),), "run"),
    ((job("s-1", "speed", refused="no"),), "skipped"), ((job("v-1", spec=VERIFYING),), "run"),
])  # fmt: skip
def test_what_no_job_to_run_needs_is_not_made(tmp_path: Path, users: tuple[PlannedJob, ...], verdict: str) -> None:
    memory = remembered(tmp_path, BUILD, *users, users={"b-1": list(users)}, rounds=Rounds())
    assert decide(BUILD, memory)[0] == verdict
    assert needed(BUILD, memory) is (verdict == "run")


@pytest.mark.parametrize(("given", "verdict"), [
    ({}, ("run", "speed is always measured anew")), ({"finished": {("key of s-1", "cuda", 0): "run-7"}}, ("known", "run-7")),
    ({"finished": {("key of s-1", "cuda", 1): "run-7"}}, ("run", "speed is always measured anew")),
    ({"broken": {("key of s-1", "cuda"): "its first round failed"}}, ("skipped", "its first round failed")),
    ({"rounds": Rounds("3 rounds say it")}, ("enough", "3 rounds say it")),
])  # fmt: skip
def test_speed_is_measured_anew_but_where_this_session_has_it(
    tmp_path: Path, given: dict[str, Any], verdict: tuple[str, str]
) -> None:
    one = job("s-1", "speed")
    memory = remembered(tmp_path, one, **{"rounds": Rounds(), **given})
    assert decide(one, memory) == verdict
    assert needed(one, memory) is (verdict[0] == "run")


@pytest.mark.parametrize(("planned", "rounds"), [({}, 3), ({("key of s-1", "cuda"): 8}, 8)])
def test_of_rounds_that_nobody_planned_this_one_is_the_last(
    tmp_path: Path, planned: dict[Any, int], rounds: int
) -> None:
    one, told = job("s-1", "speed", round=2, precision=0.01), Rounds()
    decide(one, remembered(tmp_path, one, rounds=told, planned=planned))
    assert told.asked == (("key of s-1", "cuda"), 0.01, rounds)


def test_what_was_refused_or_belongs_to_another_machine_is_told_first(tmp_path: Path) -> None:
    for one, verdict in (
        (job("q", other_gpu="needs an A100", refused="no"), ("other_gpu", "needs an A100")), (job("q", refused="no"), ("refused", "no")),
        (job("v", refused="no", spec=VERIFYING), ("unverified", "no")),
    ):  # fmt: skip
        assert decide(one, remembered(tmp_path, one)) == verdict


@pytest.mark.parametrize(("need", "verdict"), [
    (BUILD, ("blocked", "b-1 failed: it broke")), (replace(BUILD, spec=TELLING), ("unverified", "it broke")),
    (replace(BUILD, spec=VERIFYING), ("run", "never measured")),
])  # fmt: skip
def test_a_need_that_failed_blocks(tmp_path: Path, need: PlannedJob, verdict: tuple[str, str]) -> None:
    one = job("q-1", needs=("b-1", "b-0"))
    memory = remembered(tmp_path, job("b-0", "build"), need, one, bad={"b-1": (Status.FAILED, "it broke")})
    assert decide(one, memory) == verdict


def test_a_verification_is_run_where_somebody_waits_for_it(tmp_path: Path) -> None:
    one = job("v-1", spec=VERIFYING)
    user, refused = job("s-1", "speed"), job("s-1", "speed", refused="no")
    assert decide(one, remembered(tmp_path, one)) == ("run", "never measured")
    assert decide(one, remembered(tmp_path, one, user, users={"v-1": [user]}, rounds=Rounds())) == (
        "run",
        "never measured",
    )
    memory = remembered(tmp_path, one, refused, users={"v-1": [refused]})
    assert decide(one, memory) == ("skipped", "no job to run needs it")
    assert not needed(one, memory)
    known = remembered(
        tmp_path,
        one,
        refused,
        users={"v-1": [refused]},
        quality={one.key: [RUN]},
        made={"a" * 64: "c1", "r" * 64: "c2"},
    )
    assert decide(one, known) == ("known", "earlier")


def test_quality_that_ran_in_this_session_is_not_run_a_third_time(tmp_path: Path) -> None:
    one = job("q-1")
    memory = remembered(tmp_path, one, rerun=frozenset({"quality"}), finished={(one.key, "cuda", 0): "run-9"})
    assert decide(one, memory) == ("known", "run-9")
    assert decide(one, remembered(tmp_path, one, rerun=frozenset({"quality"}))) == ("run", "--rerun quality")


def test_without_a_reference_only_the_artifact_counts_and_what_was_unverified_is_measured_again(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"reference": None})
    one = job("q-1", spec=spec)
    memory = remembered(tmp_path, one, quality={one.key: [replace(RUN, inputs={"artifact": "a" * 64})]})
    assert decide(one, memory) == ("known", "earlier"), "what was never made here goes by its own name"
    memory.quality = {one.key: [replace(RUN, inputs={"artifact": "a" * 64}, unverified=True)]}
    assert decide(one, memory) == ("run", "measured while its baseline was unverified")
