"""What pandas' default CSV reader makes of question files, without pandas: missing values and columns of numbers.

Published accuracy scripts read MMLU this way, so that a choice "None" reaches the model as "nan" and "0.50" as "0.5".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.questions import Question

_MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
     "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_FLOAT = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(inf|infinity)\s*", re.IGNORECASE)
_BOOLEAN = frozenset(("True", "TRUE", "true", "False", "FALSE", "false"))


def as_pandas_reads(questions: Sequence[Question]) -> list[Question]:
    """Rewrite question and choices, column by column, as text made from what pandas reads."""
    if not questions:
        return []
    texts = column([question.text for question in questions])
    choices = [column([question.choices[place] for question in questions]) for place in range(4)]
    rows = zip(questions, texts, *choices, strict=True)
    return [replace(question, text=text, choices=(a, b, c, d)) for question, text, a, b, c, d in rows]


def column(fields: Sequence[str]) -> list[str]:
    """Write a column's fields as pandas prints what it reads: a column of numbers is one type, missing is "nan"."""
    present = [text for text in fields if text not in _MISSING]
    gaps = len(present) < len(fields)
    if not present:
        return ["nan"] * len(fields)
    if not gaps and all(text in _BOOLEAN for text in present):
        return [text.capitalize() for text in fields]
    if not gaps and all(_INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**64 for text in present):
        return [str(int(text)) for text in fields]
    if all(_FLOAT.fullmatch(text) for text in present):
        return ["nan" if text in _MISSING else str(float(text)) for text in fields]
    return ["nan" if text in _MISSING else text for text in fields]
