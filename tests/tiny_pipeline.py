"""The shipped pipeline of random weights, small enough to be made and run in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.quantizers.random_pipeline import PARTS, write_pipeline
from tests.conftest import ROOT


def make(folder: Path) -> Path:
    """Make it in a folder; pictures of 32 x 32 and more."""
    said: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "models.yaml").read_text("utf-8"))["random-pipeline"][
        "random"
    ]
    parts = {name: said["config"][name] for name in PARTS}
    write_pipeline(parts, said["config"]["vocab_size"], said["seed"], "float32", folder)
    return folder
