"""Results of other tools, read as they are: a file per format; this is the registry, in the order in which formats are tried."""

from __future__ import annotations

FORMATS = {
    "onnxruntime-genai": "harness.importing.genai:FORMAT",
    "onnxruntime-genai-csv": "harness.importing.genai:OLD",
    "optimum-benchmark": "harness.importing.optimum_benchmark:FORMAT",
    "optimum-benchmark-2023": "harness.importing.optimum_benchmark_2023:FORMAT",
    "lm-eval": "harness.importing.lm_eval:FORMAT",
    "trtllm-bench": "harness.importing.trtllm_bench:FORMAT",
    "sglang-serving": "harness.importing.sglang_serving:FORMAT",
    "vllm-serving": "harness.importing.vllm_serving:FORMAT",
    "llama-bench": "harness.importing.llama_bench:FORMAT",
    "markdown": "harness.importing.markdown:FORMAT",
}
