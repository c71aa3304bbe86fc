"""What a night writes: whole files where they were asked for, found out before the night begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.night_reports import ReportFiles, write_reports
from harness.core.errors import HarnessError
from tests.unit.night.numbers import night, number


@pytest.mark.parametrize("option", ["issue", "junit", "summary"])
def test_a_file_that_could_not_be_written_is_told_before_anything_runs(tmp_path: Path, option: str) -> None:
    with pytest.raises(HarnessError, match=f"--{option} .* is a folder"):
        ReportFiles(**{option: tmp_path}).check()
    with pytest.raises(HarnessError, match=f"--{option} .*: there is no folder"):
        ReportFiles(**{option: tmp_path / "none" / "file"}).check()
    ReportFiles(**{option: tmp_path / "file"}).check()


def test_nothing_is_written_that_was_not_asked_for_and_a_summary_is_added_to(tmp_path: Path) -> None:
    record = night(number())
    report = write_reports(record, ReportFiles())
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "summary.md"
    for _ in range(2):
        assert write_reports(record, ReportFiles(summary=path)) == report
    assert path.read_text("utf-8") == 2 * report
