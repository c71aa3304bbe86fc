"""A catalogue of fakes, folders that look like models, and a way to plan a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.core.seam import Facts
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from tests.conftest import ROOT
from tests.unit.plan.fakes import adapters

SWEEPS = ROOT / "tests" / "configs" / "plan"
CATALOGUE = ROOT / "tests" / "configs" / "catalogue"
HERE = Facts({"runtime": "1.0", "exporter": "2.0", "calib": "3.0", "torch": "2.13.0", "counter": "1"}, "Linux")
NEW = Facts({**HERE.packages, "runtime": "2.0"}, "Linux")
ENVIRONMENTS = {"cpu": HERE, "new": NEW, "absent": None}
Planner = Callable[..., Plan]


def model_folder(folder: Path, *, vocabulary: int = 1000, weights: str = "weights") -> Path:
    """Write what planning looks at of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_text(weights, encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the models that the catalogue of the tests names; no hub cache."""
    folder = tmp_path / "models"
    model_folder(folder / "tiny")
    model_folder(folder / "other", weights="other weights")
    ready = folder / "ready"
    ready.mkdir()
    (ready / "genai_config.json").write_text('{"model": {"vocab_size": 1000}}', encoding="utf-8")
    (ready / "model.onnx").write_text("graph", encoding="utf-8")
    monkeypatch.setenv("PLAN_MODELS", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


@pytest.fixture
def catalogue(models: Path) -> Catalogue:
    """The catalogue of the tests, with fake adapters."""
    return load_catalogue(CATALOGUE, adapters())


@pytest.fixture
def plan(catalogue: Catalogue, tmp_path: Path) -> Planner:
    """Plan a sweep of tests/configs/plan by name, or a text, whose speed jobs run once where it does not say more."""

    def made(
        sweep: str, environments: Mapping[str, Facts | None] = ENVIRONMENTS, catalogue: Catalogue = catalogue
    ) -> Plan:
        path = SWEEPS / f"{sweep}.yaml"
        if "\n" in sweep or ":" in sweep:
            path = tmp_path / "given.yaml"
            path.write_text(sweep if "rounds:" in sweep else f"{sweep.rstrip()}\nrounds: 1\n", encoding="utf-8")
        return expand(read_sweep(path, catalogue), catalogue, environments)

    return made
