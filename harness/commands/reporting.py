"""Which form of `report` is asked for: tables printed, or pages written, checked or held against the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from harness.commands.pages import check_pages, diff_pages, guard_of, write_pages
from harness.commands.plain import conditions
from harness.commands.report import print_against, print_tables
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.store.where import ConditionValue, as_texts
from harness.tables.rows import text_of


@dataclass(frozen=True)
class ReportAsked:
    """The words of `harness report`."""

    names: Sequence[str] = ()
    """Tables and sweeps; with `write`, `check` and `diff` pages."""
    write: bool = False
    check: bool = False
    diff: bool = False
    base: str | None = None
    """Of `diff`: a git reference or a folder."""
    strict: bool = False
    max_change: str | None = None
    accept: bool = False
    allow_missing: Sequence[str] = ()
    may_mix: Sequence[str] = ()
    where: Sequence[str] = ()
    chosen: Mapping[str, Sequence[ConditionValue]] = field(default_factory=dict)
    """Rows by column, of `--only`, `--probe`, `--failed` and `--round`."""
    against: str | None = None


def report_asked(
    asked: ReportAsked, console: Console, workspace: Callable[[], Workspace], ask: Callable[[str], bool] | None
) -> int:
    """Do what is asked; returns the exit code. ask: puts a question to who sits there; None where nobody does.

    Raises: HarnessError for words that contradict each other, before the workspace is looked for.
    """
    _refuse(asked)
    home, pages = workspace(), [Path(name) for name in asked.names]
    if asked.check:
        return check_pages(console, home, pages)
    if asked.write:
        guard = guard_of(asked.allow_missing, asked.max_change, accept=asked.accept)
        return write_pages(console, home, guard, pages, may=asked.may_mix, ask=ask)
    if asked.diff:
        return diff_pages(console, asked.base or "HEAD", home, pages, strict=asked.strict)
    where = conditions(asked.where) | as_texts(asked.chosen, text_of)
    if asked.against is not None:
        return print_against(console, home, asked.names, where)
    return print_tables(console, home, asked.names, where, asked.chosen)


def _refuse(asked: ReportAsked) -> None:
    """Refuse options that stand alone or beside what they do not change."""
    of_pages = asked.write or asked.check or asked.diff
    if sum((asked.write, asked.check, asked.diff)) > 1:
        raise HarnessError("use only one of --write, --check, --diff")
    if (asked.accept or asked.max_change or asked.allow_missing or asked.may_mix) and not asked.write:
        raise HarnessError("--max-change, --accept, --allow-missing and --may-mix need --write")
    if asked.base is not None and not asked.diff:
        raise HarnessError("--base needs --diff")
    if asked.strict and not asked.diff:
        raise HarnessError("--strict needs --diff")
    if asked.against is not None and (asked.against != "reported" or not asked.names):
        raise HarnessError("--against needs a table and the word reported: harness report TABLE --against reported")
    if (asked.where or asked.against or asked.chosen) and of_pages:
        raise HarnessError(
            "--where, --only and --against change what is printed, not the pages; leave out --write, --check and --diff"
        )
