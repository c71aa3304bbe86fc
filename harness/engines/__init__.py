"""Engines: a file per runtime; this is the registry."""

from __future__ import annotations

ENGINES = {
    "ort-genai": "harness.engines.ort_genai:ENGINE",
    "transformers": "harness.engines.transformers:ENGINE",
    "fake": "harness.engines.fake:ENGINE",
}
