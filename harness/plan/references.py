"""What a candidate is compared with: a stored reference, or a live one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.identity import canonical
from harness.core.spec import Input
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.sweep import EngineChoice, ProbeWork

CAP_BYTES = 2 << 30
"""Up to this size a reference is written down; a larger one is run live beside the candidate."""


@dataclass(frozen=True)
class Candidate:
    """An artifact opened by an engine in an environment."""

    made: ArtifactRef
    engine: EngineChoice
    asked: EngineChoice
    """The engine as the sweep says it, without what the method promises."""
    environment: str
    refused: str | None
    group: str
    verified: tuple[str, ...] = ()
    """Plan ids of the jobs that verify it and what it was made from."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that what it computes stands on."""
        return (*self.engine.adapter.packages, *self.made.runtime)


@dataclass(frozen=True)
class Against:
    """A reference as a measurement sees it."""

    id: str | None = None
    engine: str | None = None
    inputs: tuple[Input, ...] = ()
    needs: tuple[str, ...] = ()
    refused: str | None = None
    label: str = ""
    packages: tuple[str, ...] = ()
    """Packages that a live reference stands on; a stored one has them in its id."""


NO_REFERENCE = Against()


def stored_bytes(made: ArtifactRef, work: ProbeWork) -> int:
    """Size of a stored reference: a float32 for every scored token and every entry of the vocabulary."""
    return 4 * (work.adapter.scored_tokens(work.record) or 0) * (made.vocabulary or 0)


def live(other: Candidate, candidate: Candidate, label: str) -> Against:
    """Take a reference that is run beside its candidate."""
    engine = other.engine
    whole = {"engine": engine.adapter.name, "version": engine.adapter.version, "options": engine.options}
    same = engine.adapter is candidate.engine.adapter and engine.options == candidate.engine.options
    found = other.made.input("reference", engine=engine.adapter.name, engine_options=engine.options)
    refused = other.refused
    if other.environment != candidate.environment:
        refused = refused or (
            f"a live reference runs beside its candidate, in one environment, not in '{other.environment}' and "
            f"'{candidate.environment}': say form: stored"
        )
    return Against(
        other.made.id, None if same else canonical(whole), (found,), (*other.verified, *other.made.needs), refused, label,
        other.packages,
    )  # fmt: skip
