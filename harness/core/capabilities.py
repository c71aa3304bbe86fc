"""What engines offer and probes live on: an open set of names, those known here with the protocol of `sessions` behind each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from harness.core.errors import HarnessError
from harness.core.painting import Paints
from harness.core.sessions import Scores, Session

Capability = str
"""A name that an engine declares and a probe asks for; an adapter of somebody's own may bring one that nobody here knows."""
Needs = tuple[frozenset[Capability], ...]
"""What a probe can live on: any one of these sets is enough."""


@dataclass(frozen=True)
class Known:
    """A capability in words, and what a session that has it must have."""

    words: str
    """Completes `an engine that ...`."""
    members: tuple[str, ...] = ()
    """Methods and fields of its protocol beyond `Session`."""


CAPABILITIES: Final[Mapping[Capability, Known]] = {
    "generates": Known("generates", ("codec", "generate")),
    "tells": Known("tells which tokens it generated"),
    "scores": Known("scores", ("codec", "score", "logprobs", "greedy")),
    "hidden": Known("gives final hidden states and its head apart", ("codec", "hidden", "save_head")),
    "whole": Known("runs a text in one plain pass", ("codec", "whole", "switches")),
    "runs": Known("leaves the artifact to a command", ("folder",)),
    "reports": Known("drives a program that reports", ("report",)),
    "paints": Known("paints pictures", ("paint",)),
    "serves": Known("counts repetitions as requests, up to a batch of them at a time", ("report",)),
}


def fits(needs: Needs, offers: Iterable[Capability]) -> bool:
    """Say whether an engine offers one of the sets that a probe can live on."""
    return any(one <= frozenset(offers) for one in needs)


def lacking(probe: str, needs: Needs, engine: str, offers: frozenset[Capability]) -> str | None:
    """Say in plain English which capability an engine lacks; None where a probe can live on it."""
    if fits(needs, offers):
        return None
    absent = " or ".join(_and(one - offers) for one in needs)
    return f"probe '{probe}' needs an engine that {absent}; '{engine}' does not: leave one of them out"


def _and(names: Iterable[Capability]) -> str:
    return " and ".join(
        CAPABILITIES[name].words if name in CAPABILITIES else f"offers '{name}'" for name in sorted(names)
    )


def check_session(session: Session, offers: Iterable[Capability], engine: str) -> None:
    """Hold an opened session against what its engine declares; a capability that is not known here says nothing.

    Raises: HarnessError naming what the session lacks.
    """
    for name in sorted(offers):
        known = CAPABILITIES.get(name)
        missing = [member for member in known.members if not _has(session, member)] if known else []
        if missing:
            raise HarnessError(
                f"engine '{engine}' offers '{name}', and what it opened has no {' and no '.join(missing)}; correct the engine's `offers`"
            )


def scores(session: Session, engine: str) -> Scores:
    """Give a session as one that scores. Raises: HarnessError where it does not."""
    check_session(session, {"scores"}, engine)
    return cast("Scores", session)


def paints(session: Session, engine: str) -> Paints:
    """Give a session as one that paints. Raises: HarnessError where it does not."""
    check_session(session, {"paints"}, engine)
    return cast("Paints", session)


def _has(session: Session, member: str) -> bool:
    """Look without computing: what a property gives may take an opened model."""
    return member in getattr(session, "__dict__", {}) or hasattr(type(session), member)
