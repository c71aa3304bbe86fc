"""Models that the quantizers' tests start from, made once per session."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.options import validated
from harness.core.seam import Base, Built, Context, Quantizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")

TINY: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64, "vocab_size": 320,
    "max_position_embeddings": 256, "tie_word_embeddings": False,
}  # fmt: skip


def made(quantizer: Quantizer, base: Base, folder: Path, options: dict[str, Any]) -> tuple[Path, Built]:
    """Build into `folder`/out with a run folder beside it; what libraries print goes to stderr, as in a worker."""
    out, run = folder / "out", folder / "run"
    out.mkdir(parents=True)
    run.mkdir()
    with contextlib.redirect_stdout(sys.stderr):
        built = quantizer.build(base, validated(quantizer.options, options, quantizer.name), out, Context(run))
    return out, built


@pytest.fixture(scope="session")
def byte_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of four layers with random weights and untied embeddings."""
    from harness.quantizers.random_weights import QUANTIZER

    folder = tmp_path_factory.mktemp("tiny")
    return made(QUANTIZER, Base(folder, "hf", folder), folder, {"config": TINY})[0]


@pytest.fixture(scope="session")
def fp32_export(byte_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as the model builder exports it in fp32."""
    from harness.quantizers.ort_genai import QUANTIZER

    folder = tmp_path_factory.mktemp("fp32")
    return made(QUANTIZER, Base(byte_model, "hf", byte_model), folder, {"precision": "fp32"})[0]


@pytest.fixture(scope="session")
def calibration_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of 4 x 256 bytes and more."""
    path = tmp_path_factory.mktemp("text") / "calibration.txt"
    path.write_text("The cat sat by the river and counted 12 boats. " * 40, encoding="utf-8")
    return path
