"""Run rules over pages and say what they found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.lint.finding import Check, LintFinding, Rule
from harness.lint.rules.registry import RULES
from harness.lint.tables import LintPage, read_page


@dataclass(frozen=True)
class RuleTally:
    """How many things a rule decided, and how many of them do not hold."""

    rule: str
    found: int
    checked: int


@dataclass(frozen=True)
class Linted:
    """What came of linting: findings in the order of files and lines, counts by rule, files that could not be read."""

    tables: int
    findings: tuple[LintFinding, ...]
    tallies: tuple[RuleTally, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 2 if self.unreadable else 1 if self.findings else 0


def chosen(names: Sequence[str]) -> tuple[Rule, ...]:
    """Give the rules of these names, all without names. Raises: HarnessError with the nearest right name."""
    for name in names:
        if name not in RULES:
            raise HarnessError(unknown("rule", name, RULES))
    return tuple(rule for rule in RULES.values() if not names or rule.name in names)


def lint_files(paths: Iterable[Path], names: Sequence[str] = ()) -> Linted:
    """Lint Markdown files; one that cannot be read is named in the result and stops no other."""
    rules = chosen(names)
    pages, unreadable = [], []
    for path in paths:
        try:
            pages.append(read_page(path))
        except HarnessError as error:
            unreadable.append(str(error))
    return lint_pages(pages, rules, tuple(unreadable))


def lint_pages(pages: Sequence[LintPage], rules: Sequence[Rule], unreadable: tuple[str, ...] = ()) -> Linted:
    """Put every rule to every table."""
    checks = [(page, rule, check) for page in pages for rule, check in _checks(page, rules)]
    found = [
        LintFinding(page.path, check.line, check.row, check.column, rule.name, check.message)
        for page, rule, check in checks
        if check.message is not None
    ]
    place = {page.path: at for at, page in reversed(list(enumerate(pages)))}
    found.sort(key=lambda one: (place[one.path], one.line, one.row or 0))
    tallies = tuple(
        RuleTally(
            rule.name,
            sum(of is rule and c.message is not None for _, of, c in checks),
            sum(of is rule for _, of, _ in checks),
        )
        for rule in rules
    )
    return Linted(sum(len(page.tables) for page in pages), tuple(found), tallies, unreadable)


def _checks(page: LintPage, rules: Sequence[Rule]) -> list[tuple[Rule, Check]]:
    """Put all rules to one table after the other; what was meant to be a table is malformed."""
    broken = [Check(one.line, message=one.message) for one in page.broken]
    checks = [(rule, check) for rule in rules if rule.name == "malformed-table" for check in broken]
    return checks + [(rule, check) for table in page.tables for rule in rules for check in rule.check(table)]


def print_lint(
    paths: Sequence[Path],
    names: Sequence[str],
    say: Callable[[str], None],
    warn: Callable[[str], None],
    *,
    as_json: bool,
) -> int:
    """Lint files, print what was found and return the exit code: 0 nothing, 1 findings, 2 a file cannot be read."""
    linted = lint_files(paths, names)
    for line in [as_text_json(linted)] if as_json else as_lines(linted):
        say(line)
    for problem in linted.unreadable:
        warn(problem)
    return linted.exit_code


def as_lines(linted: Linted) -> list[str]:
    """Write findings one to a line, then how many of what each rule checked do not hold."""
    lines = [str(finding) for finding in linted.findings]
    found = len(linted.findings)
    lines.append(f"{linted.tables} {_many('table', linted.tables)}, {found} {_many('finding', found)}")
    width = max((len(one.rule) for one in linted.tallies), default=0)
    return lines + [f"  {one.rule:<{width}}  {one.found} of {one.checked}" for one in linted.tallies if one.found]


def _many(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def as_text_json(linted: Linted) -> str:
    """Write everything as JSON."""
    return json.dumps(
        {
            "tables": linted.tables,
            "findings": [asdict(one) for one in linted.findings],
            "rules": {one.rule: {"found": one.found, "checked": one.checked} for one in linted.tallies},
            "unreadable": list(linted.unreadable),
        },
        indent=2,
        ensure_ascii=False,
    )
