"""The reference model as an ORT-GenAI fp32 folder, for tests on the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def reference_export(folder: Path) -> Path:
    """Build it, or skip where the model or the builder is not there."""
    pytest.importorskip("onnxruntime_genai")
    from harness import reference
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER

    model = reference.model_folder()
    if not model.is_dir():
        pytest.skip("the reference model is not made yet")
    folder.mkdir(parents=True)
    scratch = folder.with_name(f"{folder.name}-scratch")
    scratch.mkdir()
    options = QUANTIZER.options.model_validate({"precision": "fp32"})
    QUANTIZER.build(Base(model, "hf", model), options, folder, Context(folder=scratch))
    return folder


def set_threads(artifact: Path, threads: int) -> None:
    """Say in genai_config.json how many threads a generator may use; lm-eval's backend has no option for it."""
    path = artifact / "genai_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["model"]["decoder"].setdefault("session_options", {})["intra_op_num_threads"] = threads
    path.write_text(json.dumps(config), "utf-8")
