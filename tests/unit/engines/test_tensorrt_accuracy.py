"""lm-eval's own TensorRT-LLM backend over a stand-in of `tensorrt_llm`: scores in place are believed, scores one position off are not."""

from __future__ import annotations

import importlib.machinery
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.engines import tensorrt_accuracy
from harness.engines.tensorrt_accuracy import main, refuse_misaligned, refuse_versions

OLD = {"lm-eval": "0.4.12", "tensorrt-llm": "1.3.0rc11"}


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None


@dataclass
class Said:
    text: str
    prompt_logprobs: list[dict[int, Logprob]]


@dataclass
class Output:
    outputs: list[Said]


class Llm:
    """Follows each token by one that hangs on it alone; tells log-probabilities of prompts as TensorRT-LLM does."""

    tokenizer: Any = None
    words: tuple[int, ...] = ()
    """Tokens that stand for a word of their own, whatever stands before them."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def generate(self, inputs: list[list[int]], sampling_params: Any, use_tqdm: bool = False) -> list[Output]:
        return [Output([Said(self.tokenizer.decode([self._next(ids[-1])]), self._logprobs(ids))]) for ids in inputs]

    def _logprobs(self, ids: list[int]) -> list[dict[int, Logprob]]:
        """An entry a position: its token, and the likeliest of the next position."""
        found = []
        for before, token in zip([None, *ids], ids, strict=False):
            likeliest = before is not None and token == self._next(before)
            score = Logprob(-0.5, 1) if likeliest else Logprob(-9.0 - token % 7, 50)
            found.append({self._next(token): Logprob(-0.5, 1), token: score})
        return found

    def _next(self, token: int) -> int:
        return self.words[(7 * token + 3) % len(self.words)]


def words_of(tokenizer: Any) -> tuple[int, ...]:
    """List tokens that begin with a space and are read as they are written."""
    texts = {token: tokenizer.decode([token]) for token in range(len(tokenizer))}
    alone = {token: tokenizer(f"x{text}", add_special_tokens=False).input_ids for token, text in texts.items()}
    return tuple(
        token
        for token, text in texts.items()
        if text[:1] == " " and text.strip().isalpha() and alone[token][1:] == [token]
    )


def tensorrt(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """Put a package in the place of `tensorrt_llm`, and give lm-eval's backend over it."""
    from transformers import AutoTokenizer

    made, api = ModuleType("tensorrt_llm"), ModuleType("tensorrt_llm.llmapi")
    made.__spec__ = importlib.machinery.ModuleSpec("tensorrt_llm", None)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    llm = type("There", (Llm,), {"tokenizer": tokenizer, "words": words_of(tokenizer)})
    made.LLM, made.SamplingParams, api.KvCacheConfig = llm, dict, dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt_llm", made)
    monkeypatch.setitem(sys.modules, "tensorrt_llm.llmapi", api)
    from lm_eval.models import trtllm_causallms

    for name, one in (("LLM", llm), ("SamplingParams", dict), ("KvCacheConfig", dict)):
        monkeypatch.setattr(trtllm_causallms, name, one, raising=False)
    monkeypatch.setattr(trtllm_causallms.TRTLLM, "rank", 0, raising=False)
    return trtllm_causallms.TRTLLM


def test_scores_in_place_are_believed_and_scores_one_position_off_are_not(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = tensorrt(monkeypatch, tiny / "hf")
    refuse_misaligned(backend(model=str(tiny / "hf")))
    right = backend._parse_logprobs
    off = staticmethod(lambda tokens, outputs, ctxlen: right(tokens[:-1], outputs, ctxlen - 1))
    monkeypatch.setattr(backend, "_parse_logprobs", off)
    with pytest.raises(HarnessError, match=r"scores \d as likeliest: its log-likelihoods are not those"):
        refuse_misaligned(backend(model=str(tiny / "hf")))


def test_a_model_that_says_nothing_is_not_tried() -> None:
    class Silent:
        def generate_until(self, requests: list[object]) -> list[str]:
            return ["" for _ in requests]

        def loglikelihood(self, requests: list[object]) -> list[tuple[float, bool]]:
            raise AssertionError(requests)

    with pytest.raises(HarnessError, match="too few of the tried beginnings"):
        refuse_misaligned(Silent())


@pytest.mark.parametrize(("installed", "told"), [
    (OLD, "lm-eval 0.4.12 is too old: log-likelihoods on TensorRT-LLM need 0.4.13"),
    ({"lm-eval": "0.4.13", "tensorrt-llm": "1.2.1"}, "tensorrt-llm 1.2.1 is too old"),
    ({"lm-eval": "0.4.13"}, "tensorrt-llm is not installed"),
])  # fmt: skip
def test_versions_that_score_wrongly_are_refused(installed: dict[str, str | None], told: str) -> None:
    with pytest.raises(HarnessError) as error:
        refuse_versions(installed)
    assert told in str(error.value)


def test_new_ones_are_not() -> None:
    refuse_versions({"lm-eval": "0.4.13", "tensorrt-llm": "1.3.0"})


@pytest.mark.slow
def test_it_scores_a_task_and_leaves_results_that_import_reads(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.formats.reading import format_of, read_contents
    from harness.formats.source import read_source

    data = tmp_path / "questions.json"
    data.write_text(
        json.dumps([{"question": f"What is {number}?", "answer": number % 2} for number in range(4)]), "utf-8"
    )
    task = tmp_path / "quiz.yaml"
    task.write_text(
        f"task: quiz\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_choice: [" A", " B"]\ndoc_to_target: answer\nmetric_list: [{metric: acc}]\n', "utf-8"
    )  # fmt: skip
    tensorrt(monkeypatch, tiny / "hf")
    monkeypatch.setattr(tensorrt_accuracy, "_installed", lambda name: "9.9")
    main(["--model", str(tiny / "hf"), "--out", str(tmp_path), "--task", str(task), "--shots", "0"])
    source = read_source(tmp_path / "results_tensorrt.json")
    assert format_of(source).name == "lm-eval"
    (run,) = read_contents(format_of(source), source).runs
    assert [number.metric for number in run.numbers] == ["lm_eval.acc"]
