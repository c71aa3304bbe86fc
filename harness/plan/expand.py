"""From a sweep to a plan: every combination becomes jobs, equal jobs become one, each with its key and its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.core.identity import canonical
from harness.core.options import canonical_options, problems_of
from harness.core.seam import Facts
from harness.core.spec import Input, Labels, MeasureSpec
from harness.plan.adapters import OUTPUT_CHECK, OWN, SOURCE, STORED_REFERENCE
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.building import artifact
from harness.plan.checking import check_of
from harness.plan.context import PlanContext
from harness.plan.entries import Catalogue
from harness.plan.gpu_room import too_old, too_small
from harness.plan.here import gpus_of, other_gpu, sources_of, too_long
from harness.plan.jobs import Draft, Plan, PlannedJob, all_kept, ordered
from harness.plan.keys import reference_id, spec_key
from harness.plan.references import CAP_BYTES, NO_REFERENCE, Against, Candidate, is_stored, live, stored_bytes
from harness.plan.requirements import names_of, unmet
from harness.plan.sources import hash_model
from harness.plan.sweep import Case, Choice, EngineChoice, Places, ProbeWork, ReferenceChoice, Sweep
from harness.plan.verifying import OpenedBy, verify
from harness.plan.yamlfile import collecting

__all__ = ["CAP_BYTES", "Plan", "PlannedJob", "expand"]


def expand(
    sweep: Sweep,
    catalogue: Catalogue,
    environments: Mapping[str, Facts | None],
    *,
    hashed: Callable[[Path], str] = hash_model,
) -> Plan:
    """Plan a sweep on this machine.

    `environments` says what is in each environment by name; one that is absent or None is not on this machine, and its
    jobs are refused with the remedy. `hashed` gives a model folder's content hash.

    Raises: ConfigError with everything that cannot be planned at all.
    """
    environments = {name: replace(facts, name=name) if facts else None for name, facts in environments.items()}
    with all_kept(), collecting() as mistakes:
        context = PlanContext(sweep.name, catalogue, environments, mistakes, hashed, verifies=sweep.verify)
        gpus = (catalogue.local.gpu,) if catalogue.local.gpu else gpus_of(environments)
        for case in sweep.cases:
            context.node = case.node
            _Product(context, case, other_gpu(case, gpus)).plan()
        if sweep.cases and not context.drafts and not mistakes.found:
            mistakes.add("'skip' skips every job", sweep.cases[0].node)
        mistakes.check()
        return Plan(
            sweep.name, ordered(context.drafts), sweep.title, sweep.tables, sweep.rerun, sources_of(environments)
        )


@dataclass
class _Product:
    """One case while it is expanded."""

    context: PlanContext
    case: Case
    other_gpu: str | None
    _engines: dict[tuple[int, str], EngineChoice | None] = field(default_factory=dict)
    _refusals: dict[tuple[int, str, int], str | None] = field(default_factory=dict)
    _contents: dict[int, dict[str, str]] = field(default_factory=dict)
    _called: dict[tuple[str, ...], Labels] = field(default_factory=dict)

    def plan(self) -> None:
        """Plan every combination, model by model and method by method."""
        works = sorted(self.case.works, key=lambda work: work.reference is None)
        for model, choice, places, engine in self._combinations():
            wanted = [
                work for work in works if not self._skipped(model, choice.method, places, engine, work.adapter.name)
            ]
            candidate = self._candidate(model, choice, engine, places) if wanted else None
            for work in wanted if candidate else ():
                assert candidate is not None
                self._limit(candidate.made.needs)
                self._measure(model, candidate, places, work)

    def _limit(self, needs: Iterable[str]) -> None:
        """Give the builds behind a candidate the case's time limit; of several cases the longest."""
        for draft in (self.context.drafts[need] for need in needs if self.case.timeout is not None):
            draft.timeout = max(draft.timeout or 0.0, self.case.timeout or 0.0)
            self._limit(draft.needs)

    def _combinations(self) -> Iterator[tuple[str, Choice, Places, EngineChoice]]:
        for named in self.case.models:
            ready = self.context.catalogue.models[named.name].entry.ready
            choices = (Choice(ready.method, None, named.node),) if ready else self.case.methods
            for choice in choices:
                for places in self.case.places:
                    for engine in self.case.engines:
                        yield named.name, choice, places, engine

    def _skipped(self, model: str, method: str, places: Places, engine: EngineChoice, probe: str) -> bool:
        if not self.case.skip:
            return False
        name = engine.adapter.name
        values = {
            "model": model,
            "method": method,
            "engine": name,
            "environment": places.of(name),
            "probe": probe,
        }
        return any(all(values[key] in names for key, names in entry.items()) for entry in self.case.skip)

    def _candidate(self, model: str, choice: Choice, engine: EngineChoice, places: Places) -> Candidate | None:
        name = engine.adapter.name
        environment = self.context.place(places, name)
        made = artifact(self.context,
            model, choice, formats=engine.adapter.consumes, reader=f"engine '{name}'", provider=engine.provider,
            places=places, block=self.case.block, other_gpu=self.other_gpu,
        )  # fmt: skip
        opened = self._opened(engine, made) if made else None
        if made is None or environment is None or opened is None:
            return None
        refused = (
            self._engine_refusal(opened, environment) or made.refused or self._model_refusal(opened, environment, made)
        )
        group = f"{made.id}:{name}:{canonical(opened.options)}:{environment}"
        verified: tuple[str, ...] = ()
        if refused is None and self.other_gpu is None:
            opener = OpenedBy(opened, environment, places, self.case.block, self.case.timeout)
            verified = verify(self.context, made, opener, wanted=self.context.verifies)
        return Candidate(made, opened, engine, environment, refused, group, verified)

    def _opened(self, engine: EngineChoice, made: ArtifactRef) -> EngineChoice | None:
        """Tell the engine what the recipe `source` promises, as the dtype of method fp16."""
        if made.recipe not in OWN:
            return engine
        key = (id(engine), made.method)
        if key not in self._engines:
            self._engines[key] = self._told(engine, made.method)
        return self._engines[key]

    def _told(self, engine: EngineChoice, method: str) -> EngineChoice | None:
        adapter = engine.adapter
        promised = self.context.catalogue.methods[method].recipes[SOURCE]
        told = {key: value for key, value in promised.options.items() if key in adapter.options.model_fields}
        given = engine.record.model_dump()
        for key, value in told.items():
            if key in engine.said and given[key] != value:
                message = f"method '{method}' sets {key} {value}, but engine '{adapter.name}' is given {given[key]}"
                self.context.mistakes.add(f"{message}: leave '{key}' out, or take the method of that name", engine.node)
                return None
        problems = problems_of(adapter.options, given | told, f"engine '{adapter.name}'")
        for _, message in problems:
            self.context.mistakes.add(message, promised.node)
        if problems:
            return None
        record = adapter.options.model_validate(given | told)
        return replace(engine, options=canonical_options(record), record=record)

    def _engine_refusal(self, engine: EngineChoice, environment: str) -> str | None:
        key = (id(engine), environment, 0)
        if key not in self._refusals:
            facts = self.context.facts(environment)
            reason = self.context.missing(environment) if facts is None else engine.adapter.refuse(engine.record, facts)
            self._refusals[key] = reason
        return self._refusals[key]

    def _model_refusal(self, engine: EngineChoice, environment: str, made: ArtifactRef) -> str | None:
        facts = self.context.facts(environment)
        if facts is None:
            return None
        absent = facts.wants(*made.runtime)
        said = engine.adapter.refuse_model(engine.record, facts, made.record) if made.record else None
        return absent or said or too_old(made, engine, facts) or too_small(made, engine, facts)

    def _reach_refusal(self, candidate: Candidate, work: ProbeWork) -> str | None:
        """Say why work goes too far into the model's context, or over a border that this engine cannot cross."""
        reach, record = work.adapter.reach(work.record), candidate.made.record
        if reach is None or record is None:
            return None
        return too_long(reach, record) or candidate.engine.adapter.refuse_reach(candidate.engine.record, record, reach)

    def _work_refusal(self, work: ProbeWork, environment: str) -> str | None:
        facts = self.context.facts(environment)
        if facts is None:
            return None
        key = (id(work), environment, 1)
        if key not in self._refusals:
            self._refusals[key] = work.adapter.refuse(work.record, facts)
        return self._refusals[key]

    def _read(self, work: ProbeWork) -> dict[str, str]:
        """Hash what a probe reads, once for each piece of work."""
        if self.other_gpu:
            return {}
        if id(work) not in self._contents:
            self._contents[id(work)] = self.context.contents(work.adapter.contents, work.record, work.node)
        return self._contents[id(work)]

    def _measure(self, model: str, candidate: Candidate, places: Places, work: ProbeWork) -> None:
        requires = work.adapter.requires(work.record)
        lacking = unmet(
            requires, candidate.environment, self.context.facts(candidate.environment), self.context.catalogue
        )
        refused = (
            lacking
            or candidate.refused
            or self._work_refusal(work, candidate.environment)
            or work.adapter.refuse_on(work.record, candidate.engine.adapter.offers)
            or self._reach_refusal(candidate, work)
        )
        against = self._reference(model, candidate, places, work, work.reference) if work.reference else NO_REFERENCE
        if against is None:
            return
        made, engine, probe = candidate.made, candidate.engine, work.adapter
        spec = MeasureSpec(
            probe=probe.name, version=probe.version, workload=work.workload, engine=engine.adapter.name,
            engine_version=engine.adapter.version, engine_options=engine.options, artifact=made.id,
            reference=against.id, reference_engine=against.engine, contents=self._read(work),
        )  # fmt: skip
        packages = (*candidate.packages, *probe.packages, *against.packages, *names_of(requires))
        known = self.context.known(packages, engine.provider, candidate.environment)
        draft = Draft(
            kind=probe.kind, spec=spec, key=spec_key(spec, probe.located), environment=candidate.environment, artifact_group=made.id,
            needs=tuple(dict.fromkeys((*candidate.verified, *made.needs, *against.needs))), provider=engine.provider, own_process=probe.own_process,
            alone=probe.alone, size=probe.size(work.record), precision=self.case.precision,
            parameters=made.parameters, opened_bytes=made.bytes, rounds=self.case.rounds if probe.kind == "speed" else 1,
            asked=(work.record, engine.record), declared=work.declared,
            inputs=(made.measured, *against.inputs), timeout=self.case.timeout, group=candidate.group,
            refused=refused or against.refused, other_gpu=self.other_gpu, known_by=known,
        )  # fmt: skip
        labels = self._labels(made, against.label)
        if probe.kind == "speed" and not self._skipped(model, made.method, places, engine, OUTPUT_CHECK):
            check = check_of(self.context, draft, work, engine, candidate.packages)
            draft.check = self.context.add(check, labels).id if check else None
        runs = probe.kind == "speed" and not draft.refused and not draft.other_gpu
        for number in range(self.case.rounds if runs else 1):
            found = self.context.add(draft if number == 0 else replace(draft, round=number, labels=[]), labels)
            found.check, found.precision = found.check or draft.check, min(found.precision, draft.precision)

    def _labels(self, made: ArtifactRef, reference: str = "") -> Labels:
        key = (made.model, made.method, made.recipe, reference)
        if key not in self._called:
            self._called[key] = Labels(
                sweep=self.context.sweep, block=self.case.block, model=made.model, method=made.method, recipe=made.recipe,
                reference=reference,
            )  # fmt: skip
        return self._called[key]

    def _reference(
        self, model: str, candidate: Candidate, places: Places, work: ProbeWork, choice: ReferenceChoice
    ) -> Against | None:
        """Plan what a candidate is compared with: a stored reference where it fits, else a live one."""
        ready = self.context.catalogue.models[model].entry.ready
        other = self._candidate(ready.of if ready else model, choice.method, choice.engine or candidate.asked, places)
        if other is None:
            return None
        label = choice.method.method
        if other.engine.adapter.name != candidate.engine.adapter.name:
            label += f"@{other.engine.adapter.name}"
        if not is_stored(other, work):
            return live(other, candidate, label)
        artifact_group = other.made.id if other.made.id in self.context.artifact_groups else candidate.made.id
        return self._stored(other, work, label, artifact_group)

    def _stored(self, other: Candidate, work: ProbeWork, label: str, artifact_group: str) -> Against:
        probe = self.context.adapters.probe(STORED_REFERENCE)
        record = self._stored_workload(work)
        made, engine = other.made, other.engine
        spec = MeasureSpec(
            probe=probe.name, version=probe.version, workload=canonical_options(record), engine=engine.adapter.name,
            engine_version=engine.adapter.version, engine_options=engine.options, artifact=made.id,
            contents=self._read(work),
        )  # fmt: skip
        key = spec_key(spec, probe.located)
        known = self.context.known(other.packages, engine.provider, other.environment)
        identity = reference_id(key, known)
        draft = self.context.add(
            Draft(
                kind="reference", spec=spec, key=key, environment=other.environment, artifact_group=artifact_group,
                artifact=identity, needs=(*other.verified, *made.needs), inputs=(made.measured,), provider=engine.provider,
                own_process=probe.own_process, timeout=self.case.timeout, group=other.group, refused=other.refused,
                other_gpu=self.other_gpu, known_by=known, bytes=stored_bytes(other, work),
                parameters=made.parameters, opened_bytes=made.bytes,
            ),
            self._labels(made),
        )  # fmt: skip
        found = Input(role="reference", id=identity, path="", provenance={"made_from": made.id})
        return Against(identity, None, (found,), (draft.id,), draft.refused, label)

    def _stored_workload(self, work: ProbeWork) -> Any:
        """Give the stored reference the fields that it shares with the comparison, defaults written out."""
        cls = self.context.adapters.probe(STORED_REFERENCE).workload
        values = work.record.model_dump()
        return cls.model_validate({key: value for key, value in values.items() if key in cls.model_fields})
