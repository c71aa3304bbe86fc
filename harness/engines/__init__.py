"""Engines: a file per runtime; this is the registry."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.folder_formats import FolderFormat
from harness.core.registry import load
from harness.core.seam import Engine

ENGINES = {
    "ort-genai": "harness.engines.ort_genai:ENGINE",
    "transformers": "harness.engines.transformers:ENGINE",
    "optimum-benchmark": "harness.engines.optimum_benchmark:ENGINE",
    "tensorrt-llm": "harness.engines.tensorrt_llm:ENGINE",
    "diffusers": "harness.engines.diffusers:ENGINE",
    "program": "harness.engines.program:ENGINE",
    "fake": "harness.engines.fake:ENGINE",
}

CANARY = "canary"
"""Engine that a night's own proof is made with (`engines/canary.py`); no sweep can name it."""


def folder_formats(engines: Mapping[str, str] = ENGINES) -> tuple[FolderFormat, ...]:
    """Ask all engines which formats of folders they bring."""
    found: list[Engine] = [load(engines, "engine", name) for name in engines]
    return tuple(one for engine in found for one in engine.formats)
