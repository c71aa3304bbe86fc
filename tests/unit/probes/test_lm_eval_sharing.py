"""Tasks of HellaSwag's and ARC's shapes on a small model: what their prompts begin with alike is run once, and changes no score."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from harness.core.seam import Context
from harness.engines import scoring, shared_scoring, torch_loading, transformers
from harness.probes.lm_eval import Workload, measure
from tests.tiny_model import write_model

ACTS = ("Cleaning a window", "Baking bread", "Mending a bicycle", "Planting a tree")
ENDINGS = (
    "puts all of it back into the box and closes the lid with both hands.",
    "puts all of it on the floor, and then sits down to wait for somebody.",
    "looks out of the window while the dog sleeps beside the warm oven.",
    "begins once more, since the first attempt has come to nothing at all.",
)
HELLASWAG = [
    {"ctx": f"{act}: A man stands in a large room with a box of tools. He takes one out and shows it to the others. He",
     "endings": [*ENDINGS[at:], *ENDINGS[:at]], "label": str(at)} for at, act in enumerate(ACTS)
]  # fmt: skip
"""Four endings of many tokens each for one context."""
ARC = [
    {"question": f"Which of these does a {thing} need in order to grow?", "answerKey": key,
     "choices": {"text": [f"{kind} {thing}" for kind in ("old", "light and water for the", "no", "another")],
                 "label": ["A", "B", "C", "D"]}} for thing, key in (("plant", "B"), ("fish", "D"), ("stone", "C"))
]  # fmt: skip
"""Answers of several tokens behind questions that begin alike."""
SHAPES: dict[str, tuple[dict[str, str], list[dict[str, Any]], int]] = {
    "hellaswag": ({"doc_to_text": "{{ctx}}", "doc_to_target": "{{label}}", "doc_to_choice": "{{endings}}"}, HELLASWAG, 0),
    "arc": ({"doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_target": "{{choices.label.index(answerKey)}}",
             "doc_to_choice": "{{choices.text}}"}, ARC, 2),
}  # fmt: skip
"""Templates as lm-eval's own tasks have them, rows, and examples before each question."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("sharing") / "hf")


@contextlib.contextmanager
def counted(forward: Any) -> Iterator[list[int]]:
    """Note the tokens of each pass."""
    usual, seen = forward.run, list[int]()

    def run(batch: Sequence[Sequence[int]], *given: Any, **more: Any) -> Any:
        seen.append(sum(map(len, batch)))
        return usual(batch, *given, **more)

    forward.run = run
    try:
        yield seen
    finally:
        forward.run = usual


def write_task(folder: Path, name: str) -> Path:
    texts, rows, _ = SHAPES[name]
    files = {"test": str(folder / "rows.jsonl"), "train": str(folder / "shots.jsonl")}
    for path, part in zip(files.values(), (rows, rows[::-1]), strict=True):
        Path(path).write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    task = folder / f"{name}.yaml"
    task.write_text(json.dumps({
        "task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test",
        "training_split": "train", "fewshot_split": "train", "fewshot_config": {"sampler": "first_n"},
        "output_type": "multiple_choice", **texts,
        "metric_list": [{"metric": kind, "aggregation": "mean", "higher_is_better": True} for kind in ("acc", "acc_norm")],
    }), encoding="utf-8")  # fmt: skip
    return task


@pytest.mark.parametrize(("name", "share"), [("hellaswag", 0.6), ("arc", 0.3)])
def test_choices_of_many_tokens_cost_their_contexts_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, share: float
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    workload = Workload(task=str(write_task(tmp_path, name)), shots=SHAPES[name][2])
    with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
        with counted(session._forward) as fewer:
            found = measure(session, workload, Context(folder=tmp_path))
        monkeypatch.setattr(shared_scoring, "score", scoring.score)
        with counted(session._forward) as whole:
            expected = measure(session, workload, Context(folder=tmp_path))
    logs = found.arrays["choice_logprobs"]
    assert logs.shape == (len(SHAPES[name][1]), 4)
    assert logs.tolist() == [pytest.approx(row, abs=1e-4) for row in expected.arrays["choice_logprobs"].tolist()]
    assert [one.value for one in found.values] == pytest.approx([one.value for one in expected.values], abs=1e-4)
    assert sum(fewer) < share * sum(whole)
