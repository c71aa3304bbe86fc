"""What a job asks, whatever versions answer it: an artifact is named by what its build was asked, not by the packages that built it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.registry import load
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.keys import spec_key
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS
from harness.store.cache import Maker
from harness.store.database import Database

JobSpec = BuildSpec | MeasureSpec


@dataclass(frozen=True)
class Lineage:
    """Jobs, and the runs that made what they read."""

    jobs: Mapping[str, JobSpec]
    """By key; those of the makers, too."""
    makers: Mapping[str, Sequence[Maker]]
    """By the id of what they made, the latest last."""
    folders: frozenset[str] = frozenset()
    """Ids of what nobody made here: models' own folders and ready artifacts, whose ids are their content."""
    _asked: dict[str, str] = field(default_factory=dict)

    def asked(self, key: str) -> str:
        """Hash what a job asks (64 hex digits): its key, were no version in the ids of what it reads.

        What no run on record made, as a model's own folder, stands for itself by its id: its content.
        """
        if key not in self._asked:
            self._asked[key] = key  # nobody reads what is made from it, but for a record of another hand
            spec = self.jobs.get(key)
            read = _read(spec)
            named = {name: self._named(identity) for name, identity in read.items()}
            if spec is not None and named != read:
                self._asked[key] = spec_key(spec.model_copy(update=named), _located(spec))
        return self._asked[key]

    def _named(self, identity: str) -> str:
        makers = self.makers.get(identity)
        return self.asked(makers[-1].job_key) if makers else identity

    def work(self, key: str) -> str:
        """Hash what a job does with whatever build or reference it reads (64 hex digits); a folder counts by its content."""
        spec = self.jobs.get(key)
        if spec is None:
            return key
        named = {name: identity if identity in self.folders else "made" for name, identity in _read(spec).items()}
        return spec_key(spec.model_copy(update=named), _located(spec))

    def lacks(self, key: str) -> bool:
        """Tell whether something that a job reads was made, and who made it is not on record."""
        seen, waiting = set[str](), [key]
        while waiting:
            for identity in {*_read(self.jobs.get(waiting.pop())).values()} - seen - self.folders:
                if not self.makers.get(identity):
                    return True
                seen.add(identity)
                waiting.append(self.makers[identity][-1].job_key)
        return False

    def behind(self, key: str, moment: str, machine: str) -> dict[str, Maker]:
        """Return who had made what a job read, and what that was made from, by what each was asked, nearest first.

        moment: when the job's run counts from, ISO in UTC. machine: where it ran.
        """
        found: dict[str, Maker] = {}
        waiting = [(key, moment, machine)]
        while waiting:
            job, read_at, where = waiting.pop(0)
            for identity in _read(self.jobs.get(job)).values():
                maker = _maker(self.makers.get(identity, ()), read_at, where)
                if maker is not None and self.asked(maker.job_key) not in found:
                    found[self.asked(maker.job_key)] = maker
                    waiting.append((maker.job_key, maker.moment, maker.machine))
        return found


def _maker(makers: Sequence[Maker], moment: str, machine: str) -> Maker | None:
    """Choose of those who made the same the last one before a moment, on the machine itself if there is one; the earliest where none was before."""
    before = [maker for maker in makers if maker.moment <= moment]
    if before:
        return ([maker for maker in before if maker.machine == machine] or before)[-1]
    return makers[0] if makers else None


def lineage_of(sources: Sequence[Database], keys: Iterable[str], folders: Iterable[str] = ()) -> Lineage:
    """Gather what is known of jobs (by key) and of all that made something; of a job that several sources know, the first one's counts.

    folders: ids that are known to be contents; what a build calls its model is one, unless somebody made it.
    """
    makers: dict[str, list[Maker]] = {}
    for source in sources:
        for identity, made in source.makers().items():
            together = dict.fromkeys([*makers.get(identity, ()), *made])
            makers[identity] = sorted(together, key=lambda maker: maker.moment)
    wanted = {*keys, *(maker.job_key for made in makers.values() for maker in made)}
    jobs: dict[str, JobSpec] = {}
    for source in reversed(sources):
        jobs |= source.specs(wanted)
    models = {spec.model for spec in jobs.values() if isinstance(spec, BuildSpec)}
    return Lineage(jobs, makers, frozenset({*models, *folders} - makers.keys()))


def _read(spec: JobSpec | None) -> dict[str, str]:
    """Return the ids of what a job reads, by the field of its specification."""
    if spec is None:
        return {}
    said = (
        {"model": spec.model, "base": spec.base}
        if isinstance(spec, BuildSpec)
        else {"artifact": spec.artifact, "reference": spec.reference}
    )
    return {name: identity for name, identity in said.items() if identity}


def _located(spec: JobSpec) -> tuple[str, ...]:
    """Name what only says where contents lie, as the adapter declares it; of an adapter that is not here nothing."""
    if isinstance(spec, BuildSpec):
        what, name, registry = "quantizer", spec.quantizer, QUANTIZERS
    else:
        what, name, registry = "probe", spec.probe, PROBES
    if not spec.contents or name not in registry:
        return ()
    found: tuple[str, ...] = load(registry, what, name).located
    return found
