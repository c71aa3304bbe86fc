"""One tiny artifact per format, so that every registered engine can be held to its seam."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.options import validated
from harness.core.registry import load
from harness.core.seam import Base, Context
from harness.quantizers import QUANTIZERS

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 512,
    "max_position_embeddings": 1024,
}


@pytest.fixture(scope="session", autouse=True)
def offline() -> None:
    """No test may ask a model hub."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder per format: random weights as `hf`, their fp32 export as `ort-genai`, and a fake."""
    root = tmp_path_factory.mktemp("contract")
    made: dict[str, Path] = {}
    made["hf"] = _build("random-weights", {"config": CONFIG, "seed": 1}, root / "hf", Path(), Path())
    made["ort-genai"] = _build("ort-genai", {"precision": "fp32"}, root / "ort", made["hf"], made["hf"])
    made["fake"] = _build("fake", {}, root / "fake", made["hf"], made["hf"])
    return made


def _build(name: str, options: dict[str, object], out: Path, base: Path, model: Path) -> Path:
    quantizer = load(QUANTIZERS, "quantizer", name)
    out.mkdir()
    scratch = out.parent / f"{out.name}.scratch"
    scratch.mkdir()
    given = validated(quantizer.options, options, name)
    quantizer.build(Base(path=base, format="hf", model=model), given, out, Context(folder=scratch))
    return out
