"""The workspace: the folder in which somebody keeps configs, results and pages. Found once per command and handed down."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.options import Options
from harness.core.paths import FILE, MINE, OTHERS, at_home
from harness.core.spelling import unknown
from harness.environments import IN_CLONE, LAYERS, LOCKS, ROOT, SHIPPED, is_name
from harness.plan.catalogue import local_entry
from harness.plan.yamlfile import Mistakes, read, validate
from harness.store.location import DatabasePlace, database_of, is_there
from harness.tables.specfile import SUFFIX, names_in

if TYPE_CHECKING:
    from harness.store.database import Database

VERSION = 1
_CONFIGS, _TABLES = SHIPPED / "configs", SHIPPED / "reports" / "tables"


class WorkspaceFile(Options):
    """harness.yaml; paths are seen from its folder."""

    version: int = Field(default=VERSION, ge=1)
    """Of the form of this file."""
    configs: str = "configs"
    """Folder of catalogues and sweeps of your own; they add to those that come with the harness, and override them by name."""
    tables: str = "configs/tables"
    """Folder of table specs of your own; a table of the name of one that comes with the harness stands in its place."""
    results: str = "results"
    """Folder of database, run folders and artifacts, and, in `published/`, of the numbers that are committed."""
    pages: tuple[str, ...] = Field(default=("README.md", "docs/**/*.md"))
    """Markdown pages whose tables and numbers between markers are written."""


@dataclass(frozen=True)
class Workspace:
    """Folders of one command. Of configs and tables, later ones add to and override earlier ones."""

    root: Path
    configs: tuple[Path, ...]
    tables: tuple[Path, ...]
    results: Path
    pages: tuple[str, ...] = ("README.md", "reports/*.md")
    lent: bool = False
    """The configs are somebody else's, named on the command line."""
    beside: Path | None = None
    """Published results, where `results` is another folder that the command line names."""
    executor: str | None = None
    """What runs the jobs, where the command line says it."""

    @property
    def published(self) -> Path:
        """Published results of the results folder."""
        return self.results / "published"

    @property
    def own_published(self) -> Path:
        """Published results from which pages are written: the workspace's, whatever results folder is named."""
        return self.beside or self.published

    @property
    def database(self) -> DatabasePlace:
        """The database: of a results folder that the command line names its own, whatever local.yaml says."""
        said = None if self.beside or self.lent else local_entry(self.own_configs).database
        return database_of(self.results, said, self.root)

    @property
    def named(self) -> tuple[Path, ...]:
        """Catalogues whose names tables may use: the shipped ones also where somebody else's configs stand alone."""
        return tuple(dict.fromkeys((_CONFIGS, *self.configs)))

    @property
    def own_configs(self) -> Path:
        """Folder in which this workspace's own entries are written."""
        return self.configs[-1]

    def called(self, path: Path) -> str:
        """Say a path as seen from the workspace, where it lies in it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def here(
    asked: Path | None = None, results: Path | None = None, configs: Path | None = None, start: Path | None = None
) -> Workspace:
    """Find the workspace of a command: the one asked for, else that of the folder one stands in or of one above it.

    results, configs: folders that the command line names in place of the workspace's. Where there is no workspace, a named results
    folder is enough. Raises: HarnessError where there is none, ConfigError for a harness.yaml that is not as it must be.
    """
    start = (start or Path.cwd()).resolve()
    results = results and results.absolute()
    root = _asked(asked) if asked else next((one for one in (start, *start.parents) if (one / FILE).is_file()), None)
    if asked is None and root is not None and _is_strangers(root / FILE):
        raise HarnessError(
            f"{root / FILE} belongs to another user; if you trust it, name it: harness --workspace {root} VERB"
        )
    if root is not None:
        found = read_workspace(root)
    elif results is not None:
        found = Workspace(start, (_CONFIGS,), (_TABLES,), start / "results")
    else:
        raise HarnessError(
            f"there is no {FILE} here or in a folder above; `harness init` makes a workspace of this folder, and "
            "--workspace DIR before the verb names another"
        )
    if results is not None:
        found = replace(found, results=results, beside=found.published)
    if configs is not None:
        found = replace(found, configs=(configs.absolute(),), lent=True)
    return found


def _is_strangers(file: Path) -> bool:
    """Tell a file that another user put where all may write, as into /tmp, above the folders of others: it names programs."""
    return (
        hasattr(os, "getuid")
        and file.stat().st_uid not in {os.getuid(), 0}
        and bool(file.parent.stat().st_mode & stat.S_IWOTH)
    )


def _asked(folder: Path) -> Path:
    if not (folder / FILE).is_file():
        raise HarnessError(f"--workspace {folder}: there is no {FILE} in it; `harness init {folder}` writes one")
    return folder.resolve()


def read_workspace(root: Path) -> Workspace:
    """Read harness.yaml. Raises: ConfigError with every mistake, for folders outside of the workspace, and for a newer version."""
    path, mistakes = root / FILE, Mistakes()
    node = read(path, mistakes)
    version = node.fields.get("version")
    if version is not None and isinstance(version.value, int) and version.value > VERSION:
        upgrade = "upgrade it, as with `pip install --upgrade quant-harness`"
        raise ConfigError(
            [Problem(f"is of version {version.value}; this harness knows {VERSION}: {upgrade}", path, version.line)]
        )
    if node.fields and not any(get_close_matches(key, WorkspaceFile.model_fields, cutoff=0.8) for key in node.fields):
        keys = ", ".join(f"'{name}'" for name in list(node.fields)[:3])
        remedy = "make a workspace in a folder below, as with `harness init benchmarks`, and work there, or name one with --workspace"
        raise ConfigError([Problem(f"is another tool's, it seems: it says {keys}; {remedy}", path)])
    said = WorkspaceFile() if node.value is None else validate(WorkspaceFile, node, FILE, mistakes)
    if said is not None:
        for name in ("configs", "tables", "results"):
            if not _is_below(root, getattr(said, name)):
                mistakes.add(
                    f"'{name}' lies outside of the workspace; name a folder in it", node.fields.get(name, node)
                )
        for pattern in said.pages:
            if not _is_below(root, pattern):
                mistakes.add(f"page {pattern} lies outside of the workspace", node.fields.get("pages", node))
            elif re.search(r"\*\*[^/]|[^/]\*\*", pattern):
                mistakes.add(
                    f"page {pattern}: '**' stands for folders alone, as docs/**/*.md", node.fields.get("pages", node)
                )
    mistakes.check()
    assert said is not None
    return Workspace(
        root,
        _layers(_CONFIGS, root / said.configs),
        _layers(_TABLES, root / said.tables),
        root / said.results,
        said.pages,
    )


def outer_of(root: Path) -> Path | None:
    """Find the workspace that a folder lies in, itself left out."""
    return next((one for one in root.parents if (one / FILE).is_file()), None)


def _is_below(root: Path, text: str) -> bool:
    return bool(text) and Path(os.path.normpath(root / text)).is_relative_to(root)


def _layers(shipped: Path, own: Path) -> tuple[Path, ...]:
    return (shipped,) if own == shipped else (shipped, own)


def spec_files(workspace: Workspace) -> list[Path]:
    """List the files of table specs: the shipped ones, then those of the workspace, whose tables stand in the place of shipped ones."""
    return [path for folder in workspace.tables for path in sorted(folder.glob(f"*{SUFFIX}"))]


def own_tables(files: Collection[str], workspace: Workspace) -> list[str]:
    """Name the tables of files by name in whose place the workspace has one of its own."""
    named, (shipped, *own) = {f"{name}{SUFFIX}" for name in files}, workspace.tables
    there = {name for path in shipped.glob(f"*{SUFFIX}") if path.name in named for name in names_in(path)}
    return sorted(there & {name for folder in own for path in folder.glob(f"*{SUFFIX}") for name in names_in(path)})


def pages_of(workspace: Workspace, named: Sequence[Path] = ()) -> list[Path]:
    """List the pages that a command is about: those named, else all of the workspace.

    Raises: HarnessError for one that is not there, or outside of the workspace.
    """
    for page in named:
        if not page.is_file():
            why = "it is a folder; name a file in it" if page.is_dir() else "there is no such file"
            raise HarnessError(f"{page} is no page: {why}")
        if not page.resolve().is_relative_to(workspace.root):
            raise HarnessError(f"{page} lies outside of the workspace {workspace.root}; pages are written in it alone")
    found = [path for pattern in workspace.pages for path in sorted(workspace.root.glob(pattern))]
    return [page.resolve() for page in named] or [
        path
        for path in found
        if path.is_file() and OTHERS not in path.parts and path.resolve().is_relative_to(workspace.root)
    ]


def lock_of(name: str, workspace: Workspace, said: str | None = None) -> Path | None:
    """Find an environment's lock file: one of the workspace before one that comes with the harness.

    said: where its entry says that it lies, seen from the folder of catalogues.
    """
    if said is not None:
        found = [folder / said for folder in (*reversed(workspace.configs), SHIPPED / "configs")]
        return next((lock for lock in found if lock.is_file()), None)
    found = [folder / "locks" / f"{name}.txt" for folder in reversed(workspace.configs)]
    return next((lock for lock in [*found, LOCKS / f"{name}.txt"] if lock.is_file()), None) if is_name(name) else None


def settle_in(workspace: Workspace) -> None:
    """Let this process and its workers keep caches in the workspace, and look there for files that a recipe names.

    Whatever a harness around this one had set: its workspace is not ours.
    """
    os.environ[MINE] = str(workspace.root)
    if IN_CLONE and workspace.root == ROOT:
        os.environ.pop(LAYERS, None)
        return
    os.environ[LAYERS] = os.pathsep.join(map(str, workspace.named))
    os.environ.setdefault("HARNESS_CACHE", str((workspace.beside or workspace.published).parent / "cache"))


def sweep_path(name: str, workspace: Workspace) -> Path:
    """Find a sweep by path, or by name below configs/sweeps. Raises: HarnessError with the nearest name."""
    path = at_home(name)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            where = workspace.called(workspace.own_configs)
            raise HarnessError(f"sweep {name} not found; give a path, or a name in {where}/sweeps")
        return path
    there = {found.stem: found for folder in workspace.configs for found in sorted((folder / "sweeps").glob("*.yaml"))}
    if name not in there:
        raise HarnessError(unknown("sweep", name, there))
    return there[name]


def database_for_reading(workspace: Workspace) -> Database:
    """Open the workspace's database; where there is none yet, an empty one in memory stands for it."""
    from harness.store.database import Database

    place = workspace.database
    return Database.open(place if is_there(place) else "sqlite://", workspace.results)


def shown_path(path: Path) -> Path:
    """Write a path as seen from the working directory where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
