"""The command line of the harness with names of its session and runs that are the same each time, so that a file can be struck by its path."""

from __future__ import annotations

import sys
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import Any


class Moment(datetime):
    """A moment that names call by the same second each time; all else is as it is."""

    def __format__(self, form: str) -> str:
        return super().__format__(form.replace("%Y%m%dT%H%M%S", "20200101T000000"))


def fix() -> None:
    """Let what names the session and runs count instead of drawing."""
    from harness.runner import records, session

    numbers = count(1)
    naming, sessions = vars(records), vars(session)
    naming |= {"datetime": Moment, "secrets": SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")}
    names: dict[str, Any] = {"_name": lambda now: "20200101T000000-00000000"}
    assert set(names) <= set(sessions), "the session is named there"
    sessions |= names


if __name__ == "__main__":
    fix()
    from harness import cli

    sys.argv[0] = "harness"
    cli.main()
