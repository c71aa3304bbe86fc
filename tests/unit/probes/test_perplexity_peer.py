"""Perplexity of a small model through a real engine, held against plain torch."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.core.seam import Context
from harness.engines.transformers import ENGINE
from harness.probes.perplexity import PROBE, Workload
from tests.tiny_model import write_model


def test_a_small_model_has_the_perplexity_of_plain_torch(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = write_model(tmp_path / "tiny")
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox and the lazy dog, and so on to the end of it. " * 12, "utf-8")
    with ENGINE.open(folder, ENGINE.options.model_validate({"threads": 1})) as session:
        workload = Workload.model_validate({"text": str(text), "window": 64, "stride": 64})
        found = PROBE.measure(session, workload, Context(folder=tmp_path))
        ids = session.codec.encode(text.read_text("utf-8"))
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    losses = []
    with torch.inference_mode():
        for start in range(0, len(ids), 64):
            window = torch.tensor([ids[start : start + 64]])
            logits = model(window).logits[0, :-1]
            losses += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="none").tolist()
    (reading,) = found.values
    assert reading.samples.size == len(losses)
    assert reading.value == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
