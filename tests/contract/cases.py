"""How every registered adapter is put to work for its contract, at the least cost; and the one list of those that cannot run on a CPU in CI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract import mutations

NOT_HERE: Mapping[tuple[str, str], str] = {
    ("quantizer", "bitsandbytes"): "its wheel is in the environment bnb alone; tests/real/test_torch_quantized.py builds there",
    ("quantizer", "modelopt-diffusers"): "diffusers is in the environment diffusers alone; tests/real/test_diffusers.py builds there",
    ("engine", "diffusers"): "diffusers is in the environment diffusers alone; tests/real/test_diffusers.py paints there",
    ("engine", "tensorrt-llm"): "trtllm-bench needs an NVIDIA GPU; tests/unit/engines/test_tensorrt_llm.py has a stand-in speak its command line",
    ("probe", "image"): "pictures are painted in the environment diffusers alone; tests/real/test_diffusers.py paints there",
    ("probe", "image_distance"): "pictures are painted in the environment diffusers alone; tests/real/test_diffusers.py compares there",
}  # fmt: skip
"""Kind and name to why it does not run for its contract; a test holds this list against the registries."""

COPY = "import pathlib, shutil, sys; print('words of a script'); [shutil.copy(one, sys.argv[2]) for one in pathlib.Path(sys.argv[1]).iterdir()]"
"""A quantizer of somebody's own."""
REPORT = "import json, sys; print('words of a script'); json.dump({'tps': 12.5}, open(sys.argv[1], 'w'))"
"""A benchmark of somebody's own."""


@dataclass(frozen=True)
class QuantizerCase:
    """One build."""

    options: Mapping[str, Any]
    base: str = "hf"
    """Artifact that it starts from."""
    floats: Callable[[Path], None] | None = None
    """Puts one layer of what it made back into floats (or zeros back into weights); None where nothing is quantized."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Files that are not the same bytes in a second build, and why."""


QUANTIZER_CASES: Mapping[str, QuantizerCase] = {
    "ort-genai": QuantizerCase({"precision": "int4"}, floats=mutations.float_product),
    "modelopt-onnx": QuantizerCase({"algo": "rtn_dq"}, "ort-genai", floats=mutations.float_product),
    "modelopt-torch": QuantizerCase({"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG"}, floats=mutations.without_scale),
    "modelopt-genai": QuantizerCase({}, "packed", floats=mutations.float_product),
    "modelopt-sparsity": QuantizerCase({"mode": "sparse_magnitude"}, floats=mutations.dense_layer),
    "train": QuantizerCase({"steps": 2, "window": 32}, "simulated", floats=mutations.without_scale),
    "torch-fp8": QuantizerCase({"activations": False, "dtype": "float32"}, floats=mutations.float_tensor),
    "random-weights": QuantizerCase({"config": mutations.CONFIG, "seed": 2}),
    "command": QuantizerCase(
        {"run": f'python -c "{COPY}" {{base}} {{out}}', "produces": "ort-genai"}, "int4", floats=mutations.float_product
    ),
    "fake": QuantizerCase({}),
}


@dataclass(frozen=True)
class ProbeCase:
    """One measurement."""

    workload: Mapping[str, Any]
    engine: str = "ort-genai"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    artifact: str = "ort-genai"
    reference: str = ""
    """`live`, or the probe whose stored reference it is compared with."""
    kind: str = "quality"
    """Of its job."""


_SPEED = {"batch": 1, "prompt": 8, "output": 4}
_STREAM = {"tokens": 48, "window": 32, "stride": 16}
PROBE_CASES: Mapping[str, ProbeCase] = {
    "generation": ProbeCase({**_SPEED, "warmup": 1, "repetitions": 2}, kind="speed"),
    "output_check": ProbeCase(_SPEED),
    "memory": ProbeCase(_SPEED, kind="speed"),
    "perplexity": ProbeCase(_STREAM),
    "validation_loss": ProbeCase({"window": 64, "limit": 2}),
    "kl_divergence": ProbeCase(_STREAM, reference="live"),
    "kl_reference": ProbeCase(_STREAM, kind="reference"),
    "verify": ProbeCase({}, reference="verify_reference"),
    "verify_reference": ProbeCase({"rows": 8}, engine="transformers", artifact="hf", kind="reference"),
    "lm_eval": ProbeCase({"shots": 0, "limit": 2}),
    "mmlu_modelopt": ProbeCase({"shots": 0, "limit": 2}),
    "command": ProbeCase(
        {"run": f'python -c "{REPORT}" {{out}}/r.json', "read": {"decode_tps": "tps"}}, engine="program", kind="speed"
    ),
}

ENGINE_CASES: Mapping[str, tuple[str, ProbeCase]] = {
    "ort-genai": ("generation", PROBE_CASES["generation"]),
    "transformers": ("perplexity", ProbeCase(_STREAM, engine="transformers", artifact="hf")),
    "optimum-benchmark": (
        "generation",
        ProbeCase({**_SPEED, "warmup": 1, "repetitions": 2}, "optimum-benchmark", artifact="hf", kind="speed"),
    ),
    "program": ("command", PROBE_CASES["command"]),
    "fake": ("perplexity", ProbeCase(_STREAM, engine="fake", artifact="fake")),
}  # fmt: skip
"""Engine to a probe that it serves."""
