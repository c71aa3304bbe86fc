"""One command at a time writes into a results folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.runner.results_lock import alone


def test_a_second_command_is_refused_and_one_after_the_first_is_not(tmp_path: Path) -> None:
    results = tmp_path / "new" / "results"
    with (
        alone(results),
        pytest.raises(HarnessError, match=r"another command is running on .*wait for it"),
        alone(results),
    ):
        pass
    with alone(results):
        assert (results / "runner.lock").is_file()


def test_the_lock_is_given_back_by_a_command_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), alone(tmp_path):
        raise RuntimeError
    with alone(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with (
        pytest.raises(HarnessError, match=r"cannot write to .*choose a writable folder with --results"),
        alone(tmp_path / "file"),
    ):
        pass
