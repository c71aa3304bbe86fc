"""Quantized checkpoints as transformers opens them: in which type they compute, where they are put, what is checked."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, MissingDependency
from harness.core.linear_layers import (
    E4M3,
    hold_layers,
    hold_stored,
    import_bitsandbytes,
    is_bitsandbytes,
    is_fp8,
    promised,
)
from harness.core.model_record import read_tensors
from harness.core.simulated_layers import is_simulated
from harness.core.spec import Note

_TYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Checkpoint:
    """What config.json says of how weights are stored; `said` is empty for a model in floats."""

    said: Mapping[str, Any]
    dtype: str
    """Type in which it computes and holds what is not quantized."""

    @property
    def types(self) -> frozenset[str]:
        """Float types of its parameters once it is opened."""
        return frozenset({self.dtype, *([E4M3] if is_fp8(self.said) else [])})

    @property
    def known(self) -> bool:
        """Whether its layers can be told from floats here."""
        return _known(self.said)

    def load_with(self, config: Any, device: str) -> dict[str, Any]:
        """Prepare a configuration for loading; return what `from_pretrained` is told beside it.

        bitsandbytes moves no layer of 8 bits once it is there, so it is loaded where it runs. Of FP8 transformers loads the bytes alone.
        """
        import torch

        if is_fp8(self.said) or is_simulated(self.said):
            del config.quantization_config
        if not is_bitsandbytes(self.said):
            return {}
        where = torch.device(device)
        import_bitsandbytes(where.type)
        return {"device_map": {"": "cpu" if where.type == "cpu" else where.index or 0}}

    def put(self, model: Any, folder: Path, device: str) -> tuple[Note, ...]:
        """Put a loaded model on its device and hold each linear layer against what the checkpoint promises."""
        notes: tuple[Note, ...] = ()
        if is_fp8(self.said):
            from harness.engines import torch_fp8

            torch_fp8.put_in(model, folder, self.said)
            torch_fp8.refuse_device(model, self.said, device, self.dtype)
            notes = (torch_fp8.note(self.said, device, self.dtype),)
        if is_bitsandbytes(self.said):
            hold_stored(model, self.said, read_tensors(folder))
        if is_simulated(self.said):
            from harness.core import simulated_folder

            simulated_folder.put_in(model, folder, self.said)
            notes = (simulated_folder.note(self.dtype),)
        elif self.known:
            hold_layers(model, self.said)
        model.eval()
        if not is_bitsandbytes(self.said):
            model.to(device)
        return notes

    def unread(self, names: Iterable[str]) -> list[str]:
        """Leave out of unread tensors those that are read here."""
        ours = ".weight_scale" if is_fp8(self.said) else "" if not is_simulated(self.said) else "_quantizer."
        return [name for name in names if not (ours and ours in name)]


def read_checkpoint(folder: Path, config: Mapping[str, Any], asked: str) -> Checkpoint:
    """Read how a folder's weights are stored. config: its config.json; asked: the engine's `dtype`.

    Raises: HarnessError where another type is asked for than a quantized checkpoint computes in, MissingDependency where its library is absent.
    """
    said = config.get("quantization_config") or {}
    own = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    if said.get("quant_method") == "modelopt":
        raise HarnessError(
            f"{folder} is packed by Model Optimizer ({said.get('quant_algo')}) for TensorRT-LLM, vLLM or SGLang, and transformers cannot open it; "
            "a method that simulates it (sim_*) tells its quality"
        )
    if not _known(said):
        return Checkpoint(said, asked)
    if own not in _TYPES:
        raise HarnessError(
            f"{folder / 'config.json'} does not say in which dtype the quantized model computes; build it again"
        )
    if asked not in {"float32", own}:
        raise HarnessError(
            f"asked for {asked}, but {folder} is quantized and computes in {own}; leave the engine's `dtype` out, or build it with `dtype: {asked}`"
        )
    absent = [name for name in ("bitsandbytes", "accelerate") if importlib.util.find_spec(name) is None]
    if is_bitsandbytes(said) and absent:
        raise MissingDependency(
            f"{folder} is quantized by bitsandbytes, and {absent[0]} is not installed here; `harness setup --env bnb` installs it"
        )
    if is_simulated(said) and importlib.util.find_spec("modelopt") is None:
        raise MissingDependency(
            f"{folder} is simulated by nvidia-modelopt, which is not installed here; `harness setup` installs it"
        )
    return Checkpoint(said, own)


def _known(said: Mapping[str, Any]) -> bool:
    return bool(promised(said)) or is_simulated(said)
