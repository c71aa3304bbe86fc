"""What a night writes for others: the report, JUnit XML, an issue."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.night.issue import to_issue
from harness.night.junit import to_junit
from harness.night.record import NightRecord
from harness.night.text import to_markdown


@dataclass(frozen=True)
class ReportFiles:
    """Where reports go, beside the terminal."""

    issue: Path | None = None
    junit: Path | None = None
    summary: Path | None = None

    def check(self) -> None:
        """Find out before a night of hours whether its reports can be written. Raises: HarnessError for a folder that is not there."""
        asked = (("--issue", self.issue), ("--junit", self.junit), ("--summary", self.summary))
        taken: dict[Path, str] = {}
        for option, path in asked:
            if path is not None and path.is_dir():
                raise HarnessError(f"{option} {path} is a folder; name a file in it")
            if path is not None and not path.absolute().parent.is_dir():
                raise HarnessError(f"{option} {path}: there is no folder {path.parent}; make it first")
            if path is not None and not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
                raise HarnessError(f"{option} {path} cannot be written; name a file that can be")
            if path is not None and (other := taken.setdefault(path.absolute(), option)) != option:
                raise HarnessError(f"{other} and {option} are both {path}; name two files")


def write_or_say(record: NightRecord, files: ReportFiles, say: Callable[[str], None]) -> None:
    """Write what was asked for; what cannot be written is said before the error goes on. Raises: OSError."""
    try:
        write_reports(record, files)
    except OSError:
        say(to_markdown(record))
        raise


def write_reports(record: NightRecord, files: ReportFiles) -> None:
    """Write what was asked for."""
    if files.junit is not None:
        write_whole(files.junit, to_junit(record))
    if files.issue is not None:
        write_whole(files.issue, to_issue(record))
    if files.summary is not None:
        with open(files.summary, "a", encoding="utf-8") as file:
            file.write(to_markdown(record))
