"""Requests for `trtllm-bench`: a line of JSON each, prompts of exactly so many random tokens.

The program reads token ids under `logits` in all its versions, under `input_ids` in newer ones, too.
Source: NVIDIA/TensorRT-LLM, tensorrt_llm/bench/utils/data.py at 04276b44 and bench/dataset/utils.py at 04b5d973.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.core.errors import HarnessError

SEED = 7
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")


def write_requests(to: Path, config: Mapping[str, object], *, requests: int, prompt: int, output: int) -> None:
    """Write requests of `prompt` tokens each that ask for `output` new ones, the same for a vocabulary; special tokens are left out.

    config: the model's config.json. Raises: HarnessError where it does not say how large the vocabulary is.
    """
    import numpy as np

    text = config.get("text_config")
    said = {**(text if isinstance(text, Mapping) else {}), **config}
    size = said.get("vocab_size")
    if not isinstance(size, int):
        raise HarnessError("config.json says no vocab_size, from which prompts are drawn; add it")
    ordinary = np.setdiff1d(np.arange(size), _special(said))
    drawn = np.random.default_rng(SEED).choice(ordinary, (requests, prompt))
    lines = (
        json.dumps({"task_id": number, "logits": [int(token) for token in row], "output_tokens": output})
        for number, row in enumerate(drawn)
    )
    to.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _special(said: Mapping[str, object]) -> list[int]:
    found: list[int] = []
    for name in _SPECIAL:
        one = said.get(name)
        found += [one] if isinstance(one, int) else one if isinstance(one, list) else []
    return found
