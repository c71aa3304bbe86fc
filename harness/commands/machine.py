"""This machine: which environments are on it, what they are, and the workspace opened to run a sweep."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from harness.commands.wheel_check import check_wheel, wheel_path
from harness.commands.workspace import Workspace, database_for_reading, lock_of, spec_files, sweep_path
from harness.core.errors import HarnessError
from harness.core.outcome import Environment
from harness.core.paths import NoHome, at_home, placed
from harness.core.registry import load
from harness.core.seam import Facts
from harness.core.spelling import unknown
from harness.environment_state import python_in
from harness.environments import folder_of
from harness.executors import EXECUTORS, process
from harness.executors.record import Executor, ExecutorOptions
from harness.host import environment, facts
from harness.plan.catalogue import load_catalogue
from harness.plan.context import MISSING
from harness.plan.entries import Catalogue, EnvironmentEntry
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.plan.sweep import Sweep
from harness.runner.opened import OpenWorkspace
from harness.store.database import Database
from harness.tables.declared import declared_of
from harness.tables.specfile import SUFFIX


@dataclass(frozen=True)
class CheckedSweep:
    """A sweep that a command has read, once, and the catalogue that it was held against: it keeps names of it, never what they stand for."""

    workspace: Workspace
    sweep: Sweep
    catalogue: Catalogue


@dataclass(frozen=True)
class Planned:
    """A sweep, its plan on this machine, and the environments that it names and that are here."""

    workspace: Workspace
    sweep: Sweep
    plan: Plan
    catalogue: Catalogue
    pythons: Mapping[str, Path]
    environments: Mapping[str, Environment]
    executor: Executor


def interpreters(catalogue: Catalogue, names: Iterable[str], root: Path) -> dict[str, Path]:
    """Find the interpreter of each environment that is on this machine; others are left out. root: of the workspace.

    `python:` of configs/local.yaml comes first, then `python:` of environments.yaml, then what `harness setup` made.
    Raises: HarnessError where a file names an interpreter that is not there.
    """
    found: dict[str, Path] = {}
    for name in names:
        entry = catalogue.environments.get(name)
        said = catalogue.local.python.get(name) or (entry.python if entry else None)
        if said:
            try:
                path = placed(said, root)
            except NoHome as error:
                raise HarnessError(f"environment {name}: {error}") from None
            if not path.exists():
                raise HarnessError(
                    f"environment {name}: {said} does not exist; fix `python:`, or run harness setup --env {name}"
                )
            found[name] = path
        elif folder := folder_of(name, root):
            found[name] = python_in(folder)
    return found


def queue_python(environment: str, workspace: Workspace) -> Path:
    """Name the interpreter in which batches of a queue run under an environment's name.

    Raises: HarnessError for a name that no file knows, or an environment that is not on this machine.
    """
    catalogue = load_catalogue(workspace.configs)
    found = interpreters(catalogue, [environment], workspace.root).get(environment)
    if found is None and environment in catalogue.environments:
        raise HarnessError(MISSING.format(environment))
    if found is None:
        raise HarnessError(unknown("environment", environment, catalogue.environments))
    return found


def described(pythons: Mapping[str, Path]) -> dict[str, Environment]:
    """Ask each environment of this machine what it is."""
    return {name: process.described(path, name) for name, path in pythons.items()}


def open_executor(pythons: Mapping[str, Path], catalogue: Catalogue, workspace: Workspace) -> Executor:
    """Give what runs a sweep's batches: what the command line names, else local.yaml, else this machine.

    Raises: HarnessError for one that there is not, or whose folder is none.
    """
    name, _, place = _said(catalogue, workspace).partition("=")
    path = None if not place else at_home(place).absolute() if workspace.executor else placed(place, workspace.root)
    opened: Executor = load(EXECUTORS, "executor", name)(ExecutorOptions(path, pythons, catalogue.local.slots))
    return opened


def _said(catalogue: Catalogue, workspace: Workspace) -> str:
    return workspace.executor or catalogue.local.executor


def _environments(executor: Executor, names: Sequence[str], said: str) -> dict[str, Environment]:
    """Ask where batches will run what the environments are. Raises: HarnessError where workers are needed and there are none."""
    found = {name: one for name in names if (one := executor.describe(name)) is not None}
    if names and not found and not executor.here:
        raise HarnessError(
            f"no worker of {said} has told what environment '{names[0]}' is; start one: "
            f"harness worker {names[0]} --queue {said.partition('=')[2]}"
        )
    return found


def known_names(workspace: Workspace) -> Catalogue:
    """Read a workspace's catalogues, and what metrics its published files declare. Raises: ConfigError with every mistake."""
    declared = cache(lambda: declared_of(workspace.own_published).metrics)
    return replace(load_catalogue(workspace.configs), published=declared)


def checked_sweep(name: str, workspace: Workspace) -> CheckedSweep:
    """Read a sweep by name or path and hold it against what the workspace knows.

    Raises: ConfigError with every mistake of the file; HarnessError where the sweep is not found.
    """
    catalogue = known_names(workspace)
    tables = {path.name.removesuffix(SUFFIX) for path in spec_files(workspace)}
    return CheckedSweep(workspace, read_sweep(sweep_path(name, workspace), catalogue, tables), catalogue)


def plan_sweep(name: str, workspace: Workspace) -> Planned:
    """Read a sweep by name or path and plan it on this machine. Raises: as `checked_sweep` and `plan_checked` do."""
    return plan_checked(checked_sweep(name, workspace))


def plan_checked(checked: CheckedSweep) -> Planned:
    """Plan a sweep on this machine as it is now. Raises: ConfigError with every mistake that only planning finds."""
    workspace, sweep, catalogue = checked.workspace, checked.sweep, checked.catalogue
    names = environments_of(sweep)
    pythons = interpreters(catalogue, names, workspace.root)
    executor = open_executor(pythons, catalogue, workspace)
    environments = _environments(executor, names, _said(catalogue, workspace))
    here: dict[str, Facts | None] = dict.fromkeys(names)
    here |= {name: replace(facts(one), interpreter=pythons.get(name)) for name, one in environments.items()}
    return Planned(workspace, sweep, expand(sweep, catalogue, here), catalogue, pythons, environments, executor)


def environments_of(sweep: Sweep) -> list[str]:
    """Name the environments that a sweep's jobs stand in."""
    return sorted({name for case in sweep.cases for places in case.places for name in places.names.values()})


def make_environment(name: str | None, workspace: Workspace, *, quiet: bool = False) -> None:
    """Make an environment: from its lock file, or as environments.yaml puts one on top of another.

    Raises: HarnessError for an unknown name, or an entry that nothing can be made from.
    """
    from harness.commands.fresh import refresh
    from harness.environments import HOME_NAME, setup

    name = name or HOME_NAME
    catalogue = load_catalogue(workspace.configs)
    entry = catalogue.environments.get(name)
    if (entry is None or entry.lock) and (lock := lock_of(name, workspace, entry.lock if entry else None)):
        setup(name, root=workspace.root, lock=lock, quiet=quiet, system=entry.system if entry else None)
        return
    if entry is None:
        raise HarnessError(unknown("environment", name, catalogue.environments))
    if entry.python:
        raise HarnessError(
            f"environment '{name}' is an existing interpreter (`python:`) and cannot be set up; install its packages yourself"
        )
    if entry.refresh == "each-run":
        refresh({name: entry}, workspace, lambda line: None if quiet else print_line(line))
        return
    setup_on_top(name, entry, workspace, quiet=quiet)


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def setup_on_top(name: str, entry: EnvironmentEntry, workspace: Workspace, *, quiet: bool = False) -> None:
    """Make an environment from another one's lock file and what its entry adds: packages, wheels, git sources."""
    from harness.environments import setup

    lock = lock_of(entry.on, workspace) if entry.on else None
    if entry.on and lock is None:
        raise HarnessError(f"environment '{name}' is based on '{entry.on}', which has no lock file")
    said = [entry.wheel] if isinstance(entry.wheel, str) else list(entry.wheel)
    try:
        files = {wheel: wheel_path(wheel, workspace.root) for wheel in said}
    except HarnessError as error:
        raise HarnessError(f"environment '{name}': {error}") from None
    for wheel, path in files.items():
        if "*" in wheel and not path.is_file():
            raise HarnessError(f"environment '{name}': there is no file {wheel}; a pattern needs `refresh: each-run`")
        if path.is_file() and path.suffix == ".whl":
            check_wheel(path)
    wheels = tuple(str(path) if path.is_file() else wheel for wheel, path in files.items())
    setup(
        name, root=workspace.root, quiet=quiet, lock=lock, packages=entry.packages, wheels=wheels, system=entry.system
    )


def open_workspace(planned: Planned, stack: ExitStack) -> OpenWorkspace:
    """Open the results folder and its database for running a plan."""
    return _opened(planned, stack.enter_context(Database.open(planned.workspace.database, planned.workspace.results)))


def open_for_reading(planned: Planned, stack: ExitStack) -> OpenWorkspace:
    """Open the results folder to see what is known; where there is none yet, none is made."""
    return _opened(planned, stack.enter_context(database_for_reading(planned.workspace)))


def _own(planned: Planned) -> Environment:
    """Describe the runner's own environment; where the plan has done so already, it is not asked again."""
    here = [name for name, python in planned.pythons.items() if python == Path(sys.executable)]
    return planned.environments[here[0]].model_copy(update={"name": "own"}) if here else environment("own")


def _opened(planned: Planned, database: Database) -> OpenWorkspace:
    return OpenWorkspace(
        results=planned.workspace.results,
        database=database,
        executor=planned.executor,
        environments=planned.environments,
        describe_own=partial(_own, planned),
    )
