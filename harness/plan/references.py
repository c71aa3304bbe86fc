"""What a candidate is compared with: a stored reference, or a live one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.identity import canonical
from harness.core.spec import Input
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.sweep import EngineChoice, ProbeWork

CAP_BYTES = 2 << 30
"""Up to this size log-probabilities are written down; a larger reference is run live beside the candidate."""
HIDDEN_CAP_BYTES = 32 << 30
"""As much for hidden states with their head."""


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


def is_stored(other: Candidate, work: ProbeWork) -> bool:
    """Tell whether a reference is written down: where it is asked for, or its size is known and not too large."""
    form = getattr(work.record, "form", "auto")
    if form != "auto" or work.adapter.scored_tokens(work.record) is None or other.made.vocabulary is None:
        return bool(form == "stored")
    return stored_bytes(other, work) <= (HIDDEN_CAP_BYTES if keeps_hidden(other, work) else CAP_BYTES)


def keeps_hidden(other: Candidate, work: ProbeWork) -> bool:
    """Tell whether a stored reference is hidden states, where the head can be cut off: the engine gives them, and their size is known."""
    asked = getattr(work.record, "stores", "logprobs")
    return asked != "logprobs" and "hidden" in other.engine.adapter.offers and _hidden(other.made) is not None


def stored_bytes(other: Candidate, work: ProbeWork) -> int:
    """Size of a stored reference: for every scored token a float for each hidden state, and the head; else a float32 for each entry of the vocabulary."""
    positions, vocabulary = work.adapter.scored_tokens(work.record) or 0, other.made.vocabulary or 0
    hidden = _hidden(other.made) or 0
    if not keeps_hidden(other, work):
        return 4 * positions * vocabulary
    return (4 if getattr(work.record, "stores", "") == "float32" else 2) * positions * hidden + 4 * hidden * vocabulary


def _hidden(made: ArtifactRef) -> int | None:
    """Read the size of hidden states from the configuration of the model behind an artifact."""
    record = next((one.record for one in (made, *made.bases) if one.record is not None), None)
    names = ("hidden_size", "n_embd")
    sizes = [record.config.get(name) for name in names] if record is not None else []
    return next((size for size in sizes if isinstance(size, int)), None)


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
