"""A plan that would fill the disk is refused with what makes room."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.disk import DiskNeed, refuse_what_cannot_fit
from harness.core.errors import HarnessError


def sparse(path: Path, size: int) -> None:
    """Write a file of a size that takes no room."""
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_the_budget_that_is_named_counts_what_clean_counts(tmp_path: Path) -> None:
    """Artifacts and runs: 40 GB there, 5 free, 10 needed: 35 may stay."""
    sparse(tmp_path / "artifacts" / "a" / "weights", 30 * 10**9)
    sparse(tmp_path / "runs" / "r" / "arrays.npz", 10 * 10**9)
    sparse(tmp_path / "imports" / "not-counted", 10**9)
    with pytest.raises(
        HarnessError, match=r"10\.0 GB would be written and 5\.0 GB are free; `harness clean --budget 35GB`"
    ):
        refuse_what_cannot_fit([DiskNeed("v", 10 * 10**9, 5 * 10**9, "")], tmp_path)


@pytest.mark.parametrize(("need", "free"), [(None, 0), (10, 10), (0, 0)])
def test_what_fits_or_is_not_known_is_not_refused(tmp_path: Path, need: int | None, free: int) -> None:
    refuse_what_cannot_fit([DiskNeed("v", need, free, "")], tmp_path)


def test_where_nothing_can_be_let_go_no_budget_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as refused:
        refuse_what_cannot_fit([DiskNeed("v", 11, 10, "")], tmp_path)
    assert "clean" not in str(refused.value)
    assert "--only" in str(refused.value)
