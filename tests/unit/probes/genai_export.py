"""The reference model as an ORT-GenAI fp32 folder, for tests on the real engine."""

from __future__ import annotations

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
