"""Results of other tools, read as they are: a file per format; this is the registry, in the order in which formats are tried."""

from __future__ import annotations

FORMATS = {
    "trtllm-bench-printed": "harness.formats.trtllm_printed:FORMAT",
    "onnxruntime-genai": "harness.formats.genai:FORMAT",
    "onnxruntime-genai-csv": "harness.formats.genai:OLD",
    "optimum-benchmark": "harness.formats.optimum_benchmark:FORMAT",
    "optimum-benchmark-2023": "harness.formats.optimum_benchmark_2023:FORMAT",
    "lm-eval": "harness.formats.lm_eval:FORMAT",
    "trtllm-bench": "harness.formats.trtllm_bench:FORMAT",
    "sglang-serving": "harness.formats.sglang_serving:FORMAT",
    "vllm-serving": "harness.formats.vllm_serving:FORMAT",
    "llama-bench": "harness.formats.llama_bench:FORMAT",
}
