"""How a GenAI artifact is opened: provider, device and plug-in, and reaches that the runtime cannot serve."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness import nvml
from harness.core.errors import HarnessError
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.seam import Facts
from harness.core.sessions import Reach
from harness.engines import onnx_scores

_GENAI = ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml")
_OF_PROVIDER = {"cuda": "onnxruntime-genai-cuda", "dml": "onnxruntime-genai-directml"}
PACKAGES = (*_GENAI, "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
"""Those that are installed count; several distributions hold the same module."""


_DEVICES = {"cpu": {"cpu"}, "cuda": {"cuda"}, "dml": {"dml", "directml"}, "NvTensorRtRtx": {"nvtensorrtrtx"}}
"""What og.Model.device_type prints for a provider, in small letters (to_string of DeviceType in its generators.cpp)."""


_PLUG_IN = "onnxruntime_ep_nv_tensorrt_rtx"


_RECOMPUTED = 4096
"""Length beyond which og.Generator computes the cache of phi3 anew (a constant in its generators.cpp)."""


class OrtGenaiEngineOptions(Options):
    """Where and how ONNX Runtime runs the artifact."""

    provider: Literal["cpu", "cuda", "dml", "NvTensorRtRtx"] = "cpu"
    """Execution provider; the one asked for runs, or the job fails."""
    threads: int | None = Field(default=None, ge=1)
    """Threads within an operator; None leaves it to the runtime (the physical cores)."""
    provider_options: dict[str, str] = Field(default_factory=dict)
    """Handed to the execution provider as they are."""


def _open_model(
    og: Any, folder: Path, options: OrtGenaiEngineOptions, settings: Mapping[str, str | int] | None = None
) -> Any:
    """Open an artifact. settings: of the decoder's ONNX Runtime session, beside those that the artifact's own configuration has."""
    if hasattr(og, "disable_telemetry_events"):
        og.disable_telemetry_events()
    nvml.load_cuda_libraries(options.provider)
    try:
        _register_plug_in(og, options.provider)
        config = og.Config(str(folder))
        config.clear_providers()
        if options.provider != "cpu":
            config.append_provider(options.provider)
            for name, value in options.provider_options.items():
                config.set_provider_option(options.provider, name, value)
        threads = {} if options.threads is None else {"intra_op_num_threads": options.threads}
        if session := {**threads, **(settings or {})}:
            config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        model = og.Model(config)
    except Exception as error:  # the binding raises RuntimeError and others
        raise HarnessError(onnx_scores.broken(folder, f"onnxruntime-genai on {options.provider}", error)) from error
    _check_device(str(model.device_type), options.provider)
    return model


def _register_plug_in(og: Any, provider: str) -> None:
    """Let GenAI find TensorRT-RTX in NVIDIA's plug-in, where this environment has it: a build that holds it needs none."""
    if provider == "NvTensorRtRtx" and importlib.util.find_spec(_PLUG_IN) is not None:
        plug_in = importlib.import_module(_PLUG_IN)
        og.register_execution_provider_library(plug_in.get_ep_name(), plug_in.get_library_path())


def _check_device(found: str, provider: str) -> None:
    if found.lower() not in _DEVICES[provider]:
        raise HarnessError(
            f"asked for {provider}, but onnxruntime-genai opened the model on {found}; "
            "install the runtime and driver that this provider needs"
        )


def crossing(border: int | None, kind: str, provider: str, reach: Reach) -> str | None:
    """Say why a generation that outgrows the border of the model's rotary embeddings would be wrong here, or None.

    kind: `type` of genai_config.json. Source: Generator::GenerateNextToken of onnxruntime-genai computes its cache anew at
    4097 tokens of phi3 and phimoe, for a batch of one, on CPU and CUDA; nowhere else.
    """
    if border is None or not reach.crosses(border):
        return None
    if border == _RECOMPUTED and kind in {"phi3", "phimoe"} and reach.batch == 1 and provider in {"cpu", "cuda"}:
        return None
    batch = f" in a batch of {reach.batch}" if reach.batch > 1 else ""
    return (
        f"prompt {reach.prompt} and output {reach.total - reach.prompt}{batch} cross {border} tokens, beyond which this "
        f"model's rotary embeddings change (LongRoPE), and onnxruntime-genai computes its cache anew only at "
        f"{_RECOMPUTED + 1} tokens of phi3 in a batch of one; stay within {border}, begin beyond it, or use engine transformers"
    )


def refuse_reach(options: OrtGenaiEngineOptions, record: ModelRecord, reach: Reach) -> str | None:
    """Say while planning why a generation would be wrong on this engine, or None."""
    return crossing(record.border, record.model_type, options.provider, reach)


def refuse(options: OrtGenaiEngineOptions, facts: Facts) -> str | None:
    """Say why a provider cannot run in an environment; no package is imported."""
    if not any(name in facts.packages for name in _GENAI):
        return facts.wants(_OF_PROVIDER.get(options.provider, "onnxruntime-genai"))
    if options.provider in {"cuda", "NvTensorRtRtx"} and not facts.gpus:
        return f"provider {options.provider} needs an NVIDIA GPU, and this environment sees none"
    if options.provider in {"dml", "NvTensorRtRtx"} and not facts.system.lower().startswith("win"):
        return f"provider {options.provider} runs on Windows only, and this environment is {facts.system}"
    absent = facts.wants(_OF_PROVIDER[options.provider]) if options.provider in _OF_PROVIDER else None
    return absent and f"provider {options.provider}: {absent}"


def _imports() -> None:
    import numpy  # noqa: F401, ICN001
    import tokenizers  # noqa: F401
