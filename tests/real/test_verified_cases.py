"""Models on which exports were wrong without a word: each is right now, or nothing is measured from it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.core.outcome import Outcome
from tests.fake_machine import Bench

RIGHT = {"yarn_qwen_readme": 4555.741, "llama_linear": 3889.454, "phi3_longrope300": 4117.537, "gemma2": 1087.011}
"""Perplexity in windows of 400 over 1,200 tokens; of phi3_longrope300 each window is longer than its border of 300."""
MUST = {"phi3_longrope300", "gemma2"}
"""Of these, those that have to be right, and not refused."""
WINDOW, TOKENS = 400, 1200


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_export_is_right_or_nothing_is_measured_from_it(bench: Bench, cases: Path) -> None:
    bench._write("models.yaml", {name: {"folder": str(cases / "models" / name)} for name in RIGHT})
    bench.methods({"fp32": {"recipes": {"ort-genai": {"precision": "fp32"}}}})
    probes = {"perplexity": {"text": "reference", "window": 64, "stride": 64, "tokens": 128}}
    bench.sweep(model=list(RIGHT), method="fp32", engine="ort-genai", probes=probes)
    bench.run()
    found = [Outcome.model_validate_json(path.read_text("utf-8")) for path in bench.results.glob("runs/*/outcome.json")]
    by_name = {(one.job.labels.model, getattr(one.job.spec, "probe", "build")): one for one in found}
    for name, right in RIGHT.items():
        verified, measured = by_name[name, "verify"], by_name[name, "perplexity"]
        if verified.status == "ok":
            made = by_name[name, "build"].artifact
            assert made is not None
            folder = bench.results / "artifacts" / f"b-{made.id[:12]}"
            assert _perplexity(folder, cases / "text.txt") == pytest.approx(right, rel=1e-4), name
            assert measured.status == "ok", name
        else:
            assert name not in MUST, f"{name}: {verified.reason}"
            assert str(verified.reason).startswith("the fp32 export differs from its model (KL "), name
            assert str(measured.reason).startswith("blocked: the fp32 export differs from its model (KL "), name


def _perplexity(folder: Path, text: Path) -> float:
    """Score the first tokens of a text, window by window, targets inside the window only."""
    from harness.engines import ort_genai, ort_genai_opening

    with ort_genai.open_artifact(folder, ort_genai_opening.OrtGenaiEngineOptions()) as session:
        ids = session.codec.encode(text.read_text("utf-8"))[:TOKENS]
        nll = []
        for start in range(0, TOKENS, WINDOW):
            window = ids[start : start + WINDOW]
            tiles = list(session.logprobs(window, range(WINDOW - 1)))
            rows = np.concatenate([tile.logprobs for tile in tiles])
            nll += [-float(row[token]) for row, token in zip(rows, window[1:], strict=True)]
    return math.exp(sum(nll) / len(nll))
