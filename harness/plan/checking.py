"""Which output is scored: that of greedy generation, once for each piece of work on an artifact, in a job of quality."""

from __future__ import annotations

from dataclasses import replace

from harness.core.capabilities import fits
from harness.core.options import canonical_options
from harness.core.spec import MeasureSpec
from harness.plan.adapters import OUTPUT_CHECK
from harness.plan.context import PlanContext
from harness.plan.jobs import Draft
from harness.plan.keys import spec_key
from harness.plan.sweep import EngineChoice, ProbeWork


def check_of(
    context: PlanContext, speed: Draft, work: ProbeWork, engine: EngineChoice, packages: tuple[str, ...]
) -> Draft | None:
    """Plan the job that scores what a speed job generates; None where nothing can be scored or the speed job is not run.

    packages: what the opened artifact computes with.
    """
    given = work.adapter.checked(work.record)
    if given is None or speed.refused or speed.other_gpu or OUTPUT_CHECK not in context.adapters.probes:
        return None
    probe = context.adapters.probe(OUTPUT_CHECK)
    if not fits(probe.needs, engine.adapter.offers):
        return None
    assert isinstance(speed.spec, MeasureSpec)
    record = probe.workload.model_validate(dict(given))
    spec = speed.spec.model_copy(
        update={"probe": probe.name, "version": probe.version, "workload": canonical_options(record)}
    )
    return replace(
        speed, kind="quality", spec=spec, key=spec_key(spec, probe.located), own_process=False, alone=False, size=0,
        precision=0.0, rounds=1, labels=[], asked=(record, engine.record), known_by=context.known((*packages, *probe.packages), engine.provider, speed.environment),
    )  # fmt: skip
