"""Validation loss on answers is what torch's cross-entropy says of the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.answered import packed, read_answered
from harness.core.seam import Context
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.probes.validation_loss import PROBE, AnswersWorkload
from tests.tiny_model import write_model


def test_it_is_the_mean_cross_entropy_of_the_tokens_of_answers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = write_model(tmp_path / "hf")
    data = tmp_path / "d.jsonl"
    data.write_text(
        "\n".join(f'{{"prompt": "count {n} cats", "answer": "there are {n * n} cats"}}' for n in range(40)), "utf-8"
    )
    with open_artifact(model, TransformersOptions(threads=1)) as session:
        found = PROBE.measure(session, AnswersWorkload(text=str(data), window=64), Context(folder=tmp_path))
        codec = session.codec
        rows = packed(read_answered(str(data)), codec.encode, codec.bos, codec.eos, 64)
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    with torch.inference_mode():
        logits = plain(torch.from_numpy(rows.ids)).logits[:, :-1]
        labels = torch.from_numpy(np.where(rows.counts, rows.ids, -100))[:, 1:]
        expected = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))
    (reading,) = found.values
    assert reading.metric == "validation_loss"
    assert reading.value == pytest.approx(float(expected), rel=1e-5)
    assert found.protocol.scored == int(rows.counts[:, 1:].sum())
    assert found.protocol.facts["rows"] == len(rows.ids)
    assert found.protocol.bos
