"""What a night writes: whole files where they were asked for, found out before the night begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.commands.night_reports import ReportFiles, write_or_say, write_reports
from harness.core.errors import HarnessError
from harness.night.text import to_markdown
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
    write_reports(record, ReportFiles())
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "summary.md"
    for _ in range(2):
        write_reports(record, ReportFiles(summary=path))
    assert path.read_text("utf-8") == 2 * to_markdown(record)


def test_two_reports_in_one_file_and_a_file_that_may_not_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HarnessError, match="--issue and --junit are both"):
        ReportFiles(issue=tmp_path / "a", junit=tmp_path / "a").check()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(HarnessError, match=r"--summary .* cannot be written"):
        ReportFiles(summary=tmp_path / "file").check()


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    record, said = night(number()), list[str]()
    with pytest.raises(OSError, match="gone"):
        write_or_say(record, ReportFiles(junit=tmp_path / "gone" / "file"), said.append)
    assert said == [to_markdown(record)]
    write_or_say(record, ReportFiles(junit=tmp_path / "file"), said.append)
    assert len(said) == 1
