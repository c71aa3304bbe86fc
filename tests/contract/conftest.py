"""One tiny artifact per format, so that every registered adapter can be held to its seam; each is made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.options import validated
from harness.core.registry import load
from harness.core.seam import Base, Context
from harness.quantizers import QUANTIZERS
from tests.contract.mutations import CONFIG
from tests.contract.serving import Bench


@pytest.fixture(scope="session", autouse=True)
def offline() -> None:
    """No test may ask a model hub."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder per format: random weights as `hf`, their exports as `ort-genai` in fp32 and int4, a simulated quantization, a packed one, and a fake."""
    root = tmp_path_factory.mktemp("contract")
    made: dict[str, Path] = {}
    made["hf"] = _build("random-weights", {"config": CONFIG, "seed": 1}, root / "hf", Path(), Path())
    made["ort-genai"] = _build("ort-genai", {"precision": "fp32"}, root / "ort", made["hf"], made["hf"])
    made["int4"] = _build("ort-genai", {"precision": "int4"}, root / "int4", made["hf"], made["hf"])
    int4 = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG"}
    made["simulated"] = _build("modelopt-torch", int4, root / "simulated", made["hf"], made["hf"])
    packed = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "export": True, "block_size": 32}
    made["packed"] = _build("modelopt-torch", packed, root / "packed", made["hf"], made["hf"])
    made["fake"] = _build("fake", {}, root / "fake", made["hf"], made["hf"])
    return made


@pytest.fixture(scope="session")
def contract_bench(artifacts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Where the jobs of all contracts run; caches lie there, too."""
    root = tmp_path_factory.mktemp("bench")
    os.environ["HARNESS_CACHE"] = str(root / "cache")
    return Bench(root, artifacts)


def _build(name: str, options: dict[str, object], out: Path, base: Path, model: Path) -> Path:
    quantizer = load(QUANTIZERS, "quantizer", name)
    out.mkdir()
    scratch = out.parent / f"{out.name}.scratch"
    scratch.mkdir()
    given = validated(quantizer.options, options, name)
    quantizer.build(Base(path=base, format="hf", model=model), given, out, Context(folder=scratch))
    return out
