"""The verbs of the command line in groups, as `harness --help` shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from typer.core import TyperGroup

from harness.core.errors import HarnessError

GROUPS = {
    "Measure": ("init", "doctor", "plan", "bench", "run", "night"),
    "Tables and pages": ("report", "compare", "history", "explain", "publish"),
    "Numbers in and out": ("import", "export", "ingest"),
    "Environments and other machines": ("setup", "bundle"),
}
"""Title to verbs; one that is not here stands under `More`."""
RARE = ("adopt", "clean", "fetch", "lint", "mark", "worker")
"""Verbs that scripts call, or nobody for months: named in one line."""
FORMER = {"promote": "publish"}
"""What verbs were called in 0.1, and are called now."""


class Verbs(TyperGroup):
    """Help that groups the verbs and names the rare ones in one line."""

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Find the verb. Raises: HarnessError for one that is called otherwise now."""
        first = next((word for word in args if word in self.commands or word in FORMER), "")
        if first in FORMER:
            raise HarnessError(f"`harness {first}` is called `harness {FORMER[first]}` now")
        context: Any = ctx
        return super().parse_args(context, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer calls it by place
        """Write a section for each group."""
        width = max(map(len, self.commands))
        for title, names in grouped(self.commands):
            with formatter.section(title):
                limit = formatter.width - 6 - width
                formatter.write_dl([(n.ljust(width), self.commands[n].get_short_help_str(limit)) for n in names])
        with formatter.section("Rarely needed"):
            formatter.write_dl([(", ".join(name for name in RARE if name in self.commands), "see harness VERB --help")])


def grouped(verbs: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the titles with those of their verbs that there are; nothing but the rare ones is left out."""
    placed = {name for names in GROUPS.values() for name in names}
    more = tuple(name for name in verbs if name not in placed and name not in RARE)
    for title, names in {**GROUPS, "More": more}.items():
        there = [name for name in names if name in verbs]
        if there:
            yield title, there
