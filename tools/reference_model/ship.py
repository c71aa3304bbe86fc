"""Write everything that the package ships: weights, questions, texts, provenance and model card."""

from __future__ import annotations

import csv
import json
import math
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.reference_model import exam, losses, text, train, world
from tools.reference_model.card import model_card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.reference_model.train import Trained

PERPLEXITY_WINDOW = 512


@dataclass(frozen=True)
class Texts:
    """All texts of the world, written once."""

    training: list[str]
    heldout: list[str]
    calibration: list[str]


def write_texts() -> Texts:
    """Write all texts from their seeds."""
    training = list(text.training_documents())
    return Texts(training, text.heldout_passages(training), text.calibration_passages(training))


def ship(trained: Trained, out: Path) -> dict[str, Any]:
    """Write the folder `out` and give the provenance that stands in it."""
    texts = write_texts()
    out.mkdir(parents=True, exist_ok=True)
    (out / "heldout.txt").write_text("\n\n".join(texts.heldout) + "\n", encoding="utf-8", newline="\n")
    (out / "calibration.txt").write_text("\n\n".join(texts.calibration) + "\n", encoding="utf-8", newline="\n")
    write_questions(out / "questions")
    write_model(trained, out / "model")
    found = provenance(trained, texts, out)
    (out / "provenance.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8", newline="\n")
    (out / "MODEL_CARD.md").write_text(model_card(found), encoding="utf-8", newline="\n")
    return found


def write_model(trained: Trained, folder: Path) -> None:
    """Write configuration, fp16 weights and tokenizer in the hub's layout."""
    import torch

    trained.model.to(torch.float16).save_pretrained(folder)
    trained.tokenizer.save_pretrained(folder)


def write_questions(folder: Path) -> None:
    """Write the multiple-choice set in Hendrycks' layout, and beside it the stratum of each test question."""
    for name, questions in zip(("dev", "test"), exam.examination(), strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for subject in dict.fromkeys(entry.subject for entry in questions):
            rows = [(entry.text, *entry.options, entry.letter) for entry in questions if entry.subject == subject]
            _write_csv(folder / name / f"{subject}_{name}.csv", rows)
    _write_csv(folder / "strata.csv", _strata_rows())


def _strata_rows() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("subject", "row", "stratum", "entity", "attribute", "answer")]
    counts: dict[str, int] = {}
    for entry in exam.examination()[1]:
        row = counts.get(entry.subject, 0)
        counts[entry.subject] = row + 1
        rows.append((entry.subject, str(row), entry.stratum or "", entry.entity, entry.noun, entry.answer))
    return rows


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def provenance(trained: Trained, texts: Texts, out: Path) -> dict[str, Any]:
    """Tell how the folder came to be and what the stored weights score, upcast to fp32."""
    import torch
    from transformers import LlamaForCausalLM

    from tools.reference_model.evaluate import evaluate

    model = LlamaForCausalLM.from_pretrained(out / "model", dtype=torch.float32)
    _, test = exam.examination()
    return {
        "name": "reference",
        "nature": "synthetic: an invented world; no published data set has any part in it",
        "script": "python -m tools.reference_model --out DIR",
        "seeds": _seeds(),
        "text_sha256": {name: text.digest(value) for name, value in asdict(texts).items()},
        "text_documents": {name: len(value) for name, value in asdict(texts).items()},
        "parameters": sum(value.numel() for value in model.parameters()),
        "vocabulary": len(trained.tokenizer),
        "weights": "float16; fp32 of this model is these weights upcast",
        "trained_positions": train.CONTEXT,
        "training": _training(trained),
        "environment": _environment(),
        "evaluation": {
            "protocol": "5-shot, likeliest of four letters, fp32, beginning mark",
            **evaluate(model, trained.tokenizer),
        },
        "knowledge_free_baselines": exam.knowledge_free_baselines(test, texts.training),
        "heldout": heldout_perplexity(model, trained.tokenizer, texts.heldout),
    }


def _seeds() -> dict[str, int]:
    return {
        "facts": world.FACT_SEED,
        "training_text": text.TRAINING_SEED,
        "heldout_text": text.HELDOUT_SEED,
        "calibration_text": text.CALIBRATION_SEED,
        "questions": exam.EXAM_SEED,
        "weights": train.MODEL_SEED,
        "order": train.ORDER_SEED,
    }


def _training(trained: Trained) -> dict[str, Any]:
    curve = trained.losses[:: max(1, len(trained.losses) // 20)]
    last = [] if curve[-1] == trained.losses[-1] else [trained.losses[-1]]
    return {
        "steps": trained.steps,
        "tokens": trained.tokens,
        "batch": train.BATCH,
        "context": train.CONTEXT,
        "peak_learning_rate": train.PEAK_RATE,
        "answer_weight": losses.ANSWER_WEIGHT,
        "option_weight": losses.OPTION_WEIGHT,
        "word_weight": losses.WORD_WEIGHT,
        "look_weight": losses.LOOK_WEIGHT,
        "facts_first": train.FACTS_FIRST,
        "start": "seeded random weights, some heads wired (tools/reference_model/wiring.py)",
        "precision": "bf16 products, fp32 weights",
        "wall_seconds": round(trained.wall_seconds, 1),
        "loss_columns": ["step", "weighted loss (nats)", "letter loss (nats)"],
        "loss": [[step, round(loss, 4), round(letters, 4)] for step, loss, letters in [*curve, *last]],
    }


def _environment() -> dict[str, str | int]:
    import tokenizers
    import torch
    import transformers

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "threads": torch.get_num_threads(),
    }


def heldout_perplexity(model: Any, tokenizer: Any, passages: Sequence[str]) -> dict[str, float]:
    """Score the held-out text in windows of 512 tokens without overlap, all but each window's first token."""
    import torch
    from torch.nn.functional import cross_entropy

    ids = torch.tensor(tokenizer("\n\n".join(passages) + "\n").input_ids)
    total, scored = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(ids) - 1, PERPLEXITY_WINDOW):
            window = ids[start : start + PERPLEXITY_WINDOW][None]
            logits = model(window).logits[0, :-1].double()
            total += cross_entropy(logits, window[0, 1:], reduction="sum").item()
            scored += window.shape[1] - 1
    return {"tokens": len(ids), "scored": scored, "perplexity": math.exp(total / scored)}
