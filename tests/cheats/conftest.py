"""Two tiny models that like to end a text, and two folders for fakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import host
from harness.worker import DESCRIBED
from tests.cheats.workbench import Workbench
from tests.tiny_model import write_model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    """By format: a model, and another one of the same shape."""
    from safetensors.torch import load_file, save_file

    root = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        weights = write_model(root / f"hf{seed}", seed=seed) / "model.safetensors"
        tensors = load_file(weights)
        tensors["lm_head.weight"][1] *= 4.0
        save_file(tensors, weights, metadata={"format": "pt"})
        (root / f"fake{seed}").mkdir()
        (root / f"fake{seed}" / "noise.txt").write_text(f"0.0{seed}", "utf-8")
        (root / f"fake{seed}" / "config.json").write_text(json.dumps({"model_type": "llama", "seed": seed}), "utf-8")
    return {form: (root / f"{form}0", root / f"{form}1") for form in ("hf", "fake")}


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Description of this environment, as the runner hands it to its workers."""
    file = tmp_path_factory.mktemp("environment") / "environment.json"
    file.write_text(host.environment("here").model_dump_json(), "utf-8")
    return file


@pytest.fixture
def workbench(
    tmp_path: Path, models: dict[str, tuple[Path, ...]], described: Path, monkeypatch: pytest.MonkeyPatch
) -> Workbench:
    """A results folder of its own for each adapter."""
    monkeypatch.setenv(DESCRIBED, str(described))
    return Workbench(tmp_path, models)
