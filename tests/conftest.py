"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fake_box import Bench

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real models, corpora and result files; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not here: real models and corpora are needed for this test")
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty box with fake adapters."""
    return Bench(tmp_path)
