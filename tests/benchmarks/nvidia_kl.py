"""Perplexity and KL-divergence of six candidates: by the steps of Model Optimizer's scripts, and by ours, in processor seconds in turns.

    python -m tests.benchmarks.nvidia_kl --text ../shared/data/wikitext-2/wiki.test.raw --characters 20000 --rounds 2

The scripts are `examples/windows/accuracy_benchmark/` of NVIDIA/Model-Optimizer at d4506347b: `kl_divergence_metrics/compute_kl_divergence.py`,
and `perplexity_metrics/`. Their steps in our words: for each candidate the baseline is opened, logits of all its chunks of 4,096 tokens are
kept in memory as float32, it is let go, the candidate is opened, and position by position of each chunk the sum of p |log p - log q| is
taken; perplexity opens the candidate once more, in windows of 1,024 tokens with stride 512. Left out, to their favour, are the start of two
processes for each candidate with their imports, and `generate_next_token`, at which GenAI 0.15 and later raise; logits are there before.

Ours is one stored reference, its making included, and six candidates: with their windows, perplexity and KL-divergence apart; with both from one
pass over windows of 4,096, which gives their KL-divergence; and with both from one pass over windows of 1,024, as they take for perplexity. Both
numbers of that are of shorter contexts than theirs, and attention costs less. All have one thread. The shipped model, exported in fp32, is the baseline.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

CHUNK, WINDOW, STRIDE = 4096, 1024, 512
FACTOR = 4.0
"""So many times the processor seconds of ours the scripts' steps should take."""
CLOSE = 1e-3
"""How far their numbers and ours with their windows may stand apart, relative."""
CANDIDATES: dict[str, dict[str, object]] = {
    "int4": {"precision": "int4"},
    "int4 in blocks of 128": {"precision": "int4", "block_size": 128},
    "int4 with zero points": {"precision": "int4", "is_symmetric": False},
    "int4 k_quant": {"precision": "int4", "algo_config": "k_quant"},
    "int4, ends in int8": {"precision": "int4", "algo_config": "k_quant_mixed"},
    "int8": {"precision": "int8"},
}

Numbers = tuple[float, float]
"""Perplexity, and mean over chunks of the mean |log ratio|."""


def main() -> None:
    """Build, measure in turns, print factors, numbers and the verdict."""
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--characters", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }  # before anything imports numpy
    headline(
        f"python -m tests.benchmarks.nvidia_kl --text {asked.text.name} --characters {asked.characters} --rounds {asked.rounds}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        text.write_text(asked.text.read_text("utf-8")[: asked.characters], "utf-8")
        with contextlib.redirect_stdout(sys.stderr):
            for label, options in {"fp32": {"precision": "fp32"}, **CANDIDATES}.items():
                _export(folder / label, options)
        good = _measured(folder, text, asked.rounds)
    sys.exit(result(good))


def _export(folder: Path, options: dict[str, object]) -> None:
    from harness import reference
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER

    scratch = folder.with_name(f"{folder.name} scratch")
    folder.mkdir()
    scratch.mkdir()
    model = reference.model_folder()
    QUANTIZER.build(
        Base(model, "hf", model), QUANTIZER.options.model_validate(options), folder, Context(folder=scratch)
    )


def _measured(folder: Path, text: Path, rounds: int) -> bool:
    ways: dict[str, Callable[[Path, Path], list[Numbers]]] = {
        "the scripts' steps": _by_scripts, "ours, their windows": _with_their_windows, "ours, one pass": _in_one_pass,
        "ours, shorter windows": _in_shorter_windows,
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[Numbers]] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.process_time()
            found[name] = way(folder, text)
            seconds[name].append(time.process_time() - begun)
            gc.collect()
    theirs, *ours = (seconds[name] for name in ways)
    for name, taken in seconds.items():
        print(f"{name:22s} {median(taken):7.2f} s of processor ({', '.join(f'{value:.2f}' for value in taken)})")
    factors = [median(a / b for a, b in zip(theirs, one, strict=True)) for one in ours]
    print(
        f"factor with their windows {factors[0]:.2f}, with both numbers from one pass over windows of {CHUNK:,} {factors[1]:.2f}, "
        f"of {WINDOW:,} {factors[2]:.2f} (asked: {FACTOR:g})"
    )
    return _alike(found) and factors[2] >= FACTOR


def _alike(found: dict[str, list[Numbers]]) -> bool:
    """Print the numbers of each way; tell whether those of equal windows agree."""
    apart = []
    for label, theirs, same, *others in zip(CANDIDATES, *found.values(), strict=True):
        perplexities, ratios = zip(theirs, same, *others, strict=True)
        told = f"perplexity {', '.join(f'{one:.4f}' for one in perplexities)}; |log ratio| {', '.join(f'{one:.6f}' for one in ratios)}"
        print(f"  {label:24s} {told}")
        apart += [abs(a - b) / a for a, b in zip(theirs, same, strict=True)]
    print(f"  with equal windows at most {max(apart):.1e} apart (allowed {CLOSE:.0e})", flush=True)
    return max(apart) <= CLOSE


# ---------------------------------------------------------------- the scripts' steps


def _by_scripts(folder: Path, text: Path) -> list[Numbers]:
    found = []
    for label in CANDIDATES:
        perplexity = _their_perplexity(folder / label, text)
        kept = list(_chunk_logits(folder / "fp32", text, CHUNK, CHUNK))
        chunks = [
            _their_distance(kept[number], logits)
            for number, logits in enumerate(_chunk_logits(folder / label, text, CHUNK, CHUNK))
        ]
        found.append((perplexity, sum(chunks) / len(chunks)))
    return found


def _opened(folder: Path) -> Any:
    import onnxruntime_genai as og

    config = og.Config(str(folder))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": 1}}}}))
    return og.Model(config)


def _chunk_logits(folder: Path, text: Path, size: int, stride: int) -> Any:
    """Open a model, tokenize, and yield float32 logits [1, tokens, vocabulary] of each window, a copy as their scripts make it."""
    import numpy as np
    import onnxruntime_genai as og
    import torch

    torch.set_num_threads(1)
    model = _opened(folder)
    ids = np.asarray([og.Tokenizer(model).encode(text.read_text("utf-8"))], dtype=np.int32)
    for begin in range(0, ids.shape[1], stride):
        part = ids[:, begin : begin + size]
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=int(part.shape[1]), do_sample=False, early_stopping=False)
        generator = og.Generator(model, params)
        generator.append_tokens(part)
        yield torch.tensor(generator.get_output("logits"), dtype=torch.float32).cpu().numpy()
        if begin + size >= ids.shape[1]:
            return


def _their_distance(reference: Any, candidate: Any) -> float:
    import numpy as np
    import torch

    one, other = (
        torch.nn.functional.log_softmax(torch.tensor(logits, dtype=torch.float32), dim=2).numpy()[0]
        for logits in (reference, candidate)
    )
    total = 0.0
    for row, other_row in zip(one, other, strict=True):
        total += float(np.sum(np.exp(row) * np.abs(row - other_row)))
    return total / len(one)


def _their_perplexity(folder: Path, text: Path) -> float:
    import numpy as np
    import onnxruntime_genai as og
    import torch

    ids = np.asarray(og.Tokenizer(_opened(folder)).encode(text.read_text("utf-8")))
    total, count, done = 0.0, 0, 0
    for number, logits in enumerate(_chunk_logits(folder, text, WINDOW, STRIDE)):
        begin = number * STRIDE
        end = begin + logits.shape[1]
        logprobs = torch.nn.functional.log_softmax(torch.tensor(logits), dim=2).numpy()[0, :-1]
        first = max(done, begin + 1) - begin - 1
        targets = ids[begin + first + 1 : end]
        total -= float(logprobs[np.arange(first, end - begin - 1), targets].sum())
        count, done = count + len(targets), end
    return math.exp(total / count)


# ---------------------------------------------------------------- ours


def _session(folder: Path) -> Any:
    from harness.engines.ort_genai import ENGINE

    return ENGINE.open(folder, ENGINE.options.model_validate({"threads": 1}))


def _stored(folder: Path, out: Path, given: dict[str, Any]) -> Path:
    from harness.core.seam import Context
    from harness.probes import kl_reference

    with _session(folder / "fp32") as session:
        kl_reference.measure(session, kl_reference.Workload(**given), Context(folder=out, out=out))
    return out


def _ours(folder: Path, text: Path, window: int, apart: dict[str, int]) -> list[Numbers]:
    """Measure six candidates against one stored reference; apart: windows of perplexity, where they are others."""
    from harness.core.seam import Context
    from harness.probes import kl_divergence, perplexity

    given: dict[str, Any] = {"text": str(text), "window": window, "stride": window}
    found = []
    with tempfile.TemporaryDirectory() as out:
        stored = _stored(folder, Path(out), given)
        for label in CANDIDATES:
            with _session(folder / label) as session:
                context = Context(folder=folder, reference=stored)
                distance = kl_divergence.measure(session, kl_divergence.Workload(**given), context)
                asked = perplexity.Workload(**(given | apart))
                (value,) = perplexity.measure(session, asked, context).values
            ratio = next(one.value for one in distance.values if one.metric == "kl_abs_log_ratio")
            found.append((value.value, ratio))
    return found


def _with_their_windows(folder: Path, text: Path) -> list[Numbers]:
    return _ours(folder, text, CHUNK, {"window": WINDOW, "stride": STRIDE})


def _in_one_pass(folder: Path, text: Path) -> list[Numbers]:
    return _ours(folder, text, CHUNK, {})


def _in_shorter_windows(folder: Path, text: Path) -> list[Numbers]:
    return _ours(folder, text, WINDOW, {})


if __name__ == "__main__":
    main()
