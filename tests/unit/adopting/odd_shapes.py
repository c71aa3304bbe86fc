"""Tables of odder shapes, as benchmark pages of well-known projects have them; headings as there, every figure made up."""

from __future__ import annotations

LM_EVAL = """\
|Tasks        |Version|     Filter     |n-shot|  Metric   |   |Value |   |Stderr|
|-------------|------:|----------------|-----:|-----------|---|-----:|---|-----:|
|gsm8k        |      3|flexible-extract|     5|exact_match|↑  |0.4127|±  |0.0135|
|             |       |strict-match    |     5|exact_match|↑  |0.4011|±  |0.0135|
|arc_challenge|      1|none            |    25|acc        |↑  |0.5205|±  |0.0146|
|             |       |none            |    25|acc_norm   |↑  |0.5546|±  |0.0145|
|wikitext     |      2|none            |     0|word_perplexity|↓|9.8765|±|   N/A|
"""
"""What lm-eval prints: a metric to a row, arrows and ± in columns without headings, tasks that are not repeated."""

LLAMA_FLAGS = """\
| model                  |       size |     params | backend | threads | fa | mla |   test |           t/s |
| ---------------------- | ---------: | ---------: | ------- | ------: | -: | --: | -----: | ------------: |
| qwen3moe 30B Q4_K      |  17.28 GiB |    30.53 B | CPU     |      16 |  0 |   1 |  pp512 | 101.52 ± 0.91 |
| qwen3moe 30B Q4_K      |  17.28 GiB |    30.53 B | CPU     |      16 |  1 |   1 |  pp512 | 117.02 ± 1.10 |
| qwen3moe 30B Q4_K      |  17.28 GiB |    30.53 B | CPU     |      16 |  1 |   3 |  pp512 | 119.90 ± 0.35 |
| qwen3moe 30B Q4_K      |  17.28 GiB |    30.53 B | CPU     |      16 |  1 |   3 | tg128@pp4096 | 12.80 ± 0.02 |
"""
"""Flags that are numbers, and alone tell rows apart."""

KLD_REPORT = """\
| Metric                    |                    Value |
|---------------------------|--------------------------|
| Mean PPL(Q)               |      7.311042 ± 0.040113 |
| Cor(ln(PPL(Q)), ln(PPL(base))) |             99.910% |
| Mean    KLD               |  0.00151 ± 0.00002       |
| Maximum Δp                |                  11.206% |
"""
"""One configuration, a metric to a row."""

PRICES = """\
| Model | Precision | Cost (per 1M tokens) | GPU $/hr | Throughput | Total |
|:--|:--|--:|--:|--:|--:|
| Llama-3.1-70B | BF16 | $0.88 | $12.29 | 1.9k tok/s | US$1,204.50 |
| Llama-3.1-70B | FP8 | **$0.52** | $12.29 | 3.4k tok/s | US$711.25 |
| Llama-3.1-70B | INT4 | ~$0.41 | $4.10 | 2.8k tok/s | – |
"""
"""Amounts with the sign of the currency before them, and thousands as k."""

TIMES = """\
| Scheme | Tuning time | Peak VRAM | Total Execution Time | Accuracy |
|---|---|---|---|---|
| W4A16 | 1m25s | 2.9GB | 3h 58m 10s | 0.5712 |
| W2A16 | 12m 05s | 2.9GB | 12h47m | 0.4412 |
| GGUF:Q4_K_M | 48s | 3.1GB | 58m | 0.5690 |
"""
"""Durations in hours, minutes and seconds."""

EXL3 = """\
| Model | Precision | FP16 cache | Q8 cache | Q4 cache | Fits 24 GB? |
|--------|---------|-------------|-----------|----------|:--:|
| Mistral 7B | 3.0 bpw | **13.31** | 13.42 | 🥇 13.38 | ✅ |
|  | 4.0 bpw | **12.91** | 12.92 | 12.90 | ✅ |
|  | FP16 | **12.68** | 12.71 | 12.70 ⚠️ | ❌ |
| Mixtral 8x7B | 3.5 bpw | **10.26** | 10.41 | 10.32 🐌 | ❌ |
"""
"""Bits per weight as names of methods, the best in bold, signs beside numbers, ticks and crosses."""

TORCHAO = """\
| Model | Technique | wikitext-perplexity | Tokens/Second | Speed Change | Peak Memory (GB) | Model Size (GB) |
| --- | --- | --- | --- | --- | --- | --- |
| Llama-3.1-8B | Base (bfloat16) | 7.541 | 126.90 | — | 16.75 | 15.01 |
|              | int8dq[^1] | 7.560 | 18.50 (-85.4%) | −85.42% | NA | 7.53 |
|              | [int4wo-64](https://example.org/int4) | 8.316[^2] | 215.10 (+69.5%) | +69.50% | 5.75 | 4.76 |
"""
"""Percent of change in parentheses and in a column, a real minus, footnotes and a link."""

SERVING = """\
| | | TTFT | | Throughput | |
|:--|:--|--:|--:|--:|--:|
| Engine | Conc. | p50 (ms) | p99 (ms) | req/s | tok/s |
| SGLang v0.4 | 1 | 21.3 | 44.0 | 1.02 | 224.1 |
| SGLang v0.4 | 64 | 212.0 | 1,405.2 | 14.38 | 2,991.5 |
| vLLM | 1 | 24.2 | 40.1 | 1.01 | 219.0 |
| vLLM | 64 | 240.9 | 2,700.0 | 13.90 | 2,870.2 |
"""
"""Headings in two rows."""

MLX = """\
| Engine | Quant | Prompt Tokens | Prompt Processing Speed | Token Generation Speed | Memory (peak/steady) |
| --- | --- | --- | --- | --- | --- |
| MLX | 4bit | 260 | 75.871 t/s | 9.351 t/s | 12.3 / 11.1 GB |
| llama.cpp | q4_0 | 260 | 73.86 t/s | 9.07 t/s | 14.0 / 13.9 GB |
| MLX | 4bit | 8,195 | 71.1 t/s | 6.2–6.9 t/s | 15.3 / 13.1 GB |
| llama.cpp | q4_0 | 8,195 | 70.05 t/s | 6.33 t/s | 16.2 / 15.8 GB |
"""
"""Two numbers in one cell, a range, and thousands in a count."""

AQLM = """\
| Model | AQLM scheme | WikiText-2 PPL | MMLU (5-shot) FP16→AQLM | Model size, Gb | Hub link |
|---|---|---|---|---|---|
| Llama-3-8b | 1x16 | - | 0.65→0.56 | 4.1 | [Link](https://example.org/a) |
| Llama-3-8b | 1x16 + PV <br> (ours) | **6.99** | 0.65→0.59 | 4.1 | [Link](https://example.org/b) |
| Llama-2-13b | 2x8 | 5.94 | - | 3.8 | [Link](https://example.org/c) |
"""
"""Arrows from one number to another, a line break, and links alone."""

RECOVERY = """\
| Category | Benchmark | Llama-3.3-70B | Llama-3.3-70B-w4a16 | Recovery |
|---|---|:-:|:-:|:-:|
| **OpenLLM v1** | ARC-Challenge (25-shot) | 72.44 | 71.50 | 98.7% |
| | GSM8k (5-shot, strict-match) | 90.30 | 90.14 | 99.8% |
| | **Average** | **81.37** | **80.82** | **99.3%** |
| **Coding** | HumanEval pass@1 | 83.20 | 81.98 | 98.5% |
"""
"""Benchmarks to a row in categories, models as headings, and what is left of the score."""

GEMV = """\
| Model Name | Size | Version | Batch Size | Prefill Length | Decode Length | Prefill tokens/s | Decode tokens/s | Memory (VRAM) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| Vicuna | 7B | 🟢GEMV | 1 | 64 | 64 | 640.1 | 198.9 | 4.50 GB (19.05%) |
| Vicuna | 7B | 🔵GEMM | 1 | 64 | 64 | 1,093.4 | 156.3 | 4.35 GB (18.41%) |
| Vicuna | 7B | 🔵GEMM | 8 | 2048 | 2048 | 3661.5 | 829.8 | 16.82 GB (71.12%) |
"""
"""A share of the memory behind its size."""

PARALLEL = """\
| Model | Device | Scheme | Parallelism | Peak Memory (G) | Runtime Change (min) | Quantization Speed |
|---|---|---|---:|---:|---|---|
| zai-org/GLM-5.2 | B200 | MXFP4-Mixed | 1 | 2 | N/A | slow |
| zai-org/GLM-5.2 | B200 | MXFP4-Mixed | 10 | 27 | 60 -> 16 | fast |
| Qwen/Qwen3-Next | A100 | W4A16 | 10 | 8 | 17 -> 5 | fast |
"""
"""A setting that nobody has a word for, and headings with a word of a dimension in them that are none."""

QAT = """\
| Model | Precision | Wikitext,<br>word_ppl | Improvement |
|-------|-----------|-----------------------|-------------|
| org/model-2b | BF16 | 15.15 | |
| org/model-2b | INT4 (QAT + LoRA) | 15.38 | 61% |
| other/model-7b | BF16 | 8.31 | |
| other/model-7b | INT4 (QAT + LoRA) | 8.45 | 21% |
| | | Average | 41% |
"""
"""Names that are written out in each row, and a last row that has none."""

MIXES = """\
| mode | %int4 | %int8 | lora<br>rank | average<br>error | compression |
|:---|:---|:---|:---|:---|:---|
| fp32 | 0% | 0% | | 0.0% | 1.0x |
| int4 + lora correction | 100% | 0% | 256.0 | 2.4% | 6.2x |
| int4 + awq | 40% | 60% | | 2.4% | 4.9x |
| int4 + awq | 60% | 40% | | 2.8% | 5.5x |
"""
"""Shares that were asked for tell rows apart, and a setting that not all have."""

CHANGE = """\
| Metric | Baseline (policy=0) | Turbo (policy=42) | Change |
| --- | --- | --- | --- |
| Input throughput | 2,310.8 tok/s | 2,142.1 tok/s | -7.3% |
| Mean TTFT | 1.120s | 1.214s | +8.4% |
| Mean ITL | 0.059s | 0.059s | ~unchanged |
"""
"""Two configurations that nobody knows beside named metrics, and by how many percent the second differs."""

ALL = {
    "qat": QAT,
    "mixes": MIXES,
    "change": CHANGE,
    "lm-eval": LM_EVAL,
    "llama-flags": LLAMA_FLAGS,
    "kld-report": KLD_REPORT,
    "prices": PRICES,
    "times": TIMES,
    "exl3": EXL3,
    "torchao": TORCHAO,
    "serving": SERVING,
    "mlx": MLX,
    "aqlm": AQLM,
    "recovery": RECOVERY,
    "gemv": GEMV,
    "parallel": PARALLEL,
}
