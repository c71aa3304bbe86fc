"""The pages of a workspace that hold tables: written, checked and compared with what they were."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.commands.may_mix import Ask, allowed, mixes
from harness.commands.plots import drawn_for
from harness.commands.report import printed
from harness.commands.workspace import Workspace, pages_of, spec_files
from harness.core.errors import HarnessError
from harness.pages import writing
from harness.pages.changes import share_of
from harness.pages.difference import New, Old, difference
from harness.pages.guards import Guard
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.store.location import is_there
from harness.tables.catalogue import catalogue_of
from harness.tables.markdown import Rendered
from harness.tables.spec import TableSpec

GIT_SECONDS = 60


def guard_of(missing: Sequence[str], most: str | None, *, accept: bool) -> Guard:
    """Make a guard of what the command line says. Raises: HarnessError for a limit that is no share."""
    return Guard(frozenset(missing), None if most is None else share_of(most), accept)


def write_pages(
    console: Console,
    workspace: Workspace,
    guard: Guard | None = None,
    named: Sequence[Path] = (),
    *,
    may: Collection[str] = (),
    ask: Ask | None = None,
) -> int:
    """Rewrite the tables and numbers of pages, all of the workspace by default, from the published results. Returns the exit code.

    may: what tables may mix from now on, written into their specs; ask: puts the question to a person, where there is one.
    Raises: ConfigError with every row that would vanish, every change beyond what the guard allows and everything that would be
    mixed; then nothing is written. HarnessError for a page that is not there, has no markers, or lies outside of the workspace.
    """
    with from_published(workspace.own_published) as source:
        shown = _shown(workspace, named)
        specs, render, names = _specs(source, shown, workspace)
        mixed = mixes([spec for spec in specs if spec.name in names], render)
        beside = allowed(mixed, workspace, may, ask)
        more = {one.spec.name: frozenset(one.fields) for one in mixed}
        specs = [replace(spec, may_mix=spec.may_mix | more.get(spec.name, frozenset())) for spec in specs]
        drawn = drawn_for(shown, workspace, source)
        tables = writing.render_all(specs, render, names)
        changed = writing.write_pages(shown, tables, guard or Guard(), {**beside, **drawn.stale}, drawn.images)
    _tell_own(console, specs, names)
    for path in beside:
        console.print(f"{workspace.called(path)}: what may be mixed is written down", highlight=False, markup=False)
    for line in drawn.told:
        console.print(line, highlight=False, markup=False)
    for path in drawn.stale:
        console.print(f"{workspace.called(path)}: drawn", highlight=False, markup=False)
    for page in changed:
        text = f"{workspace.called(page.path)}: {', '.join(page.parts)} rewritten"
        console.print(text, highlight=False, markup=False)
    console.print(f"{len(shown)} pages, {len(changed)} changed", highlight=False)
    return 0


def check_pages(console: Console, workspace: Workspace, named: Sequence[Path] = ()) -> int:
    """Compare the tables and numbers of pages with the published results. Returns 1 where one is stale. Raises: as `write_pages`."""
    with from_published(workspace.own_published) as source:
        shown = _shown(workspace, named)
        specs, render, names = _specs(source, shown, workspace)
        drawn = drawn_for(shown, workspace, source)
        stale = writing.check_pages(shown, writing.render_all(specs, render, names), drawn.images)
    _tell_own(console, specs, names)
    for page in stale:
        text = f"{workspace.called(page.path)}: {', '.join(page.parts)} out of date; run `harness report --write`"
        console.print(text, highlight=False, markup=False)
    for line in drawn.told:
        console.print(line, highlight=False, markup=False)
    for path in drawn.stale:
        text = f"{workspace.called(path)}: out of date; run `harness report --write`"
        console.print(text, highlight=False, markup=False)
    console.print(f"{len(shown)} pages checked, {len(stale)} out of date", highlight=False)
    return 1 if stale or drawn.stale else 0


def _shown(workspace: Workspace, named: Sequence[Path]) -> list[Path]:
    """List the pages that show tables or numbers of them. Raises: HarnessError for a named one without a marker."""
    shown = writing.with_markers(pages_of(workspace, named))
    bare = [workspace.called(page) for page in pages_of(workspace, named) if named and page not in shown]
    if bare:
        raise HarnessError(
            f"{', '.join(bare)} has no marker; write `<!-- table: NAME -->` and `<!-- end: NAME -->` on lines of their own where a "
            "table should stand"
        )
    return shown


def _specs(
    source: NumberSource, shown: Sequence[Path], workspace: Workspace
) -> tuple[list[TableSpec], Callable[[TableSpec], Rendered], list[str]]:
    """Read all table specs; return them, what renders one, and the names of those that the pages show."""
    catalogue = catalogue_of(workspace.configs, workspace.own_published)
    specs = writing.specs_in(spec_files(workspace), catalogue)
    names = writing.shown_in(shown, [spec.name for spec in specs])
    render = writing.renderer(source, catalogue, specs=[spec for spec in specs if spec.name in names])
    return specs, render, names


def _tell_own(console: Console, specs: Sequence[TableSpec], names: Sequence[str]) -> None:
    """Say which tables of the pages are the workspace's own in the place of shipped ones."""
    own = ", ".join(f"table {spec.name}" for spec in specs if spec.replaces and spec.name in names)
    if own:
        console.print(f"the workspace's own, in place of the shipped: {own}", highlight=False, markup=False)


def _rendered(source: NumberSource, shown: Sequence[Path], workspace: Workspace) -> list[Rendered]:
    return writing.render_all(*_specs(source, shown, workspace))


def diff_pages(
    console: Console, base: str, site: Workspace, named: Sequence[Path] = (), *, strict: bool = False
) -> int:
    """Print as Markdown what the published results change in the pages: against a git reference, or a folder of published files.

    Returns 1 where a change is beyond noise, with `strict` 2 where of another it is not known whether it is, else 0. Raises: HarnessError where the base is neither, or git is not there.
    """
    catalogue = catalogue_of(site.configs, site.own_published)
    shown = _shown(site, named)
    with ExitStack() as stack:
        source = stack.enter_context(from_published(site.own_published))
        old = stack.enter_context(_old(base, shown, site))
        rendered = _rendered(source, shown, site)
        specs = {spec.name: spec for spec in writing.specs_in(spec_files(site), catalogue)}
        fresh = [writing.fresh(path, rendered) for path in shown]
        new = New(fresh, {item.name: item for item in rendered}, specs, source, catalogue, site.root)
        told = difference(old, new, _local(site, stack))
    printed(console, told.text)
    verdicts = {verdict.noise for verdict in told.verdicts}
    if "outside" in verdicts:
        return 1
    return 2 if strict and "unknown" in verdicts else 0


def _local(site: Workspace, stack: ExitStack) -> list[NumberSource]:
    """Open the workspace's own database, where there is one: it knows sessions that were never published."""
    place = site.database
    return [NumberSource(stack.enter_context(Database.open(place, site.results)))] if is_there(place) else []


@contextmanager
def _old(base: str, shown: Sequence[Path], site: Workspace) -> Iterator[Old]:
    """Open what pages and results were: the pages as they stand and a folder's results, or both as git has them."""
    with ExitStack() as stack:
        folder = Path(base)
        if folder.is_dir():
            texts = {}
        else:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            texts = _from_git(base, shown, folder, site)
        source, trouble = None, ""
        try:
            source = stack.enter_context(from_published(folder))
        except HarnessError as error:
            trouble = str(error).replace(f"{folder}{os.sep}", "")
        if not texts:
            texts = _as_of(source, shown, site)
        yield Old(base, texts, source, trouble)


def _as_of(source: NumberSource | None, shown: Sequence[Path], site: Workspace) -> dict[Path, str]:
    """Write the pages as a folder's results give them; a table that they cannot fill stays as it stands."""
    texts = {path: writing.read_page(path) for path in shown}
    if source is None:
        return texts
    catalogue = catalogue_of(site.configs, site.own_published)
    render = writing.renderer(source, catalogue)
    made = {}
    for spec in writing.specs_in(spec_files(site), catalogue):
        with suppress(HarnessError):
            made[spec.name] = render(spec)
    return {path: writing.with_tables(text, made, path) for path, text in texts.items()}


def _from_git(base: str, shown: Sequence[Path], folder: Path, site: Workspace) -> dict[Path, str]:
    """Write the published files of a commit into a folder and return the texts that the pages had."""
    if shutil.which("git") is None:
        raise HarnessError("--diff needs git to read the old pages; without it, give --base FOLDER")
    found = _git(site, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if found.returncode:
        said = found.stderr.decode(errors="replace").strip() or "git knows no such commit"
        raise HarnessError(
            f"--base {base} is neither a folder nor a git reference of {site.root}: {said.splitlines()[0]}"
        )
    commit = found.stdout.decode().strip()
    kept = f"{site.called(site.own_published)}/"
    listed = _git(site, "ls-tree", "--name-only", commit, kept).stdout.decode().splitlines()
    for name in (name for name in listed if name.endswith(".yaml")):
        (folder / Path(name).name).write_bytes(_git(site, "show", f"{commit}:./{name}").stdout)
    answers = {path: _git(site, "show", f"{commit}:./{site.called(path)}") for path in shown}
    return {
        path: writing.decoded(answer.stdout, Path(f"{base}:{site.called(path)}"))
        for path, answer in answers.items()
        if not answer.returncode
    }


def _git(site: Workspace, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(site.root), *words]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=GIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise HarnessError(f"`{shlex.join(command)}` did not answer within {GIT_SECONDS} s") from None
