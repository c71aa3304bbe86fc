from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_model import export, write_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random Llama: hf, and its exports fp32, int4 and pruned."""
    folder = tmp_path_factory.mktemp("tiny")
    model = write_model(folder / "hf")
    export(
        model,
        (folder / "fp32", "fp32", []),
        (folder / "int4", "int4", []),
        (folder / "pruned", "fp32", ["prune_lm_head=true"]),
    )
    return folder


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep torch and ONNX Runtime from fighting over few cores."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
