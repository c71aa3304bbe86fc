"""Fixtures of the probes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.probes.report_script import SCRIPT


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "their bench.py"
    path.write_text(SCRIPT, "utf-8")
    return path
