"""KL-divergence from hidden states: what a further candidate costs, what a reference takes, how exact it is, and its memory.

    python -m tests.benchmarks.kl_hidden [cost] [exact] [memory]

cost: a random Llama of hidden size 512, 4 layers and 128,256 tokens, fp32 reference and int4 candidate, ORT-GenAI, one thread, processor
seconds in turns; the forward pass gives rows of logits, or perplexity (a model of this size is soon over: 128,256 values a row
to be normalized are much beside it), the pass of the head gives rows from hidden states, both opened before. exact: the shipped model's held-out text against int8 and int4, beside the same comparison of dense log-probabilities in
float64. memory: 128,256 tokens of vocabulary, hidden size 64, three lengths of text, each in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.flops import Decoder

SHAPE = Decoder(layers=4, hidden=512, inner=1408, queries=512, keys=256, vocabulary=128_256)
"""Little model, many tokens: hardly any has so much of its work in what is compared."""
REAL = Decoder(layers=30, hidden=576, inner=1536, queries=576, keys=192, vocabulary=49_152)
"""Of SmolLM2-135M, with random weights."""
COST = 1.10
"""Most that a further candidate may cost, in passes of its own model and of the reference's head."""
SMALLER = 20
"""So many times smaller than dense 16-bit logits the hidden states have to be, up to hidden size 4,096."""
RELATIVE, ABSOLUTE = 1e-4, 1e-6
SELF = 1e-6
LIMIT = 1e9
WINDOW = 256


def main() -> None:
    """Measure what is asked for, print, give the verdict."""
    from tests.benchmarks.facts import headline, result

    parts = {"cost": _cost, "exact": _exact, "memory": _memory}
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*parts, []])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, help="of cost or exact")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }  # before anything imports numpy
    if asked.peak:
        print(json.dumps(_peak(Path(asked.peak[0]), int(asked.peak[1]))))
        return
    chosen = asked.parts or list(parts)
    headline(" ".join(["python -m tests.benchmarks.kl_hidden", *sys.argv[1:]]))
    good = True
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            good &= parts[name](Path(folder), asked)
    sys.exit(result(good))


def _opened(folder: Path) -> Any:
    from harness.engines.ort_genai import ENGINE

    return ENGINE.open(folder, ENGINE.options.model_validate({"threads": 1}))


def _llama(folder: Path, shape: Decoder, *precisions: str) -> None:
    """Write a random model, and its exports beside it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.tiny_model import export, write_tokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.queries // 64, num_key_value_heads=max(1, shape.keys // 64), max_position_embeddings=2048,
        tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, initializer_range=0.06,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "hf")
    write_tokenizer(folder / "hf")
    with contextlib.redirect_stdout(sys.stderr):
        export(folder / "hf", *((folder / name, name, []) for name in precisions))


def _text(folder: Path, tokens: int) -> str:
    from harness import reference

    held = reference.heldout_text()
    path = folder / "text.txt"
    path.write_text("\n\n".join([held] * (tokens // 20_000 + 1)), "utf-8")
    return str(path)


def _stored(session: Any, folder: Path, given: dict[str, Any]) -> Path:
    from harness.core.seam import Context
    from harness.probes import kl_reference

    out = folder / "reference"
    out.mkdir()
    kl_reference.measure(session, kl_reference.Workload(**given), Context(folder=folder, out=out))
    return out


# ---------------------------------------------------------------- what a further candidate costs


def _cost(folder: Path, asked: argparse.Namespace) -> bool:
    factors, sizes = {}, []
    for name, shape in (("little", SHAPE), ("real", REAL)):
        (folder / name).mkdir()
        factors[name], stored, count = _of_shape(folder / name, shape, asked)
        print(
            f"    of {shape.layers} layers, hidden size {shape.hidden}, {shape.vocabulary:,} tokens, a {name} model",
            flush=True,
        )
        sizes += [_sizes(stored, count)] if shape is SHAPE else []
    return all(sizes) and factors["real"] <= COST


def _of_shape(folder: Path, shape: Decoder, asked: argparse.Namespace) -> tuple[float, Any, int]:
    """Print what a further candidate of a shape costs; give that as a multiple of pass and head."""
    from harness.core.seam import Context
    from harness.probes import kl_divergence, perplexity
    from harness.probes.kl_store import open_stored
    from harness.probes.streams import logit_tiles
    from harness.probes.windows import sliding, span_positions

    tokens = asked.tokens or 16 * WINDOW
    _llama(folder, shape, "fp32", "int4")
    given = {"text": _text(folder, tokens), "window": WINDOW, "stride": WINDOW, "tokens": tokens}
    with _opened(folder / "fp32") as session:
        stored = open_stored(_stored(session, folder, given))
    count = len(stored.positions)

    def passes(session: Any) -> None:
        for span in sliding(len(stored.ids), WINDOW, WINDOW):
            for _ in logit_tiles(session, stored.ids[span.begin : span.end].tolist(), span_positions(span)):
                pass

    reader = stored.reader("cpu")

    def head() -> None:
        for begin in range(0, count, WINDOW):
            reader.rows(begin, min(WINDOW, count - begin))

    def candidate(session: Any) -> None:
        kl_divergence.measure(session, kl_divergence.Workload(**given), Context(folder=folder, reference=stored.folder))

    with _opened(folder / "int4") as session:
        works = {
            "forward pass": lambda: passes(session),
            "the same with perplexity": lambda: perplexity.measure(
                session, perplexity.Workload(**given), Context(folder=folder)
            ),
            "reference's head": head,
            "KL and perplexity": lambda: candidate(session),
        }
        seconds = _in_turns(works, asked.rounds)
    bare, scored, heads, whole = seconds.values()
    factors, bares = (
        median(all_ / (one + other) for one, other, all_ in zip(some, heads, whole, strict=True))
        for some in (scored, bare)
    )
    told = ", ".join(f"{name} {median(values):.2f} s" for name, values in seconds.items())
    print(
        f"cost: {count} positions, processor: {told}: {factors:.3f} of pass with perplexity and head together (limit {COST}), "
        f"{bares:.3f} of bare pass and head",
        flush=True,
    )
    return float(factors), stored, count


def _in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Measure processor seconds of each in turns, a first one apart."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            begun = time.process_time()
            work()
            if number:
                seconds[name].append(time.process_time() - begun)
    return seconds


def _sizes(stored: Any, count: int) -> bool:
    """Print what a position takes; at hidden size 4,096 by the same layout."""
    folder = stored.folder
    head = sum(path.stat().st_size for path in (folder / "head").iterdir())
    states = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    dense = 2 * SHAPE.vocabulary * count
    wide = states / count + 2 * (4096 - SHAPE.hidden)
    print(f"sizes: {states / count:.0f} bytes a position, dense 16-bit logits {2 * SHAPE.vocabulary}: {dense / states:.0f} times smaller; at hidden size 4,096 "
          f"{2 * SHAPE.vocabulary / wide:.1f} times; beside them the head once, {head / 1e6:.0f} MB", flush=True)  # fmt: skip
    return 2 * SHAPE.vocabulary / wide >= SMALLER


# ---------------------------------------------------------------- how exact it is


def _exact(folder: Path, asked: argparse.Namespace) -> bool:
    from harness.core.seam import Context
    from harness.probes import kl_divergence
    from harness.probes.kl_store import open_stored

    with contextlib.redirect_stdout(sys.stderr):
        for name in ("fp32", "int8", "int4"):
            _shipped(folder / name, name)
    given: dict[str, Any] = {"window": 512, "stride": 512, "tokens": asked.tokens or 10_000}
    good = True
    with _opened(folder / "fp32") as live:
        stored = _stored(live, folder, given)
        floor = open_stored(stored).meta.floors["storage"]
        for name in ("fp32", "int8", "int4"):
            with _opened(folder / name) as session:
                found = [
                    kl_divergence.measure(session, kl_divergence.Workload(**given), context).values[0].value
                    for context in (
                        Context(folder=folder, reference=stored),
                        Context(folder=folder, reference_session=live),
                    )
                ]
            apart, allowed = abs(found[0] - found[1]), max(ABSOLUTE, RELATIVE * found[1])
            good &= apart <= (SELF if name == "fp32" else allowed)
            print(
                f"exact: {name}: KL {found[0]:.3e} through the store, {found[1]:.3e} dense in float64: {apart:.1e} apart (allowed {allowed:.0e})",
                flush=True,
            )
    print(f"floor: {floor:.1e} nat, what the store costs as the reference prints it (limit {SELF:.0e})", flush=True)
    return good and floor <= SELF


def _shipped(folder: Path, precision: str) -> None:
    """Build the shipped model."""
    from harness import reference
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER

    scratch = folder.with_name(f"{folder.name}-scratch")
    folder.mkdir()
    scratch.mkdir()
    model = reference.model_folder()
    options = QUANTIZER.options.model_validate({"precision": precision})
    QUANTIZER.build(Base(model, "hf", model), options, folder, Context(folder=scratch))


# ---------------------------------------------------------------- memory


def _memory(folder: Path, asked: argparse.Namespace) -> bool:
    del asked
    _llama(folder, replace(SHAPE, layers=2, hidden=64, inner=176, queries=64, keys=64), "fp32")
    peaks = []
    for tokens in (2048, 8192, 32_768):
        command = [sys.executable, "-m", "tests.benchmarks.kl_hidden", "--peak", str(folder), str(tokens)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(ran.stderr)
        peaks.append(json.loads(ran.stdout.splitlines()[-1]))
        print(f"memory: {tokens} tokens: opened {peaks[-1]['opened'] / 1e6:.0f} MB, reference and comparison "
              f"{peaks[-1]['extra'] / 1e6:.0f} MB more (limit {LIMIT / 1e6:.0f})", flush=True)  # fmt: skip
    return max(peak["extra"] for peak in peaks) < LIMIT


def _peak(folder: Path, tokens: int) -> dict[str, int]:
    import psutil

    from harness.core.seam import Context
    from harness.probes import kl_divergence
    from harness.process_memory import peak_rss_bytes

    with tempfile.TemporaryDirectory() as name, _opened(folder / "fp32") as session:
        given = {"text": _text(Path(name), tokens), "window": 512, "stride": 512, "tokens": tokens}
        list(session.logprobs([1, 2, 3], [2]))
        opened = psutil.Process().memory_info().rss
        stored = _stored(session, Path(name), given)
        context = Context(folder=Path(name), reference=stored)
        kl_divergence.measure(session, kl_divergence.Workload(**given), context)
        return {"opened": opened, "extra": int(peak_rss_bytes() or 0) - opened}


if __name__ == "__main__":
    main()
