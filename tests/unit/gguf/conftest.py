"""The tiny model, once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_model import write_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model's own folder."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    folder.mkdir()
    return write_model(folder)
