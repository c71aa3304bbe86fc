"""Tables as maintainers write them, and what a person reads in them."""

from __future__ import annotations

from typing import Any

READ: dict[str, tuple[str, str, list[list[Any]]]] = {
    "sizes as models, continued blanks, batch sizes as headings": (
        ("| GPU | Model | Precision | Batch 1 | Batch 8 |\n|---|---|---|--:|--:|\n"
        "| A100 | 7B | FP16 | 51 | 400 |\n|  |  | INT4 | 101 | 600 |\n|  | 13B | FP16 | 30 | 200 |\n"),
        "gpu model method batch own.decode_speed",
        [["A100", "7b", "fp16", 1, 51], ["A100", "7b", "fp16", 8, 400], ["A100", "7b", "int4", 1, 101],
         ["A100", "7b", "int4", 8, 600], ["A100", "13b", "fp16", 1, 30], ["A100", "13b", "fp16", 8, 200]],
    ),
    "llama-bench, prefill and decode in one column": (
        ("| model | test | t/s |\n|---|--:|--:|\n| llama 7B Q4_0 | pp512 | 2368.80 |\n| llama 7B Q4_0 | tg128 | 131.42 |\n"),
        "model recipe own.t_s",
        [["llama_7b_q4_0", "pp512", 2368.80], ["llama_7b_q4_0", "tg128", 131.42]],
    ),
    "llama-bench, decode alone": (
        "| model | test | t/s |\n|---|--:|--:|\n| llama 7B Q4_0 | tg128 | 131.42 |\n| llama 7B Q8_0 | tg128 | 90.1 |\n",
        "model decode_tps test_2",
        [["llama_7b_q4_0", 131.42, "tg128"], ["llama_7b_q8_0", 90.1, "tg128"]],
    ),
    "transposed": (
        ("| Metric | FP16 | INT4 |\n|---|---|---|\n| Latency (ms) | 10 | 5 |\n| Throughput (tok/s) | 100 | 200 |\n"
        "| Size (GB) | 13 | 4 |\n| Accuracy | 70% | 69% |\n"),
        "method own.latency decode_tps artifact_bytes own.accuracy",
        [["fp16", 10, 100, 13, "70%"], ["int4", 5, 200, 4, "69%"]],
    ),
    "transposed, models as headings, none over the metrics": (
        "| | Llama-7B | Llama-13B |\n|---|---|---|\n| Perplexity | 5.1 | 4.9 |\n| Peak memory (GB) | 14.1 | 26.2 |\n",
        "model perplexity peak_gpu_bytes",
        [["llama_7b", 5.1, 14.1], ["llama_13b", 4.9, 26.2]],
    ),
    "metrics in rows below each model, which is repeated": (
        ("| Model | Measure | F16 | Q4_0 |\n|--:|---|--:|--:|\n| 7B | perplexity | 5.90 | 6.15 |\n| 7B | bits/weight | 16.0 | 4.5 |\n"
        "| 13B | perplexity | 5.25 | 5.38 |\n| 13B | bits/weight | 16.0 | - |\n"),
        "model method perplexity own.bits_weight",
        [["7b", "f16", 5.90, 16.0], ["7b", "q4_0", 6.15, 4.5], ["13b", "f16", 5.25, 16.0], ["13b", "q4_0", 5.38, "-"]],
    ),
    "metrics in rows, with what they gain": (
        ("| Model | Metric | INT4 RTN | INT4 AWQ | Improvement |\n|---|---|---|---|---|\n| a | MMLU | 32.4% | 33.9% | +1.5% |\n"
        "| | Perplexity | 46.30 | 44.33 | -2.0 |\n"),
        "model method own.mmlu perplexity mmlu_improvement_1 perplexity_improvement_2",
        [["a", "int4_rtn", "32.4%", 46.30, None, None], ["a", "int4_awq", "33.9%", 44.33, "+1.5%", "-2.0"]],
    ),
    "metric over method in two rows": (
        ("| Model | Perplexity | | Speed | |\n|---|---|---|---|---|\n| | FP16 | INT4 | FP16 | INT4 |\n"
        "| Llama-7B | 5.1 | 5.2 | 100 | 200 |\n| Llama-13B | 4.1 | 4.2 | 50 | 90 |\n"),
        "model method perplexity own.speed",
        [["llama_7b", "fp16", 5.1, 100], ["llama_7b", "int4", 5.2, 200], ["llama_13b", "fp16", 4.1, 50], ["llama_13b", "int4", 4.2, 90]],
    ),
    "batch over method in two rows": (
        ("| Model | Batch 1 | | Batch 8 | |\n|---|---|---|---|---|\n| | FP16 | INT4 | FP16 | INT4 |\n"
        "| Llama-7B | 51 | 101 | 400 | 600 |\n| Llama-13B | 30 | 60 | 200 | 350 |\n"),
        "model batch method own.decode_speed",
        [["llama_7b", 1, "fp16", 51], ["llama_7b", 1, "int4", 101], ["llama_7b", 8, "fp16", 400], ["llama_7b", 8, "int4", 600],
         ["llama_13b", 1, "fp16", 30], ["llama_13b", 1, "int4", 60], ["llama_13b", 8, "fp16", 200], ["llama_13b", 8, "int4", 350]],
    ),
    "units behind methods, one of them the baseline": (
        "| Model | Baseline (tok/s) | INT4 (tok/s) |\n|---|---|---|\n| Llama-7B | 100 | 200 |\n",
        "model method decode_tps",
        [["llama_7b", "baseline", 100], ["llama_7b", "int4", 200]],
    ),
    "metric and unit behind methods": (
        "| GPU | INT8 Latency (ms) | FP8 Latency (ms) | Speedup |\n|---|---|---|---|\n| L4 | 17.9 | 5.2 | 3.4x |\n",
        "gpu method own.latency own.speedup",
        [["L4", "int8", 17.9, None], ["L4", "fp8", 5.2, None], ["L4", None, None, "3.4x"]],
    ),
    "GPU and method in one heading": (
        "| Model | 4090 FP16 (tok/s) | 4090 W4A16 (tok/s) | Orin FP16 (tok/s) |\n|---|---|---|---|\n| VILA-8B | 58.5 | 168.1 | 16.2 |\n",
        "model gpu method decode_tps",
        [["vila_8b", 4090, "fp16", 58.5], ["vila_8b", 4090, "w4a16", 168.1], ["vila_8b", "Orin", "fp16", 16.2]],
    ),
    "models as headings with a metric behind each": (
        "| Method | Llama-2-7B PPL ↓ | Llama-2-13B PPL ↓ |\n|---|---|---|\n| FP16 | 5.18 | 4.63 |\n| HQQ | 5.22 | 4.66 |\n",
        "method model perplexity",
        [["fp16", "llama_2_7b", 5.18], ["fp16", "llama_2_13b", 4.63], ["hqq", "llama_2_7b", 5.22], ["hqq", "llama_2_13b", 4.66]],
    ),
    "sizes below families of models, the metric in the corner": (
        (
            "| PPL ↓ | | Mistral | | Yi | |\n|---|---|---|---|---|---|\n| | | 7B | 8x7B | 6B | 34B |\n| FP16 | - | 5.4 | 4.8 | 5.6 | 5.0 |\n"
            "| INT4-g128 | RTN | 5.7 | 4.9 | 5.9 | 5.2 |\n| | AWQ | 5.6 | 4.9 | 5.7 | 5.1 |\n"
        ),
        "method recipe model perplexity",
        [[method, recipe, model, value]
         for method, recipe, values in (("fp16", "none", (5.4, 4.8, 5.6, 5.0)), ("int4_g128", "RTN", (5.7, 4.9, 5.9, 5.2)), ("int4_g128", "AWQ", (5.6, 4.9, 5.7, 5.1)))
         for model, value in zip(("mistral_7b", "mistral_8x7b", "yi_6b", "yi_34b"), values, strict=True)],
    ),
    "variants below methods": (
        (
            "| Model | FP16 | W4A16 | | W3A16 | |\n|---|---|---|---|---|---|\n| | | g128 | channel | g128 | channel |\n"
            "| Qwen-7B | 5.4 | 5.6 | 5.7 | 6.2 | 6.9 |\n| Qwen-14B | 4.4 | 4.6 | 4.7 | 5.2 | 5.9 |\n"
        ),
        "model method own.decode_speed",
        [[model, method, value] for model, values in (("qwen_7b", (5.4, 5.6, 5.7, 6.2, 6.9)), ("qwen_14b", (4.4, 4.6, 4.7, 5.2, 5.9)))
         for method, value in zip(("fp16", "w4a16_g128", "w4a16_channel", "w3a16_g128", "w3a16_channel"), values, strict=True)],
    ),
    "transposed below a heading that is a method's elsewhere": (
        "| Format | F16 | Q8_0 |\n|---|---|---|\n| size | 14.97 GiB | 7.96 GiB |\n| PPL | 6.233 ± 0.038 | 6.234 ± 0.038 |\n",
        "method artifact_bytes perplexity",
        [["f16", "14.97 GiB", "6.233 ± 0.038"], ["q8_0", "7.96 GiB", "6.234 ± 0.038"]],
    ),
    "engines as headings": (
        "| Model | llama.cpp (tok/s) | vLLM (tok/s) |\n|---|---|---|\n| Llama-3-8B | 80 | 100 |\n",
        "model engine decode_tps",
        [["llama_3_8b", "llama.cpp", 80], ["llama_3_8b", "vLLM", 100]],
    ),
    "batch sizes behind a metric": (
        "| Quantization | TTFT (ms) BS=1 | TTFT (ms) BS=8 |\n|---|---|---|\n| BF16 | 20 | 90 |\n| AWQ | 12 | 110 |\n",
        "method batch ttft",
        [["bf16", 1, 20], ["bf16", 8, 90], ["awq", 1, 12], ["awq", 8, 110]],
    ),
    "batch and context as settings": (
        "| Method | Batch | Context | Latency (ms) |\n|---|---|---|---|\n| FP16 | 1 | 2048 | 20.1 |\n| FP16 | 8 | 4096 | 40.1 |\n",
        "method batch prompt own.latency",
        [["fp16", 1, 2048, 20.1], ["fp16", 8, 4096, 40.1]],
    ),
    "ratios in brackets": (
        "| Model | FP16 (tok/s) | INT4 (tok/s) |\n|---|---|---|\n| Phi-3 mini | 100.2 | 210.0 (2.10x) |\n",
        "model method decode_tps",
        [["phi_3_mini", "fp16", 100.2], ["phi_3_mini", "int4", "210.0 (2.10x)"]],
    ),
    "continued blanks beside a heading that nobody knows": (
        ("| GPU | Network family | Scheme | Decode (tok/s) |\n|---|---|---|---|\n| A100 | dense | FP16 | 51 |\n| | | INT4 | 101 |\n"
        "| | moe | FP16 | 30 |\n| L4 | dense | FP16 | 9 |\n"),
        "gpu recipe method decode_tps",
        [["A100", "dense", "fp16", 51], ["A100", "dense", "int4", 101], ["A100", "moe", "fp16", 30], ["L4", "dense", "fp16", 9]],
    ),
    "bits and group sizes of methods, a size of models": (
        ("| Model | Size | Method | Bits | Group size | PPL |\n|---|---|---|--:|--:|---|\n| Aquila | 7B | FP16 | 16 | - | 5.5 |\n"
        "| Aquila | 7B | GPTQ | 4 | 128 | 5.7 |\n| Aquila | 7B | GPTQ | **3** | 128 | 6.6 |\n| Aquila | 13B | GPTQ | 4 | 64 | 5.0 |\n"),
        "model method perplexity",
        [["aquila_7b", "fp16", 5.5], ["aquila_7b", "gptq_4bit_g128", 5.7], ["aquila_7b", "gptq_3bit_g128", 6.6], ["aquila_13b", "gptq_4bit_g64", 5.0]],
    ),
    "bits and group sizes that are the method": (
        "| Model | Bits | Group Size | PPL |\n|---|---|---|---|\n| Orca-6B | 16 | — | 5.5 |\n| Orca-6B | 4 | 128 | 5.6 |\n| Orca-6B | 4 | 64 | 5.58 |\n",
        "model method perplexity",
        [["orca_6b", "16bit", 5.5], ["orca_6b", "4bit_g128", 5.6], ["orca_6b", "4bit_g64", 5.58]],
    ),
    "group sizes of which one is a word": (
        "| Group size | Bits | Max latency (max, ms) |\n|---|---|---|\n| 32 | 4 | 12 |\n| 16 | 4 | 11 |\n| per-channel | 4 | 13 |\n",
        "method own.max_latency_max",
        [["g32_4bit", 12], ["g16_4bit", 11], ["per_channel_4bit", 13]],
    ),
    "bits beside methods as headings": (
        "| Model | Bits | RTN PPL | GPTQ PPL |\n|---|---|---|---|\n| OPT-1.3B | 4 | 48.2 | 15.5 |\n| OPT-1.3B | 3 | 13000 | 20.9 |\n",
        "model recipe method perplexity",
        [["opt_1.3b", "4bit", "rtn", 48.2], ["opt_1.3b", "4bit", "gptq", 15.5], ["opt_1.3b", "3bit", "rtn", 13000], ["opt_1.3b", "3bit", "gptq", 20.9]],
    ),
    "a method above its bits": (
        "| Method | Bits | PPL |\n|---|---|---|\n| GPTQ | 4 | 5.7 |\n| | 3 | 6.6 |\n| AWQ | 4 | 5.6 |\n",
        "method perplexity",
        [["gptq_4bit", 5.7], ["gptq_3bit", 6.6], ["awq_4bit", 5.6]],
    ),
    "two models of one name and two sizes, the name written once": (
        "| Model | Size | Speed (tok/s) |\n|---|---|---|\n| Gemma | 2B | 100 |\n| | 9B | 60 |\n",
        "model decode_tps",
        [["gemma_2b", 100], ["gemma_9b", 60]],
    ),
    "before and after of what was measured": (
        "| Model | Original TTFT (ms) | Optimized TTFT (ms) |\n|---|---|---|\n| Orca-6B | 30.1 | 12.3 |\n",
        "model method ttft",
        [["orca_6b", "original", 30.1], ["orca_6b", "optimized", 12.3]],
    ),
    "a measure with methods in brackets behind it": (
        "| Task | F1 (FP32) | F1 (INT8) | Size FP32 (MB) | Size INT8 (MB) |\n|---|---|---|---|---|\n| QA | 93.1 | 92.9 | 1275 | 330 |\n",
        "task method own.f1 artifact_bytes",
        [["QA", "fp32", 93.1, 1275], ["QA", "int8", 92.9, 330]],
    ),
    "further words that tell rows apart": (
        ("| Method | Act order | Kernel | Kind of text | Decode (tok/s) |\n|---|---|---|---|---|\n| GPTQ | no | cuda | news | 27 |\n"
        "| GPTQ | no | triton | news | 29 |\n| GPTQ | yes | cuda | news | 21 |\n| GPTQ | yes | cuda | code | 22 |\n"),
        "method recipe decode_tps",
        [["gptq", "no_cuda_news", 27], ["gptq", "no_triton_news", 29], ["gptq", "yes_cuda_news", 21], ["gptq", "yes_cuda_code", 22]],
    ),
    "measures in rows, of which most are known": (
        "| | FP32 | INT8 | Δ |\n|---|---|---|---|\n| Top-1 | 76.1 | 76.0 | -0.1 |\n| Latency, ms | 9.1 | 3.2 | -5.9 |\n| Energy (J/img) | 0.9 | 0.3 | -0.6 |\n",
        "method own.top_1 own.latency own.energy top_1_delta_1 latency_ms_delta_2 energy_j_img_delta_3",
        [["fp32", 76.1, 9.1, 0.9, None, None, None], ["int8", 76.0, 3.2, 0.3, "-0.1", "-5.9", "-0.6"]],
    ),
    "throughput of a GPU, which is not that of all": (
        "| Method | Tokens/s/GPU | Prefill Tok/s |\n|---|---|---|\n| FP16 | 224 | 900 |\n",
        "method own.tokens_s_gpu prefill_tps",
        [["fp16", 224, 900]],
    ),
    "precision in bits, and a size that is a model": (
        "| Size | Precision | PPL |\n|---|---|---|\n| 7B | 16 | 5.1 |\n| 7B | 4 | 5.3 |\n| 13B | 16 | 4.6 |\n",
        "model method perplexity",
        [["7b", 16, 5.1], ["7b", 4, 5.3], ["13b", 16, 4.6]],
    ),
    "methods told by their cells, parameters as words": (
        "| Model | Kernel | params | t/s |\n|---|---|---|---|\n| llama | GPTQ | 6.74 B | 81.5 |\n| llama | EXL2 | 6.74 B | 92.1 |\n",
        "model method decode_tps params_3",
        [["llama", "gptq", 81.5, "6.74 B"], ["llama", "exl2", 92.1, "6.74 B"]],
    ),
}  # fmt: skip
REFUSED = {
    "numbers alone as headings": (
        "| Method | 2048 | 4096 |\n|---|---|---|\n| FP16 | 5.4 | 5.3 |\n",
        "headings '2048', '4096' are numbers, and nothing says of what; write it, as 'Batch 2048', or say --column '2048=own.NAME' of each",
    ),
    "a heading's second row of numbers": (
        "| Method | Context | |\n|---|---|---|\n| | 2048 | 4096 |\n| FP16 | 5.4 | 5.3 |\n",
        "row 1, column 'Method' is empty, and no row stands above it",
    ),
    "metrics in units of their own to a row, not the same of each method": (
        "| Method | Metric | Value |\n|---|---|---|\n| FP16 | PPL | 5.4 |\n| FP16 | Latency (ms) | 10 |\n| INT4 | PPL | 5.6 |\n",
        "column 'Metric' names what each row measures; all of them must name the same, in the same order, each once",
    ),
    "one percentage among milliseconds": (
        "| Method | Latency (ms) |\n|---|---|\n| FP16 | 20 |\n| INT8 | 12 |\n| INT4 | 70% |\n",
        "row 3 of column 'Latency (ms)' says '70%', and its numbers are in 'ms'; write it in one unit, or say --column",
    ),
    "a number without the unit that the others print": (
        "| Method | Memory |\n|---|---|\n| FP16 | 14.5 GB |\n| INT4 | 5.47 |\n",
        "row 2 of column 'Memory' says '5.47', and its numbers are in 'GB'",
    ),
    "a unit that nobody knows among joules": (
        "| Method | Energy (J) |\n|---|---|\n| FP16 | 12.5 |\n| INT4 | 65 zorks |\n",
        "row 2 of column 'Energy (J)' says '65 zorks', and its numbers are in 'J'",
    ),
    "ratios below a rate": (
        "| Method | Decode (tok/s) |\n|---|---|\n| FP16 | 1.0x |\n| INT4 | 2.1x |\n",
        "row 1 of column 'Decode (tok/s)' says '1.0x', and its heading names 'tok/s'; write it in one unit",
    ),
    "two kinds of models": (
        "| Model | 7B | 13B |\n|---|---|---|\n| Llama | 5.4 | 5.3 |\n| Vicuna | 6.4 | 6.3 |\n",
        "headings '7B', '13B' are each a model, and so is column 'Model'; say what that one is, as --column 'Model=recipe'",
    ),
    "empty keys behind numbers": (
        "| Model | PPL | Precision |\n|---|---|---|\n| a | 5.4 | FP16 |\n| b | 5.5 | |\n",
        "column 'Precision' has empty cells behind columns of numbers",
    ),
    "an empty key below another beginning": (
        "| Model | Method | PPL |\n|---|---|---|\n| a | FP16 | 5.4 |\n| b | | 5.5 |\n",
        "row 2, column 'Method' is empty, and the row begins otherwise than the one above; write what it is, or '-'",
    ),
    "a gain that is none": (
        "| Metric | INT4 RTN | INT4 AWQ | Improvement |\n|---|---|---|---|\n| MMLU | 32.4% | 33.9% | +9.5% |\n",
        "column 'Improvement' is not everywhere the difference, nor the ratio, of 'INT4 AWQ' and 'INT4 RTN'",
    ),
}  # fmt: skip
UNITS = """\
| Method | Energy (J) | Per token (mJ) | Draw (W) | Efficiency (tokens/J) | Carbon (gCO2e) | Zorks (zorkmids) | Price ($/1M tokens) | Score (avg) | Size |
|---|---|---|---|---|---|---|---|---|---|
| FP16 | 12.5 | 130 | 250 | 11.2 | 12 | 4 | 0.6 | 61.2 | 13.5 GB |
| INT4 | 650 mJ | 60 | 0.15 kW | 21.2 | 6 | 5 | 0.2 | 60.2 | 400 MB |
"""
