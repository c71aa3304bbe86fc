"""Peak extra memory of perplexity with KL-divergence at a vocabulary of 128k, on ONNX Runtime with random weights.

    python -m tests.benchmarks.kl_memory --tokens 200000

Two opened sessions of one tiny Llama (128,256 tokens of vocabulary) run side by side, as a live reference and its candidate
do. Extra is the highest resident set of the whole process less what was resident once both were open.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

VOCABULARY = 128_256
LIMIT = 2e9
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Measured:
    """What a run took: bytes beyond the opened sessions, seconds, and what was scored."""

    extra: int
    opened: int
    seconds: float
    scored: int
    kl: float
    perplexity: float


def build(folder: Path) -> None:
    """Make the artifact below a folder."""
    from harness.core.options import validated
    from harness.core.registry import load
    from harness.core.seam import Base, Context
    from harness.quantizers import QUANTIZERS

    steps = (("random-weights", {"config": CONFIG, "seed": 1}, "hf"), ("ort-genai", {"precision": "fp32"}, "onnx"))
    for name, options, out in steps:
        quantizer = load(QUANTIZERS, "quantizer", name)
        (folder / out).mkdir()
        scratch = folder / f"{out}-scratch"
        scratch.mkdir()
        base = Base(path=folder / "hf", format="hf", model=folder / "hf")
        quantizer.build(base, validated(quantizer.options, options, name), folder / out, Context(folder=scratch))


def measure(artifact: Path, tokens: int, scratch: Path) -> Measured:
    """Measure in this process; only a fresh one has no higher peak behind it."""
    import psutil

    from harness import reference
    from harness.core.seam import Context
    from harness.engines.ort_genai import ENGINE
    from harness.probes import kl_divergence, perplexity
    from harness.process_memory import peak_rss_bytes

    text = scratch / "text.txt"
    held = reference.heldout_text()
    text.write_text("\n\n".join([held] * (tokens // 20_000 + 1)), "utf-8")
    with ExitStack() as stack:
        candidate, other = (stack.enter_context(ENGINE.open(artifact, ENGINE.options())) for _ in range(2))
        for session in (candidate, other):
            list(session.logprobs([1, 2, 3], [2]))
        opened = psutil.Process().memory_info().rss
        context = Context(folder=scratch, reference_session=other)
        given = {"text": str(text), "window": 1024, "stride": 512, "tokens": tokens}
        begun = time.monotonic()
        kl = kl_divergence.measure(candidate, kl_divergence.Workload(**given), context)
        ppl = perplexity.measure(candidate, perplexity.Workload(**given), context)
        seconds = time.monotonic() - begun
        extra = int(peak_rss_bytes() or 0) - opened
    return Measured(extra, opened, seconds, kl.protocol.scored or 0, kl.values[0].value, ppl.values[0].value)


def main() -> None:
    """Build in one process, measure in this one, print."""
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--build", type=Path, help="only make the artifact below this folder")
    asked = parser.parse_args()
    if asked.build:
        build(asked.build)
        return
    headline(f"python -m tests.benchmarks.kl_memory --tokens {asked.tokens}")
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.benchmarks.kl_memory", "--build", name]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            sys.exit(built.stderr)
        found = measure(Path(name) / "onnx", asked.tokens, Path(name))
    print(f"vocabulary {VOCABULARY}, {found.scored} positions in {found.seconds:.0f} s; KL {found.kl:.1e}, "
          f"perplexity {found.perplexity:.0f}")  # fmt: skip
    print(f"opened {found.opened / 1e6:.0f} MB, extra {found.extra / 1e6:.0f} MB, limit {LIMIT / 1e6:.0f} MB")
    sys.exit(result(found.extra < LIMIT))


if __name__ == "__main__":
    main()
