"""The reference model: a small Llama trained on an invented world, with that world's questions and texts.

Synthetic throughout: nothing here stems from MMLU, WikiText or any other published data set. Everything that the
package ships lies in `data/` and is written by `python -m tools.reference_model`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

NAME = "reference"


def data_folder() -> Path:
    """Give the folder of everything shipped."""
    return Path(__file__).parent / "data"


def model_folder() -> Path:
    """Give the model's folder: configuration, fp16 weights and tokenizer in the hub's layout."""
    return data_folder() / "model"


def questions_folder() -> Path:
    """Give the folder of the multiple-choice set in Hendrycks' layout: `{dev,test}/<subject>_{dev,test}.csv`."""
    return data_folder() / "questions"


def heldout_path() -> Path:
    """Give the file of the text for perplexity and KL divergence."""
    return data_folder() / "heldout.txt"


def heldout_text() -> str:
    """Read the text for perplexity and KL divergence: passages parted by blank lines."""
    return heldout_path().read_text(encoding="utf-8")


def calibration_path() -> Path:
    """Give the file of the text for calibration."""
    return data_folder() / "calibration.txt"


def calibration_passages() -> list[str]:
    """Read the passages for calibration."""
    return calibration_path().read_text(encoding="utf-8").strip().split("\n\n")


def calibration_text() -> str:
    """Read the text for calibration: passages parted by blank lines."""
    return calibration_path().read_text(encoding="utf-8")


def strata_path() -> Path:
    """Give the file that names each test question's stratum."""
    return questions_folder() / "strata.csv"


def strata() -> dict[tuple[str, int], str]:
    """Give each test question's stratum by subject and row (from 0) of its test file."""
    with strata_path().open(encoding="utf-8", newline="") as file:
        return {(row["subject"], int(row["row"])): row["stratum"] for row in csv.DictReader(file)}


def provenance() -> dict[str, Any]:
    """Read where the reference model comes from and what it scored."""
    found: dict[str, Any] = json.loads((data_folder() / "provenance.json").read_text(encoding="utf-8"))
    return found


def model_card() -> str:
    """Read the model card (Markdown)."""
    return (data_folder() / "MODEL_CARD.md").read_text(encoding="utf-8")
