"""The reference model's own examination: five shots, the likeliest of four letters, by stratum."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tools.reference_model.exam import Question, examination
from tools.reference_model.text import LETTERS, block, header

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 32


def prompt(question: Question, shots: Sequence[Question]) -> str:
    """Write a question after its subject's examples, in MMLU's layout."""
    shown = "".join(f"{block(shot.text, shot.options)} {shot.letter}\n\n" for shot in shots)
    return header(question.subject) + shown + block(question.text, question.options)


def evaluate(model: Any, tokenizer: Any) -> dict[str, dict[str, float]]:
    """Score the whole set: per stratum and over all, `questions`, `correct` and `accuracy`.

    `model` is a transformers causal model on the CPU, `tokenizer` its tokenizer (which adds the beginning mark).
    Batched by length with padding on the right, which causal attention never sees.
    """
    import torch

    dev, test = examination()
    shots = {entry.subject: [shot for shot in dev if shot.subject == entry.subject] for entry in test}
    ids = [tokenizer(prompt(entry, shots[entry.subject])).input_ids for entry in test]
    choices = [tokenizer(" " + letter, add_special_tokens=False).input_ids[0] for letter in LETTERS]
    correct: Counter[str] = Counter()
    counts = Counter(entry.stratum or "" for entry in test)
    order = sorted(range(len(test)), key=lambda index: len(ids[index]))
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            width = max(len(ids[index]) for index in chosen)
            rows = torch.tensor([ids[index] + [0] * (width - len(ids[index])) for index in chosen])
            hidden = model.model(rows).last_hidden_state
            last = hidden[torch.arange(len(chosen)), torch.tensor([len(ids[index]) - 1 for index in chosen])]
            picks = model.lm_head(last)[:, choices].argmax(-1).tolist()
            for index, pick in zip(chosen, picks, strict=True):
                correct[test[index].stratum or ""] += LETTERS[pick] == test[index].letter
    report = {
        name: {"questions": count, "correct": correct[name], "accuracy": correct[name] / count}
        for name, count in sorted(counts.items())
    }
    right = sum(correct.values())
    return report | {"all": {"questions": len(test), "correct": right, "accuracy": right / len(test)}}
