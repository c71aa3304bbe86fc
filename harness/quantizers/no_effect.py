"""Options that were set and change nothing in the installed version are named on the record."""

from __future__ import annotations

from collections.abc import Iterable

from harness.core.options import Options, canonical_options
from harness.core.spec import Note


def unused(options: Options, names: Iterable[str], why: str) -> list[Note]:
    """Note each of these options that is not at its default, with the reason why it changes nothing."""
    given = canonical_options(options)
    return [
        Note(code="no-effect", text=f"option '{name}: {given[name]}' has no effect: {why}")
        for name in names
        if name in given
    ]
