"""Engines: a file per runtime; this is the registry."""

from __future__ import annotations

ENGINES = {
    "ort-genai": "harness.engines.ort_genai:ENGINE",
    "transformers": "harness.engines.transformers:ENGINE",
    "program": "harness.engines.program:ENGINE",
    "fake": "harness.engines.fake:ENGINE",
}
