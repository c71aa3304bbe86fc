"""How much builds will write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.plan.sizes import of_config
from tests.unit.plan.conftest import Planner


def test_what_builds_and_references_will_write_is_estimated(plan: Planner, models: Path) -> None:
    config = {"vocab_size": 1000, "hidden_size": 100, "dtype": "float16"}
    (models / "tiny" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (models / "tiny" / "model.safetensors").write_bytes(bytes(2 * 1_000_000))
    jobs = plan(
        "model: tiny\nmethod: [fp32, fp16, int4, rtn]\nengine: runtime\n"
        "probes: {compare: {tokens: 50, form: stored, reference: {method: fp32}}}\n".replace("int4,", "{int4: export},")
    ).jobs
    sizes = {job.labels[0].method: job.bytes for job in jobs if job.kind == "build"}
    assert sizes["fp32"] == 4 * 1_000_000, "weights kept in 16 bits become twice as large"
    assert sizes["int4"] == 625_000 + 4 * 1000 * 100, "four bits with scales, and the embedding in floats"
    assert sizes["rtn"] == sizes["fp32"], "where nothing says the precision: as large as what it starts from"
    assert [job.bytes for job in jobs if job.kind == "reference"] == [4 * 50 * 1000]


def test_random_weights_are_sized_by_their_configuration() -> None:
    config = {
        "vocab_size": 1536, "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 8,
        "num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 64,
    }  # fmt: skip
    size = of_config(config, "float32")
    assert size.parameters == pytest.approx(59e6, rel=0.02)
    assert size.bytes == 4 * size.parameters
