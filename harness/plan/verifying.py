"""Which float artifacts are verified against their model before anything is measured from them, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.capabilities import fits
from harness.core.identity import canonical
from harness.core.options import canonical_options
from harness.core.seam import Engine, Facts, FloatType
from harness.core.spec import Input, Labels, MeasureSpec
from harness.plan.adapters import OWN
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.context import PlanContext
from harness.plan.jobs import Draft
from harness.plan.keys import reference_id, spec_key
from harness.plan.sizes import BYTES
from harness.plan.sweep import EngineChoice, Places
from harness.probes import VERIFY, VERIFY_REFERENCE

UNASKED = "an engine that only runs a program cannot be asked what it computes"
OFF = "switched off by the sweep (verify: false)"
_ROOM = 1.1
"""What a model takes in memory, as a multiple of its weights."""
_ROWS_BYTES = 256 << 20


@dataclass(frozen=True)
class OpenedBy:
    """An engine with its options in an environment, as it will measure."""

    engine: EngineChoice
    environment: str
    places: Places
    block: str
    timeout: float | None


@dataclass(frozen=True)
class _Truth:
    """A planned job that stores what the model itself computes."""

    id: str
    need: str
    dtype: FloatType


def verify(context: PlanContext, made: ArtifactRef, opened: OpenedBy, *, wanted: bool) -> tuple[str, ...]:
    """Plan the verification of an artifact and of what it was made from; returns the plan ids of the jobs that verify.

    Builds wait for the verification of what they start from. `wanted` off, each is planned as unverified.
    """
    if VERIFY not in context.adapters.probes:
        return ()
    found = []
    for one in _chain(made):
        dtype = _float_type(one, opened.engine)
        if dtype is not None and one.refused is None and one.format in opened.engine.adapter.consumes:
            need = _Verification(context, one, dtype, opened).plan(wanted=wanted)
            found.append(need)
            _wait(context, made, one, need)
    return tuple(found)


def _chain(made: ArtifactRef) -> Iterator[ArtifactRef]:
    """Go from an artifact to the artifacts that it was made from; the model's own folder only where it is measured itself."""
    yield made
    for base in made.bases:
        if base.recipe not in OWN:
            yield from _chain(base)


def _wait(context: PlanContext, made: ArtifactRef, verified: ArtifactRef, need: str) -> None:
    """Let builds that start from a verified artifact wait for the verification."""
    for base in made.bases:
        if base.id == verified.id:
            draft = context.drafts[made.needs[0]]
            draft.needs = tuple(dict.fromkeys((*draft.needs, need)))
        elif base.recipe not in OWN:
            _wait(context, base, verified, need)


def _float_type(made: ArtifactRef, engine: EngineChoice) -> FloatType | None:
    return engine.adapter.floats(engine.record) if made.recipe in OWN else made.float_type


def _own(made: ArtifactRef) -> ArtifactRef | None:
    """Find the model's own folder behind an artifact."""
    if made.recipe in OWN:
        return made
    return next((found for base in made.bases if (found := _own(base)) is not None), None)


@dataclass(frozen=True)
class _Verification:
    """One artifact that is to be verified through one engine."""

    context: PlanContext
    made: ArtifactRef
    dtype: FloatType
    opened: OpenedBy

    def plan(self, *, wanted: bool) -> str:
        """Plan the job, and before it those that store what the model computes; returns its plan id."""
        engine, made, probe = self.opened.engine, self.made, self.context.adapters.probe(VERIFY)
        asked = wanted and fits(probe.needs, engine.adapter.offers)
        truths, refused = self._truths() if asked else ((), UNASKED if wanted else OFF)
        form = "source" if made.recipe in OWN else "export"
        record = probe.workload.model_validate({"dtype": self.dtype, "form": form})
        native = {"native": truths[1].id} if len(truths) > 1 else {}
        spec = MeasureSpec(
            probe=probe.name, version=probe.version, workload=canonical_options(record), engine=engine.adapter.name,
            engine_version=engine.adapter.version, engine_options=engine.options, artifact=made.id,
            reference=truths[0].id if truths else None, contents=native,
        )  # fmt: skip
        roles: tuple[Any, ...] = ("reference", "native")
        inputs = tuple(Input(role=role, id=truth.id, path="") for role, truth in zip(roles, truths, strict=False))
        packages = (*engine.adapter.packages, *probe.packages)
        draft = Draft(
            kind="quality", spec=spec, key=spec_key(spec), environment=self.opened.environment, artifact_group=made.id,
            needs=tuple(dict.fromkeys((*made.needs, *(truth.need for truth in truths)))), provider=engine.provider,
            inputs=(made.input("artifact"), *inputs), timeout=self.opened.timeout, refused=refused,
            group=f"{made.id}:{engine.adapter.name}:{canonical(engine.options)}:{self.opened.environment}",
            known_by=self.context.known(packages, engine.provider, self.opened.environment),
            parameters=made.parameters, opened_bytes=made.bytes,
        )  # fmt: skip
        return self.context.add(draft, self._labels(made)).id

    def _labels(self, made: ArtifactRef) -> Labels:
        return Labels(
            sweep=self.context.sweep, block=self.opened.block, model=made.model, method=made.method, recipe=made.recipe
        )

    def _truths(self) -> tuple[tuple[_Truth, ...], str | None]:
        """Plan what the model computes in float32 and in the artifact's own type; or say why it cannot be had."""
        own = _own(self.made)
        if own is None or own.refused:
            return (), (own.refused if own else None) or "its model is not known"
        wanted: list[FloatType] = ["float32"] if self.dtype == "float32" else ["float32", self.dtype]
        found, reasons = [], []
        for dtype in wanted:
            place, reason = self._place(own, dtype)
            reasons += [reason] if reason else []
            found += [self._truth(own, dtype, *place)] if place else []
        if not found or found[-1].dtype != self.dtype:
            return (), reasons[-1]
        return tuple(found), None

    def _place(self, own: ArtifactRef, dtype: FloatType) -> tuple[tuple[str, str] | None, str]:
        """Choose environment and device for the model in a type: the first that has what it takes."""
        engine = self.context.adapters.engine(self.opened.engine.adapter.truth)
        need = int((own.parameters or 0) * BYTES[dtype])
        reasons = []
        for environment in self._environments(engine):
            facts = self.context.facts(environment)
            assert facts is not None
            for device, room in self._devices(engine, facts):
                record = _record(engine, dtype, device)
                reason = engine.refuse(record, facts) or _too_large(need, room, dtype, device)
                if not reason:
                    return (environment, device), ""
                reasons.append(reason)
        return None, reasons[0] if reasons else f"no environment of this sweep has {engine.name}"

    def _environments(self, engine: Engine) -> list[str]:
        """Name the environments to try: where the sweep places the engine of the truth, where it measures, all others."""
        there = [name for name, facts in self.context.environments.items() if facts is not None]
        first = [self.opened.places.of(engine.name), self.opened.environment]
        return list(dict.fromkeys(name for name in (*first, *there) if name in there))

    def _devices(self, engine: Engine, facts: Facts) -> list[tuple[str, int | None]]:
        """List devices with their memory in bytes; the GPU first where the artifact runs on one."""
        devices: list[tuple[str, int | None]] = [("cpu", facts.memory_bytes)]
        if self.opened.engine.provider == "cuda" and facts.gpus and "device" in engine.options.model_fields:
            devices.insert(0, ("cuda", facts.gpu_bytes))
        return devices

    def _truth(self, own: ArtifactRef, dtype: FloatType, environment: str, device: str) -> _Truth:
        engine = self.context.adapters.engine(self.opened.engine.adapter.truth)
        probe = self.context.adapters.probe(VERIFY_REFERENCE)
        record = _record(engine, dtype, device)
        spec = MeasureSpec(
            probe=probe.name, version=probe.version, engine=engine.name, engine_version=engine.version,
            engine_options=canonical_options(record), artifact=own.id,
        )  # fmt: skip
        key, provider = spec_key(spec), engine.provider(record)
        known = self.context.known((*engine.packages, *probe.packages), provider, environment)
        identity = reference_id(key, known)
        draft = Draft(
            kind="reference", spec=spec, key=key, environment=environment, artifact_group=self.made.id, artifact=identity,
            needs=own.needs, inputs=(own.input("artifact"),), provider=provider, timeout=self.opened.timeout,
            group=f"{own.id}:{engine.name}:{canonical(spec.engine_options)}:{environment}", known_by=known,
            bytes=min(_ROWS_BYTES, 4 * 384 * (own.vocabulary or 0)), parameters=own.parameters, opened_bytes=own.bytes,
        )  # fmt: skip
        return _Truth(identity, self.context.add(draft, self._labels(own)).id, dtype)


def _record(engine: Engine, dtype: str, device: str) -> Any:
    """Give the options with which the truth is computed: the type, the device, plain attention, as far as it has such options."""
    asked: Mapping[str, str] = {"dtype": dtype, "device": device, "attention": "eager"}
    return engine.options.model_validate(
        {key: value for key, value in asked.items() if key in engine.options.model_fields}
    )


def _too_large(need: int, room: int | None, dtype: str, device: str) -> str:
    """Say what a model needs where that is more than there is; sizes in bytes."""
    if room is None or need * _ROOM <= room:
        return ""
    where = "this machine" if device == "cpu" else "its GPU"
    return f"needs {need / 1e9:.0f} GB for the model in {dtype}, and {where} has {room / 1e9:.0f} GB"
