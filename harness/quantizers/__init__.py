"""Quantizers: a file per backend; this is the registry."""

from __future__ import annotations

QUANTIZERS = {
    "ort-genai": "harness.quantizers.ort_genai:QUANTIZER",
    "modelopt-onnx": "harness.quantizers.modelopt_onnx:QUANTIZER",
    "modelopt-torch": "harness.quantizers.modelopt_torch:QUANTIZER",
    "modelopt-genai": "harness.quantizers.modelopt_genai:QUANTIZER",
    "modelopt-sparsity": "harness.quantizers.sparsity:QUANTIZER",
    "train": "harness.quantizers.train:QUANTIZER",
    "bitsandbytes": "harness.quantizers.bitsandbytes:QUANTIZER",
    "torch-fp8": "harness.quantizers.torch_fp8:QUANTIZER",
    "modelopt-diffusers": "harness.quantizers.modelopt_diffusers:QUANTIZER",
    "command": "harness.quantizers.command:QUANTIZER",
    "random-weights": "harness.quantizers.random_weights:QUANTIZER",
    "fake": "harness.quantizers.fake:QUANTIZER",
}
