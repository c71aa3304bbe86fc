"""What a folder with a head says of it: `head.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.spec import Record

RECORD, WEIGHT, GRAPH, GRAPH_WEIGHTS = "head.json", "weight.npy", "head.onnx", "head.onnx.data"


class Step(Record):
    """What is done to each logit after the product."""

    what: Literal["add", "mul", "div", "tanh"]
    by: float = 0.0


class HeadRecord(Record):
    """A head: the file it lies in, its shape, and what it computes in."""

    schema_version: int = 1
    kind: Literal["linear", "onnx"]
    """linear: `weight.npy` [vocabulary, hidden], then `steps`; onnx: `head.onnx`, which runs on ONNX Runtime."""
    hidden: int
    vocabulary: int
    dtype: Literal["float32", "float16", "bfloat16"]
    """Type of the product; logits are rounded to it. bfloat16 weights are kept as their bits (uint16)."""
    steps: tuple[Step, ...] = ()
    feeds: str = ""
    gives: str = ""
    """Input and output of `head.onnx`."""
    sha256: str
    """Of weights and of what is computed with them; names of nodes and files do not count."""


def write_record(folder: Path, record: HeadRecord) -> None:
    """Write `head.json`."""
    (folder / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_record(folder: Path) -> HeadRecord:
    """Read `head.json`. Raises: HarnessError where it is missing or damaged."""
    try:
        return HeadRecord.model_validate(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise HarnessError(
            f"{folder} holds no head that can be read ({type(error).__name__}); make the reference again"
        ) from error
