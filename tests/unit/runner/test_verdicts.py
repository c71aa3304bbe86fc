"""What follows from a verification, decided without running anything."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from harness.core.spec import BuildSpec, Labels, MeasureSpec, Status
from harness.plan.expand import Plan, PlannedJob
from harness.runner.batches import Todo, next_batch
from harness.runner.decide import decide
from harness.runner.known_jobs import KnownJobs
from harness.runner.verified import doubts
from harness.store.cache import CachedRun
from tests.in_process import InProcess

SPEC = MeasureSpec(probe="verify", version=1, engine="one", engine_version=1, artifact="base", reference="truth")
WHY = "the fp32 export differs from its model (KL 0.95, top-1 20 %, over 320 tokens)"


def _job(name: str, kind: Any, spec: Any, *needs: str) -> PlannedJob:
    artifact = name if kind in {"build", "reference"} else None
    return PlannedJob(
        id=name, kind=kind, spec=spec, key=name, artifact=artifact, needs=needs, inputs=(), environment="cpu",
        labels=(Labels(model="toy", method="fp32"),), provider="cpu", round=0, own_process=False, timeout_seconds=None, group=name,
        known_by={"packages": {}, "provider": "cpu"},
    )  # fmt: skip


def _measured(probe: str, artifact: str, reference: str | None = None) -> MeasureSpec:
    return MeasureSpec(probe=probe, version=1, engine="one", engine_version=1, artifact=artifact, reference=reference)


BUILD = BuildSpec(quantizer="q", version=1, model="m")
JOBS = (
    _job("truth", "reference", _measured("verify_reference", "m")),
    _job("verify-one", "quality", SPEC, "base", "truth"),
    _job("verify-two", "quality", SPEC.model_copy(update={"engine": "two"}), "base", "truth"),
    _job("base", "build", BUILD),
    _job("awq", "build", BUILD, "base", "verify-one", "verify-two"),
    _job("stored", "reference", _measured("kl_reference", "base"), "verify-one", "base"),
    _job("base-on-one", "quality", _measured("perplexity", "base"), "verify-one", "base"),
    _job("base-on-two", "quality", _measured("perplexity", "base"), "verify-two", "base"),
    _job("awq-on-one", "quality", _measured("perplexity", "awq"), "verify-one", "awq"),
    _job("awq-on-two", "quality", _measured("perplexity", "awq"), "verify-two", "awq"),
    _job("int8-against-it", "quality", _measured("kl_divergence", "int8", "stored"), "stored"),
)


def _memory() -> KnownJobs:
    opened = SimpleNamespace(artifact=lambda identity, kind: Path(f"/nowhere/{kind}/{identity}"))
    memory = KnownJobs(opened=cast("Any", opened), plan=Plan("s", JOBS))
    for job in JOBS:
        for need in job.needs:
            memory.users.setdefault(need, []).append(job)
    return memory


def _refute(memory: KnownJobs, name: str) -> None:
    memory.refuted[name] = WHY
    memory.bad[name] = (Status.FAILED, WHY)


def _decided(memory: KnownJobs, name: str) -> tuple[str, str]:
    return decide(memory.jobs[name], memory)


def test_a_refuted_export_blocks_what_is_measured_through_that_engine() -> None:
    memory = _memory()
    _refute(memory, "verify-one")
    memory.verified.add("verify-two")
    for name in ("base-on-one", "awq-on-one", "stored"):
        assert _decided(memory, name) == ("blocked", WHY)
    for name in ("base-on-two", "awq-on-two"):
        assert _decided(memory, name)[0] == "run"


def test_a_build_is_blocked_where_no_engine_found_its_base_to_be_the_model() -> None:
    memory = _memory()
    _refute(memory, "verify-one")
    memory.unverified["verify-two"] = "no memory"
    assert _decided(memory, "awq") == ("blocked", WHY), "not known is no verdict"


def test_a_truth_that_failed_leaves_verifications_unverified() -> None:
    memory = _memory()
    memory.bad["truth"] = (Status.OOM, "ran out of memory (killed)")
    assert _decided(memory, "verify-one") == ("unverified", "ran out of memory (killed)")
    memory.bad["base"] = (Status.FAILED, "no disk")
    assert _decided(memory, "verify-one") == ("blocked", "base failed: no disk"), "there is nothing to verify"


def test_what_rests_on_an_unverified_export_is_doubted_and_nothing_else() -> None:
    memory = _memory()
    memory.unverified["verify-one"] = "no memory"
    doubted = {job.id for job in JOBS if doubts(job, memory)}
    assert doubted == {"awq", "stored", "base-on-one", "awq-on-one", "int8-against-it"}
    (note,) = doubts(memory.jobs["int8-against-it"], memory)
    assert (note.code, note.text) == ("unverified", "fp32 of toy was not held against its model: no memory")


def test_a_verification_that_nothing_waits_for_is_skipped_unless_it_is_known() -> None:
    memory = _memory()
    known = CachedRun("earlier", "cpu", {}, "cpu", None, "c", {"artifact": "base", "reference": "truth"})
    users = ("base-on-one", "base-on-two", "awq-on-one", "awq-on-two")
    for name in (*users, "int8-against-it"):
        inputs = {"artifact": memory.jobs[name].spec.artifact, "reference": memory.jobs[name].spec.reference}  # type: ignore[union-attr]
        memory.quality[name] = [replace(known, inputs=inputs)]
    assert _decided(memory, "verify-one")[0] == "skipped"
    assert _decided(memory, "truth")[0] == "skipped"
    memory.quality["base-on-one"] = [replace(memory.quality["base-on-one"][0], unverified=True)]
    assert _decided(memory, "base-on-one") == ("run", "measured while its baseline was unverified")
    assert _decided(memory, "verify-one")[0] == "run"
    memory.quality["verify-one"] = [known]
    assert _decided(memory, "verify-one") == ("known", "earlier")
    memory.unverified["verify-one"] = "no memory"
    assert _decided(memory, "base-on-one")[0] == "known", "it would be unverified again"


def test_a_verification_is_run_again_when_told() -> None:
    memory = _memory()
    memory.rerun = frozenset({"quality"})
    assert _decided(memory, "verify-one") == ("run", "--rerun quality")


def _todo(jobs: list[PlannedJob], memory: KnownJobs) -> Todo:
    return Todo(memory, cast("Any", None), InProcess().executor(), deque(jobs))


def test_what_a_verification_allows_follows_it_in_its_worker() -> None:
    memory = _memory()
    jobs = [replace(memory.jobs[name], group="g") for name in ("verify-one", "base-on-one")]
    batch, said = next_batch(_todo(jobs, memory))
    assert batch == jobs
    assert not said
    made = [replace(memory.jobs[name], group="g") for name in ("stored", "int8-against-it")]
    batch, _ = next_batch(_todo(made, memory))
    assert batch == made[:1], "what reads an artifact waits until it is made"
