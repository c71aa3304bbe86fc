"""State and scales of a quantized denoiser: what each layer is said to be, and files that do not fit it. What Model Optimizer does is played."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from harness.core.errors import HarnessError
from harness.core.simulated_pipeline import LAYERS, STATE, labels, put_back, save_simulated, unscaled

INT8 = "weights int8, inputs int8"


class PlayedQuantizer(nn.Module):
    """Has of a quantizer what is looked at: whether it is on, its bits and its scale."""

    def __init__(self, bits: Any = 8, *, on: bool = True, scale: float | None = 1.5) -> None:
        super().__init__()
        self.num_bits, self.is_enabled = bits, on
        self.register_buffer("amax", None if scale is None else torch.tensor(scale))


def layer(weight: PlayedQuantizer | None = None, inputs: PlayedQuantizer | None = None) -> nn.Linear:
    made = nn.Linear(2, 2)
    for name, part in (("weight_quantizer", weight), ("input_quantizer", inputs)):
        if part is not None:
            made.add_module(name, part)
    return made


def denoiser(scale: float | None = 1.5) -> nn.Module:
    made = nn.Module()
    made.add_module("first", layer())
    made.add_module("last", layer(PlayedQuantizer(), PlayedQuantizer(scale=scale)))
    return made


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a stand-in in the place of Model Optimizer; gives the states that were to be restored."""
    found: list[Any] = []
    opt: Any = ModuleType("modelopt.torch.opt")
    opt.modelopt_state = lambda denoiser: {"version": "played"}
    opt.restore_from_modelopt_state = lambda denoiser, modelopt_state: found.append(modelopt_state)
    inner: Any = ModuleType("modelopt.torch")
    inner.opt, inner.quantization = opt, ModuleType("modelopt.torch.quantization")
    outer: Any = ModuleType("modelopt")
    outer.torch = inner
    for module in (outer, inner, opt, inner.quantization):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


@pytest.mark.parametrize(("weight", "inputs", "said"), [
    (PlayedQuantizer(8), PlayedQuantizer(8), INT8),
    (PlayedQuantizer((4, 3)), PlayedQuantizer((5, 2)), "weights fp8, inputs fp8"),
    (PlayedQuantizer((2, 1)), PlayedQuantizer(on=False), "weights fp4"),
    (None, PlayedQuantizer(4), "inputs int4"),
])  # fmt: skip
def test_a_layer_is_said_by_the_bits_of_what_is_on(weight: Any, inputs: Any, said: str) -> None:
    assert labels(nn.Sequential(layer(), layer(weight, inputs))) == {"1": said}


def test_a_layer_with_nothing_on_is_none() -> None:
    assert labels(nn.Sequential(layer(PlayedQuantizer(on=False), PlayedQuantizer(on=False)))) == {}


def test_what_is_on_and_was_never_calibrated_is_named() -> None:
    assert unscaled(denoiser()) is None
    assert unscaled(denoiser(None)) == "last.input_quantizer"
    assert unscaled(nn.Sequential(layer(PlayedQuantizer(on=False, scale=None)))) is None


def test_scales_and_state_come_back_and_floats_stay(tmp_path: Path, restored: list[Any]) -> None:
    assert save_simulated(denoiser(), tmp_path) == {"last": INT8}
    assert json.loads((tmp_path / LAYERS).read_text("utf-8")) == {"last": INT8}
    there: Any = denoiser(scale=9.0)
    weight = there.first.weight.clone()
    assert put_back(there, tmp_path) == {"last": INT8}
    assert there.last.input_quantizer.amax == 1.5
    assert torch.equal(there.first.weight, weight)
    assert restored == [{"version": "played"}]


def test_nothing_is_written_where_a_scale_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"^last\.input_quantizer is on and has no scale: .* take more steps or texts"
    ):
        save_simulated(denoiser(None), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("promised", "said"), [
    ({"last": "weights fp8, inputs fp8"}, f"^layer 'last' is {INT8}, and weights fp8, inputs fp8 was promised; build"),
    ({"last": INT8, "first": INT8}, f"^layer 'first' is in floats, and {INT8} was promised; build"),
    ({}, f"^layer 'last' is {INT8}, and floats was promised; build"),
])  # fmt: skip
def test_a_layer_that_is_something_else_is_named(tmp_path: Path, promised: dict[str, str], said: str) -> None:
    save_simulated(denoiser(), tmp_path)
    (tmp_path / LAYERS).write_text(json.dumps(promised), "utf-8")
    with pytest.raises(HarnessError, match=said):
        put_back(denoiser(), tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[]", b"3"])
def test_a_list_of_layers_that_cannot_be_read_is_damaged(tmp_path: Path, content: bytes | None) -> None:
    save_simulated(denoiser(), tmp_path)
    (tmp_path / LAYERS).unlink()
    if content is not None:
        (tmp_path / LAYERS).write_bytes(content)
    with pytest.raises(HarnessError, match=r"simulated_layers\.json is missing or damaged; build the pipeline again"):
        put_back(denoiser(), tmp_path)


@pytest.mark.parametrize("kept", [
    [], {"scales": {}}, {"state": {}}, {"state": {}, "scales": {"last.input_quantizer.amax": torch.ones(3)}},
], ids=["a list", "no state", "no scales", "another shape"])  # fmt: skip
def test_a_state_that_is_not_whole_is_refused(tmp_path: Path, kept: Any) -> None:
    save_simulated(denoiser(), tmp_path)
    torch.save(kept, tmp_path / STATE)
    with pytest.raises(HarnessError, match=r"modelopt_state.pth cannot be restored by Model Optimizer \(\w+\); build"):
        put_back(denoiser(), tmp_path)


def test_a_state_that_is_cut_off_or_gone_is_refused(tmp_path: Path) -> None:
    save_simulated(denoiser(), tmp_path)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:100])
    with pytest.raises(HarnessError, match="cannot be restored"):
        put_back(denoiser(), tmp_path)
    (tmp_path / STATE).unlink()
    with pytest.raises(HarnessError, match=r"\(FileNotFoundError\)"):
        put_back(denoiser(), tmp_path)


def test_a_state_that_would_run_code_runs_none(tmp_path: Path) -> None:
    save_simulated(denoiser(), tmp_path)
    torch.save({"state": PlayedQuantizer(), "scales": {}}, tmp_path / STATE)
    with pytest.raises(HarnessError, match=r"\(UnpicklingError\)"):
        put_back(denoiser(), tmp_path)


@pytest.mark.parametrize(("more", "less", "odd"), [
    ("other.weight_quantizer.amax", None, r"\(other\.weight_quantizer\.amax\)"), (None, "last.weight_quantizer.amax", r"\(last\.weight_quantizer\.amax\)"),
])  # fmt: skip
def test_scales_of_another_build_are_refused(tmp_path: Path, more: str | None, less: str | None, odd: str) -> None:
    save_simulated(denoiser(), tmp_path)
    kept = torch.load(tmp_path / STATE, weights_only=True)
    if more:
        kept["scales"][more] = torch.ones(())
    if less:
        del kept["scales"][less]
    torch.save(kept, tmp_path / STATE)
    with pytest.raises(HarnessError, match=f"are not of one build {odd}; build the pipeline again"):
        put_back(denoiser(), tmp_path)


def test_a_scale_that_did_not_come_back_is_named(tmp_path: Path) -> None:
    save_simulated(denoiser(), tmp_path)
    kept = torch.load(tmp_path / STATE, weights_only=True)
    del kept["scales"]["last.input_quantizer.amax"]
    torch.save(kept, tmp_path / STATE)
    with pytest.raises(HarnessError, match=r"^last\.input_quantizer came back without its scale; build the pipeline"):
        put_back(denoiser(None), tmp_path)
