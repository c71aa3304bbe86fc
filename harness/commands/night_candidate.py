"""The candidate of a night: an environment by name, or a wheel that gets one beside the baseline's lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.commands.fresh import follow
from harness.commands.machine import CheckedSweep
from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.environments import folder_of
from harness.plan.entries import Catalogue, EnvironmentEntry

TONIGHT = "-tonight"
"""Ends the name of the environment that a wheel gets, behind the baseline's."""


def is_wheel(word: str) -> bool:
    """Tell a wheel file, an address or a repository from the name of an environment."""
    return word.endswith(".whl") or word.startswith(("git+", "http://", "https://"))


def with_candidate(
    checked: CheckedSweep, baseline: str, candidate: str, say: Callable[[str], None]
) -> tuple[CheckedSweep, str]:
    """Find both environments; a wheel is installed first. Also return the candidate's name.

    Raises: HarnessError for names that there are not, or a wheel that cannot be had; Trouble for one that cannot be installed.
    """
    catalogue = checked.catalogue
    for name in [baseline, *([] if is_wheel(candidate) else [candidate])]:
        if name not in catalogue.environments:
            raise HarnessError(unknown("environment", name, catalogue.environments))
    if baseline == candidate:
        raise HarnessError(
            f"baseline and candidate are both {baseline}; name two environments, or give one interpreter two names in environments.yaml"
        )
    if not is_wheel(candidate):
        return checked, candidate
    name = f"{baseline}{TONIGHT}"
    if name in catalogue.environments:
        raise HarnessError(
            f"the wheel's environment would be called {name}, and environments.yaml has one of that name; give that another"
        )
    entry = _entry(baseline, candidate, catalogue, checked.workspace)
    follow(name, entry, checked.workspace, say, folder_of(name, checked.workspace.root))
    made = entry.model_copy(update={"refresh": "never"})
    more = replace(catalogue, environments={**catalogue.environments, name: made})
    return replace(checked, catalogue=more), name


def _entry(baseline: str, wheel: str, catalogue: Catalogue, workspace: Workspace) -> EnvironmentEntry:
    """Say what the wheel's environment is made of: the baseline's lock and packages, and the wheel."""
    below = catalogue.environments[baseline]
    on = below.on or baseline
    lock = lock_of(on, workspace, catalogue.environments[on].lock if on in catalogue.environments else None)
    if lock is None and not below.packages:
        raise HarnessError(
            f"environment {baseline} has no lock file to put {wheel} beside; make an environment with the wheel yourself and name it as --candidate"
        )
    wheels = below.wheel if isinstance(below.wheel, tuple) else tuple(filter(None, [below.wheel]))
    return EnvironmentEntry(
        on=on if lock is not None else None, packages=below.packages, wheel=(*wheels, wheel), refresh="each-run",
        system=below.system, title=f"{below.title or baseline} tonight",
    )  # fmt: skip
