"""Processor seconds of scoring where the vocabulary dominates: every row through the head, and wanted rows alone.

    python -m tests.benchmarks.head_rows --rounds 3

A random Llama of hidden size 512, 4 layers and 128,256 tokens, ORT-GenAI fp32, one thread: choices after prompts of 200 tokens, and
windows of 512 tokens of which the last 256 are scored. Rows must be bit for bit the same. Operations allow more than is reached: the
head's product is the one that a CPU does best, and the softmax is not among them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.flops import Decoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.engines.onnx_scores import OnnxForward

    Found = NDArray[np.float32]

SHAPE = Decoder(layers=4, hidden=512, inner=1408, queries=512, keys=256, vocabulary=128_256)
LEAST = 3.0
"""Factor that choices have to reach; windows share the softmax of the rows that they score, and have to gain at all."""
PROMPTS, PROMPT = 4, 200
WINDOW, SCORED = 512, 256


def main() -> None:
    """Build the model, measure both in turns, print factors and the verdict."""
    import numpy as np

    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    headline(f"python -m tests.benchmarks.head_rows --rounds {rounds}")
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as name:
        with contextlib.redirect_stdout(sys.stderr):
            artifact = _export(Path(name))
        every, wanted = (_opened(artifact, view=view) for view in (False, True))
        draw = np.random.default_rng(0)
        prompts = [draw.integers(2, 1000, PROMPT).tolist() for _ in range(PROMPTS)]
        window = draw.integers(2, 1000, WINDOW).tolist()
        good = True
        for label, work, before, after in (
            ("choices", lambda forward: _choices(forward, prompts), PROMPTS * PROMPT, PROMPTS),
            ("windows", lambda forward: _window(forward, window), WINDOW, SCORED),
        ):
            body = PROMPTS * SHAPE.run(0, PROMPT) if label == "choices" else SHAPE.run(0, WINDOW)
            predicted = (body + SHAPE.head(before)) / (body + SHAPE.head(after))
            factor = _compared(label, work, (every, wanted), rounds, predicted)
            good &= factor >= (LEAST if label == "choices" else 1.0)
    sys.exit(result(good))


def _compared(
    label: str,
    work: Callable[[OnnxForward], Found],
    forwards: tuple[OnnxForward, OnnxForward],
    rounds: int,
    predicted: float,
) -> float:
    """Print and return the median factor; 0 where rows differ."""
    import numpy as np

    seconds: tuple[list[float], list[float]] = [], []
    found: list[Found] = [work(forward)[:1] for forward in forwards]
    for _ in range(rounds):
        for at, forward in enumerate(forwards):
            begun = time.process_time()
            found[at] = work(forward)
            seconds[at].append(time.process_time() - begun)
    same = bool(np.array_equal(*found))
    factor = median(one / other for one, other in zip(*seconds, strict=True))
    print(f"{label}: every row {median(seconds[0]):.2f} s of processor, wanted rows {median(seconds[1]):.2f} s: factor {factor:.2f}, by operations "
          f"{predicted:.2f}; rows bit for bit {'equal' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
    return factor if same else 0.0


def _choices(forward: OnnxForward, prompts: list[list[int]]) -> Found:
    import numpy as np

    last = [np.asarray([PROMPT - 1])]
    return np.concatenate([forward.run([prompt], last, None, keep=False)[0][0] for prompt in prompts])


def _window(forward: OnnxForward, window: list[int]) -> Found:
    import numpy as np

    from harness.engines import scoring

    tiles = scoring.logprobs(forward, window, range(WINDOW - SCORED, WINDOW))
    return np.concatenate([tile.logprobs for tile in tiles])


def _opened(artifact: Path, *, view: bool) -> OnnxForward:
    from harness.engines import onnx_scores
    from harness.engines.scoring_view import view_of

    config = json.loads((artifact / "genai_config.json").read_text("utf-8"))["model"]
    made = view_of(artifact / "model.onnx") if view else None
    return onnx_scores.open_forward(artifact, config, "cpu", onnx_scores.open_raw(artifact, config, "cpu", {}, 1, made))


def _export(folder: Path) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.tiny_model import export, write_tokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=SHAPE.vocabulary, hidden_size=SHAPE.hidden, intermediate_size=SHAPE.inner, num_hidden_layers=SHAPE.layers,
        num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "hf")
    write_tokenizer(folder / "hf")
    export(folder / "hf", (folder / "fp32", "fp32", []))
    return folder / "fp32"


if __name__ == "__main__":
    main()
