from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.core.errors import HarnessError
from harness.core.outcome import Protocol
from harness.core.seam import MetricValue, ProbeResult
from harness.worker.record import ARRAYS, FEW, keep, weights_sha256


def _findings(*values: MetricValue) -> ProbeResult:
    return ProbeResult(values, Protocol(name="p"))


def test_few_samples_stay_in_the_measurement_and_many_go_to_an_array(tmp_path: Path) -> None:
    few, many = np.ones(FEW), np.ones(FEW + 1)
    kept = keep(_findings(MetricValue("ttft", 1.0, few), MetricValue("e2e_latency", 1.0, many)), tmp_path)
    assert len(kept[0].samples) == FEW
    assert kept[0].array is None
    assert kept[1].samples == ()
    assert kept[1].array is not None
    assert kept[1].array.shape == (FEW + 1,)
    with np.load(tmp_path / ARRAYS) as arrays:
        assert list(arrays) == [kept[1].array.name]


def test_two_different_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    values = [MetricValue("ttft", 1.0, np.full(3, value), array="same") for value in (1.0, 2.0)]
    with pytest.raises(HarnessError, match="two different arrays"):
        keep(_findings(*values), tmp_path)


def test_what_is_not_a_finite_number_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="not finite"):
        keep(_findings(MetricValue("ttft", float("nan"), np.ones(2))), tmp_path)
    with pytest.raises(HarnessError, match="not finite"):
        keep(_findings(MetricValue("ttft", 1.0, np.array([1.0, np.inf]))), tmp_path)


def test_equal_tensors_are_equal_weights_whatever_file_they_lie_in(tmp_path: Path) -> None:
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, dtype=np.float32)}
    other = {**tensors, "b": np.zeros(4, dtype=np.float32)}
    hashes = []
    for name, given, said in [("one", tensors, {}), ("two", tensors, {"made": "today"}), ("three", other, {})]:
        (tmp_path / name).mkdir()
        save_file(given, tmp_path / name / "model.safetensors", metadata=said)
        hashes.append(weights_sha256(tmp_path / name))
    assert hashes[0] == hashes[1] != hashes[2]
    (tmp_path / "empty").mkdir()
    assert weights_sha256(tmp_path / "empty") is None
    (tmp_path / "two" / "modelopt_state.pth").write_bytes(b"state")
    assert weights_sha256(tmp_path / "two") != hashes[0]


def test_a_damaged_file_counts_whole(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(name.encode())
    assert weights_sha256(tmp_path / "one") != weights_sha256(tmp_path / "two")
