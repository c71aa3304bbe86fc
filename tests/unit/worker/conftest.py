"""Fixtures of workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.worker import queue_layout as batches


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    folder = tmp_path / "queue"
    for name in (batches.WAITING, batches.TAKEN):
        (folder / name).mkdir(parents=True)
    return folder
