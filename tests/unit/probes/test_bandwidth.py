"""A decode step against the memory's bandwidth: arithmetic by hand, real artifacts, and what nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.metric import impossible
from harness.core.seam import Context, ProbeResult
from harness.probes import bandwidth
from harness.probes.bandwidth import cache_bytes, shape_of
from harness.probes.copying import Copied
from harness.probes.generation import PROBE, GenerationOptions
from harness.probes.speed import Work
from harness.quantizers.scheme import scheme_of, step_bytes
from tests.tiny_model import write_model
from tests.unit.probes.clockwork import Clockwork

COPIES = Copied(10**9, (0.01, 0.02), "recorded")
"""Of at most 200 GB/s."""
CONFIG = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}


def artifact(folder: Path, **said: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **said}), "utf-8")
    return folder


def measured(folder: Path, context: Context | None = None, **options: Any) -> ProbeResult:
    given = context or Context(folder, artifact=artifact(folder), weights_read=lambda dtype: 10**8)
    asked = {"batch": 2, "prompt": 10, "output": 4, "repetitions": 3, "bandwidth": True, **options}
    return PROBE.measure(Clockwork(np.full((3, 3), 0.01)), GenerationOptions(**asked), given)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    devices: list[str] = []

    def recorded(device: str) -> Copied:
        devices.append(device)
        return COPIES

    monkeypatch.setattr(bandwidth, "copied", recorded)
    return devices


def test_the_share_is_bytes_over_seconds_over_the_fastest_copy(tmp_path: Path, asked: list[str]) -> None:
    found = measured(tmp_path)
    values = {one.metric: one.value for one in found.values}
    cache = 2 * 2 * 2 * 16 * 4 * 2 * 12  # keys and values, layers, heads, width, float32, sequences, 10 + 4 / 2 tokens
    assert values["copy_bandwidth"] == 2e11
    assert values["bandwidth_share"] == pytest.approx((10**8 + cache) / 0.01 / 2e11)
    facts = found.protocol.facts
    assert (facts["weights_read"], facts["cache_read"], facts["copied_by"]) == (10**8, cache, "recorded")
    assert asked == ["cpu"]


def test_copies_are_timed_once_in_a_process_and_only_where_asked_for(tmp_path: Path, asked: list[str]) -> None:
    context = Context(tmp_path, artifact=artifact(tmp_path), weights_read=lambda dtype: 10**8)
    for _ in range(2):
        measured(tmp_path, context)
    assert asked == ["cpu"]
    without = measured(tmp_path, context, bandwidth=False)
    assert {"copy_bandwidth", "bandwidth_share"}.isdisjoint(one.metric for one in without.values)


@pytest.mark.parametrize(
    ("weights", "said"),
    [(None, {}), (10**8, {"num_hidden_layers": None}), (10**8, {"sliding_window": 8}), (10**8, {"layer_types": ["linear_attention"]})],
)  # fmt: skip
def test_where_nobody_knows_what_a_step_reads_there_is_no_share_and_a_note(
    weights: int | None, said: dict[str, Any], tmp_path: Path, asked: list[str]
) -> None:
    context = Context(tmp_path, artifact=artifact(tmp_path, **said), weights_read=lambda dtype: weights)
    found = measured(tmp_path, context)
    names = {one.metric for one in found.values}
    assert "copy_bandwidth" in names
    assert "bandwidth_share" not in names
    assert [note.text for note in found.notes if note.code == "bound-unknown"] == [
        "what a decode step of this artifact reads is not known here, so its share of the memory bound is not either"
    ]


def test_copies_that_fail_cost_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fails(device: str) -> Copied:
        asked.append(device)
        raise HarnessError("ModuleNotFoundError: No module named 'torch'")

    monkeypatch.setattr(bandwidth, "copied", fails)
    context = Context(tmp_path, artifact=artifact(tmp_path), weights_read=lambda dtype: 10**8)
    for _ in range(2):
        found = measured(tmp_path, context)
        assert "decode_tps" in {one.metric for one in found.values}
        assert "no copies could be timed on cpu: ModuleNotFoundError" in " ".join(note.text for note in found.notes)
    assert asked == ["cpu"], "a failure is waited for once"


def test_a_cache_is_counted_in_the_type_that_the_session_computes_in() -> None:
    work = Work(1, 128, 128, "mean")
    assert cache_bytes((16, 8, 64), "float16", work) == 2 * 16 * 8 * 64 * 2 * 192
    assert cache_bytes((16, 8, 64), "int8", work) is None
    assert cache_bytes(None, "float16", work) is None


def test_weights_that_a_step_reads_are_all_but_an_embedding_of_its_own(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "hf")
    assert shape_of(folder) == (2, 2, 16)
    body, table = 73_728, 320 * 64  # linear layers; embedding or head
    assert step_bytes(folder, "hf", "float32") == 4 * (body + table)
    assert step_bytes(folder, "hf", "bfloat16") == 2 * (body + table)
    assert step_bytes(tmp_path, "hf") is None


@pytest.mark.parametrize("name", ["num_local_experts", "num_experts", "n_routed_experts"])
@pytest.mark.parametrize("within", [False, True])
def test_of_a_few_among_many_experts_nobody_knows_what_a_step_reads(tmp_path: Path, name: str, *, within: bool) -> None:
    folder = write_model(tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    for count, known in ((8, False), (1, True), (None, True)):
        said = {"text_config": {name: count}} if within else {name: count}
        (folder / "config.json").write_text(json.dumps(config | said), "utf-8")
        assert (step_bytes(folder, "hf", "float32") is not None) == known
        assert "others not read" not in str(scheme_of(folder, "hf"))


def test_a_window_that_is_named_and_not_used_leaves_the_share_known(tmp_path: Path) -> None:
    assert shape_of(artifact(tmp_path, sliding_window=8, use_sliding_window=False)) == (2, 2, 16)
    assert shape_of(artifact(tmp_path, sliding_window=8, use_sliding_window=True)) is None


def test_a_share_beyond_one_is_possible_and_a_negative_one_is_not() -> None:
    assert impossible("bandwidth_share", 3.5) == ""
    assert impossible("top1_agreement", 1.5)
    assert impossible("copy_bandwidth", 1e11) == ""
    assert impossible("bandwidth_share", -0.5) == "-0.5, and a share is not negative"
    assert impossible("copy_bandwidth", -1e11) == "-1e+11, and times, rates and sizes are not negative"
