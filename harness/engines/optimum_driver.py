"""The program that the engine `optimum-benchmark` drives: one measurement, in a process of its own, as a script of its users would do it.

Its own command line does not end well with the inline launcher (the configuration that it writes at last holds a live object by then), and its process
launcher waits busily on one of the processors that are measured; so configuration and report are written here as its command line writes them.
What was loaded is held against what the checkpoint promises before anything is timed, so that a model in floats is never measured as a quantized one.
Source: huggingface/optimum-benchmark, cli.py and README, 0.6.0.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypedDict

from harness.core.errors import HarnessError
from harness.core.linear_layers import hold_layers, import_bitsandbytes, is_bitsandbytes, promised
from harness.engines.canary import work
from harness.engines.torch_executed import executed_of_model


class Device(Protocol):
    """Where a parameter lies."""

    type: str


class Parameter(Protocol):
    """A parameter of a torch module, as far as it is looked at."""

    dtype: object
    device: Device

    def is_floating_point(self) -> bool: ...


class WhatWasLoaded(TypedDict):
    """What was found of a model before anything was timed."""

    layers: dict[str, int]
    dtype: list[str]
    device: list[str]


class LoadedModel(Protocol):
    """A torch module."""

    def parameters(self) -> Iterable[Parameter]: ...


def main(asked: Path, out: Path) -> None:
    """Measure what a file of JSON asks for (`backend`, `scenario`: fields of its configurations; `promised`); write configuration and report.

    Raises: HarnessError where what it loaded is not what was promised.
    """
    given = json.loads(asked.read_text("utf-8"))
    _prepare(given)
    from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig

    config = BenchmarkConfig(
        name="harness",
        launcher=InlineConfig(),
        scenario=InferenceConfig(**given["scenario"]),
        backend=PyTorchConfig(**given["backend"]),
    )
    config.save_json(str(out / "benchmark_config.json"))
    _hold_loaded(given, out / "loaded.json")
    if share := given.get("canary", {}).get("slower"):
        _slow_down(share)
    Benchmark.launch(config).save_json(str(out / "benchmark_report.json"))


def _prepare(given: Mapping[str, Any]) -> None:
    """Import bitsandbytes without what would fetch code for it, and choose CUDA's algorithms as the script since 2025 does."""
    import torch

    said = given["promised"]
    if is_bitsandbytes(said["quantization"]):
        import_bitsandbytes(given["backend"]["device"])
    if said["deterministic"]:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True


def _hold_loaded(given: Mapping[str, Any], to: Path) -> None:
    """Have the model looked at once it is loaded, between its timed loading and its first input; what it is goes to a file."""
    from optimum_benchmark.backends.pytorch.backend import PyTorchBackend

    prepare = PyTorchBackend.prepare_inputs

    def looked_at(backend: Any, *given_inputs: Any, **named: Any) -> Any:
        if not to.exists():
            said, asked = given["promised"]["quantization"], given["backend"]
            found = loaded(backend.pretrained_model, said, asked["torch_dtype"], asked["device"])
            ran = executed_of_model(backend.pretrained_model, str(found["dtype"][0]))
            to.write_text(json.dumps({**found, "executed": ran.model_dump()}), "utf-8")
        return prepare(backend, *given_inputs, **named)

    PyTorchBackend.prepare_inputs = looked_at


def _slow_down(share: float) -> None:
    """Have each pass of the model, and what came before it since the last one, take a share longer: a canary of the night."""
    from optimum_benchmark.backends.pytorch.backend import PyTorchBackend

    real = PyTorchBackend.generate

    def generate(backend: Any, *given: Any) -> Any:
        model, forward, since = backend.pretrained_model, backend.pretrained_model.forward, [time.perf_counter()]

        @functools.wraps(forward)
        def slower(*inputs: Any, **named: Any) -> Any:
            found = forward(*inputs, **named)
            work(share * (time.perf_counter() - since[0]))
            since[0] = time.perf_counter()
            return found

        model.forward = slower
        try:
            return real(backend, *given)
        finally:
            model.forward = forward

    PyTorchBackend.generate = generate


def loaded(model: LoadedModel, said: Mapping[str, object], dtype: str, device: str) -> WhatWasLoaded:
    """Say what a model's linear layers, floats and devices are. said: what its config.json says of quantization.

    Raises: HarnessError where that is not what was promised or asked for.
    """
    layers = hold_layers(model, said) if promised(said) else {}
    parameters = list(model.parameters())
    floats = sorted({str(one.dtype).removeprefix("torch.") for one in parameters if one.is_floating_point()})
    devices = sorted({one.device.type for one in parameters})
    if dtype not in {"auto", *floats[:1]} or len(floats) > 1:
        raise HarnessError(f"optimum-benchmark loaded {' and '.join(floats)}, and {dtype} was asked for")
    if devices != [device]:
        raise HarnessError(f"optimum-benchmark put the model on {' and '.join(devices)}, and {device} was asked for")
    return {"layers": layers, "dtype": floats, "device": devices}


if __name__ == "__main__":  # what watches memory imports this file again
    main(Path(sys.argv[1]), Path(sys.argv[2]))
