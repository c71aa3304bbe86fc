"""What a piece of work says that its environment must have: held against what is installed there, or against the pins of one that is not here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from packaging.requirements import Requirement

from harness.core.seam import Facts
from harness.environments import LOCKS, is_for
from harness.plan.entries import Catalogue, EnvironmentEntry
from harness.plan.keys import normal

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def unmet(requires: Sequence[str], environment: str, facts: Facts | None, catalogue: Catalogue) -> str | None:
    """Say which requirement an environment does not meet, and which environment does; None where all are met, or nobody knows.

    requires: as pip reads them. Of an environment that is not on this machine (no facts) a pin of another version is known, and nothing else.
    """
    there = _pins(environment, catalogue.environments) if facts is None else _normal(facts.packages)
    for said in map(Requirement, requires):
        version = there.get(normal(said.name))
        if _meets(version, said) or (version is None and facts is None):
            continue
        has = f"has {said.name} {version}" if version else f"lacks {said.name}"
        return f"environment '{environment}' {has}, and the command needs {said}: {_remedy(requires, said, catalogue)}"
    return None


def names_of(requires: Sequence[str]) -> tuple[str, ...]:
    """Name the packages of requirements."""
    return tuple(Requirement(said).name for said in requires)


def _remedy(requires: Sequence[str], said: Requirement, catalogue: Catalogue) -> str:
    """Name an environment whose pins meet everything and the command that makes it, else the command that installs what is lacking."""
    for name, entry in catalogue.environments.items():
        pins = _locked(name, catalogue.environments)
        if is_for(entry.system) and all(_meets(pins.get(normal(one.name)), one) for one in map(Requirement, requires)):
            return f"take environment {name}, which `harness setup --env {name}` makes"
    return f"run there `python -m pip install '{said}'`"


def _meets(version: str | None, said: Requirement) -> bool:
    return version is not None and said.specifier.contains(version.partition("@")[0], prereleases=True)


def _pins(name: str, known: Mapping[str, EnvironmentEntry]) -> dict[str, str]:
    """Read the pins of an environment's entry; those of lock files are left out."""
    entry = known.get(name)
    said = map(Requirement, entry.packages) if entry else ()
    return {normal(one.name): pin.version for one in said for pin in one.specifier}


def _locked(name: str, known: Mapping[str, EnvironmentEntry]) -> dict[str, str]:
    """Read the pins of an environment, of its lock file that ships, and of those that it stands on; one that stands on itself ends there."""
    pins: dict[str, str] = {}
    seen: set[str] = set()
    at: str | None = name
    while at is not None and at in known and at not in seen:
        seen.add(at)
        entry = known[at]
        try:
            text = (LOCKS.parent / entry.lock).read_text("utf-8") if entry.lock else ""
        except OSError:
            text = ""
        pins = {**{normal(pin): version for pin, version in _PIN.findall(text)}, **_pins(at, known), **pins}
        at = entry.on
    return pins


def _normal(packages: Mapping[str, str]) -> dict[str, str]:
    return {normal(name): version for name, version in packages.items()}
