"""What optimum-benchmark loaded is held against what the checkpoint promises, before anything is timed."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError, MissingDependency
from harness.core.linear_layers import fp8_config
from harness.core.reports import FixedWork
from harness.engines.optimum_benchmark import ENGINE, OptimumBenchmarkOptions, asked_of
from harness.engines.optimum_driver import _prepare, _slow_down, loaded
from harness.engines.torch_quantized import Checkpoint

NF4: dict[str, Any] = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


@pytest.fixture(scope="module")
def model(tiny: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny / "hf", dtype=torch.bfloat16)


def test_a_model_in_floats_is_told_as_such(model: Any) -> None:
    assert loaded(model, {}, "bfloat16", "cpu") == {"layers": {}, "dtype": ["bfloat16"], "device": ["cpu"]}
    assert loaded(model, {}, "auto", "cpu")["dtype"] == ["bfloat16"]


@pytest.mark.parametrize(("said", "dtype", "device", "told"), [
    (NF4, "bfloat16", "cpu", r"is bfloat16 \(Linear\), but the checkpoint promises nf4"),
    ({}, "float32", "cpu", "loaded bfloat16, and float32 was asked for"),
    ({}, "bfloat16", "cuda", "put the model on cpu, and cuda was asked for"),
])  # fmt: skip
def test_a_model_that_is_not_what_was_asked_for_is_never_timed(
    model: Any, said: dict[str, Any], dtype: str, device: str, told: str
) -> None:
    with pytest.raises(HarnessError, match=told):
        loaded(model, said, dtype, device)


def test_neither_the_deprecated_option_nor_its_successor_is_used() -> None:
    work = FixedWork(1, 64, 100, 10, 10, seconds=10.0, protocol="bnb-2024-12")
    asked = asked_of(Path("m"), OptimumBenchmarkOptions(), work, Checkpoint(NF4, "bfloat16"))
    assert {"quantization_scheme", "quantization_config"}.isdisjoint(asked["backend"])
    assert (asked["backend"]["torch_dtype"], asked["backend"]["device_map"]) == ("bfloat16", "cpu")
    assert (asked["scenario"]["duration"], asked["scenario"]["iterations"]) == (10, 10)
    assert asked["promised"] == {"quantization": NF4, "deterministic": False}
    on_gpu = asked_of(Path("m"), OptimumBenchmarkOptions(device="cuda"), work, Checkpoint(NF4, "bfloat16"))
    assert (on_gpu["backend"]["device_map"], on_gpu["backend"]["device_ids"]) == ("auto", "0"), "as the page's script"


def test_checkpoints_that_it_does_not_open_are_refused(tmp_path: Path) -> None:
    config = {"dtype": "bfloat16", "quantization_config": fp8_config(activations=False)}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with (
        pytest.raises(HarnessError, match="FP8, which optimum-benchmark does not open: take engine transformers"),
        ENGINE.open(tmp_path, OptimumBenchmarkOptions()),
    ):
        pass


def test_a_bitsandbytes_that_does_nothing_on_a_cpu_is_told_before_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.44.1")
    asked = given({"quantization": NF4, "deterministic": False}, "cpu")
    with pytest.raises(MissingDependency, match=r"bitsandbytes 0\.44\.1 needs an NVIDIA GPU"):
        _prepare(asked)


def given(promised: dict[str, Any], device: str) -> dict[str, Any]:
    return {"promised": promised, "backend": {"device": device}}


def test_a_canary_has_each_pass_take_longer_and_leaves_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    backends = pytest.importorskip("optimum_benchmark.backends.pytorch.backend")
    passes: list[float] = []

    class Model:
        def forward(self, token: int) -> int:
            passes.append(time.perf_counter())
            time.sleep(0.01)
            return token + 1

        def generate(self, token: int) -> int:
            for _ in range(4):
                token = self.forward(token)
            return token

    monkeypatch.setattr(backends.PyTorchBackend, "generate", backends.PyTorchBackend.generate)  # taken back at the end
    _slow_down(2.0)
    backend: Any = SimpleNamespace(pretrained_model=Model())
    for _ in range(2):
        assert backends.PyTorchBackend.generate(backend, {"token": 3}, {}) == 7
    gaps = [after - before for before, after in itertools.pairwise(passes)]
    assert min(gaps[:3] + gaps[4:]) >= 0.03, "twice the work of each pass is added"
