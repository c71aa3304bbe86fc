"""lm-eval's tasks on TensorRT-LLM through lm-eval's own backend, as a program whose results `command` reads: `python -m harness.engines.tensorrt_accuracy`.

The backend of lm-eval 0.4.12 takes log-probabilities one position off, and TensorRT-LLM before 1.3.0rc11 gives none of prompts: both are refused
by version, and what is installed is tried before anything is scored, since a score one position off is a number like any other.
Source: EleutherAI/lm-evaluation-harness, lm_eval/models/trtllm_causallms.py, 0.4.13; Model-Optimizer, examples/llm_eval/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from harness.core.errors import HarnessError

LEAST = {"lm-eval": "0.4.13", "tensorrt-llm": "1.3.0rc11"}
ENVIRONMENT = "trtllm-1.3"
"""Shipped environment that has both."""
TRIED = (
    "The capital of France is the city of", "One, two, three, four, five,", "The opposite of hot is", "Water boils at one hundred",
    "Monday, Tuesday, Wednesday,", "She opened the door and", "The sun rises in the", "A cat and a",
)  # fmt: skip
"""Beginnings whose likeliest continuation is asked for and then scored."""
_ENOUGH = 0.75
"""Which share of them must agree: batches of another shape may turn a close choice."""


class LikelihoodModel(Protocol):
    """lm-eval's model, as far as it is tried."""

    def generate_until(self, requests: list[object]) -> list[str]: ...
    def loglikelihood(self, requests: list[object]) -> list[tuple[float, bool]]: ...


def refuse_versions(installed: Mapping[str, str | None]) -> None:
    """Refuse packages that are missing or too old. installed: version by name. Raises: HarnessError naming both versions."""
    from packaging.version import Version

    for name, least in LEAST.items():
        there = installed.get(name)
        if there is None or Version(there) < Version(least):
            raise HarnessError(
                f"{name} {there or 'is not installed'}{' is too old' if there else ''}: log-likelihoods on TensorRT-LLM need {least} or newer; take environment "
                f"{ENVIRONMENT}, which `harness setup --env {ENVIRONMENT}` makes, or run here `python -m pip install '{name}>={least}'`"
            )


def refuse_misaligned(model: LikelihoodModel) -> None:
    """Have continuations generated, and scored: the likeliest must be called so, and score above another one behind the same words.

    A score that is read one position off is that of the words before, whatever follows them. Raises: HarnessError.
    """
    said = model.generate_until(
        [_request("generate_until", text, {"until": [], "max_gen_toks": 1, "do_sample": False}) for text in TRIED]
    )
    pairs = [(text, one) for text, one in zip(TRIED, said, strict=True) if one.strip()]
    others = [next((other for _, other in pairs if other != one), "") for _, one in pairs]
    usable = [(text, one, other) for (text, one), other in zip(pairs, others, strict=True) if other]
    if len(usable) < len(TRIED) // 2:
        raise HarnessError(
            "the model continues too few of the tried beginnings to tell whether its scores are in place; nothing was scored"
        )
    likeliest = model.loglikelihood([_request("loglikelihood", text, one) for text, one, _ in usable])
    unlikelier = model.loglikelihood([_request("loglikelihood", text, other) for text, _, other in usable])
    agree = [greedy and one > other for (one, greedy), (other, _) in zip(likeliest, unlikelier, strict=True)]
    if sum(agree) < _ENOUGH * len(agree):
        raise HarnessError(
            f"of {len(agree)} continuations that the model itself generates, lm-eval's backend scores {sum(agree)} as likeliest: its log-likelihoods are not "
            "those of the continuations (one position off, as in 0.4.12); nothing was scored"
        )


def _request(kind: str, text: str, what: object) -> object:
    from lm_eval.api.instance import Instance

    return Instance(request_type=kind, doc={}, arguments=(text, what), idx=0)


def main(words: Sequence[str]) -> None:
    """Score a folder's tasks and write lm-eval's results. Raises: HarnessError as the two checks."""
    asked = _parsed(words)
    refuse_versions({name: _installed(name) for name in LEAST})
    from lm_eval import simple_evaluate
    from lm_eval.models.trtllm_causallms import TRTLLM
    from lm_eval.tasks import TaskManager

    model = TRTLLM(
        model=asked.model,
        tensor_parallel_size=asked.tp,
        pipeline_parallel_size=asked.pp,
        max_input_len=asked.longest,
        max_output_len=64,
    )
    refuse_misaligned(model)
    tasks = TaskManager(include_defaults=not asked.task.endswith(".yaml"))
    results = simple_evaluate(
        model=model,
        tasks=[asked.task],
        num_fewshot=asked.shots,
        limit=asked.limit,
        task_manager=tasks,
        log_samples=False,
    )
    (Path(asked.out) / "results_tensorrt.json").write_text(json.dumps(results, default=str, indent=1), "utf-8")


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness.engines.tensorrt_accuracy")
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--task", default="mmlu")
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--pp", type=int, default=1)
    parser.add_argument("--longest", type=int, default=4096)
    return parser.parse_args(words)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
