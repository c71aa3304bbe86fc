"""Tables of the shapes that pages of well-known projects have, typed anew with a few figures each."""

from __future__ import annotations

LLAMA_QUANTIZE = """\
| Measure                     | IQ1_S        | Q2_K           | Q4_K_M         |
| --------------------------- | ------------ | -------------- | -------------- |
| bits/weight                 | 2.0042       | 3.1593         | 4.8944         |
| size (GiB)                  | 1.87         | 2.95           | 4.58           |
| prompt processing t/s @ 512 | 858.88 ±1.22 | 798.91 ±6.40   | 821.81 ± 21.44 |
| text generation t/s @ 128   | 79.73 ±0.79  | 79.85 ±0.20    | 71.93 ±1.52    |
"""
"""A measure to a row, a type of quantization to a column."""

LLAMA_PERPLEXITY = """\
| Quantization | imatrix | Model size [GiB] | PPL                    | ΔPPL                   | KLD                   | Mean Δp           | RMS Δp           |
|--------------|---------|------------------|------------------------|------------------------|-----------------------|-------------------|------------------|
| f16          | None    |            14.97 |    6.233160 ± 0.037828 | -                      | -                     | -                 | -                |
| q8_0         | None    |             7.96 |    6.234284 ± 0.037878 |    0.002650 ± 0.001006 |   0.001355 ± 0.000006 | -0.019 ± 0.003 %  | 1.198 ± 0.007 %  |
| q4_K_M       | None    |             4.58 |    6.407115 ± 0.039119 |    0.175482 ± 0.004620 |   0.031273 ± 0.000238 | -0.596 ± 0.014 %  | 5.519 ± 0.050 %  |
| q4_K_M       | WT 10m  |             4.58 |    6.382937 ± 0.039055 |    0.151303 ± 0.004429 |   0.028152 ± 0.000240 | -0.389 ± 0.014 %  | 5.251 ± 0.049 %  |
"""
"""Plus and minus, units behind it, and an importance matrix that tells two rows of one type apart."""

LLAMA_BENCH = """\
| model                          |       size |     params | backend    | ngl |            test |                  t/s |
| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: | -------------------: |
| llama 7B mostly Q4_0           |   3.56 GiB |     6.74 B | CUDA       |  99 |          pp 512 |      2405.35 ± 13.14 |
| llama 7B mostly Q4_0           |   3.56 GiB |     6.74 B | CUDA       |  99 |          tg 128 |        131.42 ± 0.38 |
| llama 13B mostly Q4_0          | 700.00 MiB |    13.02 B | CUDA       |  99 |          tg 128 |        **80.35** ± 0.11 |
"""
"""Units inside cells that differ, a test as words, and half of a cell in bold."""

AUTOGPTQ = """\
model | GPU | num_beams | fp16 | gptq-int4
---|---|---|---|---
llama-7b | 1xA100-40G | 1 | 18.87 | 25.53
llama-7b | 1xA100-40G | 4 | 68.79 | 91.30
moss-moon 16b | 1xA100-40G | 4 | OOM | 42.67
moss-moon 16b | 2xA100-40G | 1 | 06.83 | 06.78
"""
"""No pipes at the ends, a leading zero, and methods as headings."""

VLLM_SERVING = """\
| Test name | GPU | Request rate (req/s) | # of req. | Tput (req/s) | Output Tput (tok/s) | Mean TTFT (ms) | P99 TTFT (ms) | Mean ITL (ms) |
|:----------|:----|---------------------:|----------:|-------------:|--------------------:|---------------:|--------------:|--------------:|
| serving_llama8B_tp1_sharegpt_qps_1 | A100-SXM4-80GB | 1 | 200 | 1.02 | 224.11 | 24.21 | 40.10 | 8.31 |
| serving_llama8B_tp1_sharegpt_qps_inf | A100-SXM4-80GB | inf | 200 | 14.38 | 2,991.47 | 1,405.19 | 2,700.03 | 27.60 |
"""
"""A test to a row, percentiles beside means, and a rate without end."""

SGLANG = """\
| Quant | Concurrency | Output tok/s | Total tok/s | TTFT (ms) | Memory |
|---|---:|---:|---:|---:|---:|
| `--quantization fp8` | 1 | 142.7 | 285.3 | 31.4 | 15.1 GB |
| `--quantization fp8` | 64 | 4,310 | 8,620 | 212 | 15.1 GB |
| none (bf16) | 1 | 88.0 | 176.1 | 44 | 28.9GB |
"""
"""Code as a method, and units with and without a space."""

TINYCHAT = """\
| Model | FP16 latency (ms) | INT4 latency (ms) | Speedup | Checkpoint |
| ----- |:-----------------:|:-----------------:|:-------:| ---------- |
| LLaMA-2-7B<sup>†</sup> | 17.9 | 5.2 | 3.4x | [download](https://example.org/l2-7b.pt) |
| **LLaMA-2-13B** | OOM | 8.7 | N/A | [download](https://example.org/l2-13b.pt) |
| Falcon-7B \\| chat | 38.7 | 11.6 | **3.3x** | - |
"""
"""Links as a column of words, a footnote mark at a name, an escaped pipe, and a number in bold."""

EXLLAMA = """\
| Model      | Mode         | Size  | grpsz | act | 3090Ti  | 4090        |
|------------|--------------|-------|-------|-----|---------|-------------|
| Llama      | GPTQ         | 7B    | 128   | no  | 181 t/s | **205** t/s |
| Llama      | GPTQ         | 13B   | 128   | no  | 110 t/s | 114 t/s     |
| Llama2     | EXL2 4.0 bpw | 7B    | -     | -   | 168 t/s | 204–211 t/s |
| TinyLlama  | EXL2 3.0 bpw | 1.1B  | -     | -   | 656 t/s | **770** t/s |
"""
"""GPUs as headings, a range where others have a number, and settings that do not always hold."""

LEADERBOARD = """\
| # | Model | Average ⬆️ | IFEval | BBH | MATH Lvl 5 | Precision | CO₂ cost (kg) |
| -: | :- | -: | -: | -: | -: | :-: | -: |
| 1 | [org/model-72b](https://example.org/org/model-72b) 📑 | 51.23 | 81.63 | 57.33 | 36.03 | bfloat16 | 12.96 |
| 2 | [org/model-72b-GPTQ-Int4](https://example.org/org/q) | 50.41 *(-0.82)* | 80.1 | 56.9 | 35.5 | GPTQ | 4.1 |
| 3 | 💬 other/model-7b | 28.90 | 63.1 | — | n/a | 4bit | |
"""
"""Ranks before the names, signs and emphasis in cells, and four ways to say nothing."""

KV_CACHE = """\
| Cache | Bits (K/V) | Peak Memory (GB) | vs. FP16 | WikiText-2 PPL ↓ | LongBench ↑ |
| :-- | :-: | --: | --: | --: | --: |
| FP16 | 16/16 | 38.2 | - | 5.47 | 44.52 |
| KIVI-4 (g=32, r=128) | 4/4 | 17.1 | −55.2% | 5.48 | 44.4 |
| KIVI-2 (g=32, r=128) | 2/2 | 13.9 | −63.6% | 5.50 | 44.27 |
"""
"""Names with a detail in parentheses, a fraction as words, and a real minus sign."""

MLPERF = """\
| Submitter | System | Accelerator | Scenario | Result (Samples/s) | Accuracy target |
|---|---|---|---|---:|:---:|
| Vendor A | 8x H100-SXM | H100 | Offline | 3,062.4 | 99% |
| Vendor A | 8x H100-SXM | H100 | Server | 2,780.1 | 99% |
| Vendor A | 8x H100-SXM | H100 | Server | 2,502.0 | 99.9% |
| Vendor B | 1x L4 | L4 | Offline | 56.9 | 99% |
"""
"""Columns of words and a target in percent, which together tell rows apart."""

GPTQMODEL = """\
| Method | Bits | Group | WikiText2 (7B / 13B) | Δ accuracy | VRAM |
| --- | --- | --- | --- | --- | --- |
| FP16 baseline | 16 | — | 5.47 / 4.88 | 0 | 13.5 GB |
| GPTQ | 4 | 128 | 5.69 / 4.98 | -0.6% | 3.9 GB |
| GPTQ | 3 | 128 | 6.61 / 5.37 | -3.1% | 3.1 GB |
| AWQ <br> (ours) | 4 | 128 | 5.60 / 4.97 | +0.1% | 3.9 GB |
"""
"""Two numbers in one cell, a line break in a name, and settings that tell rows of one method apart."""

ALL = {
    "quantize": LLAMA_QUANTIZE,
    "perplexity": LLAMA_PERPLEXITY,
    "llama-bench": LLAMA_BENCH,
    "autogptq": AUTOGPTQ,
    "vllm": VLLM_SERVING,
    "sglang": SGLANG,
    "tinychat": TINYCHAT,
    "exllama": EXLLAMA,
    "leaderboard": LEADERBOARD,
    "kv-cache": KV_CACHE,
    "mlperf": MLPERF,
    "gptqmodel": GPTQMODEL,
}
