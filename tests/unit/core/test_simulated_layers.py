"""Rounding by the definition of each type, and how simulated layers are written and read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.simulated_layers import (
    hold_simulated,
    is_simulated,
    promised_layers,
    rounded,
    simulated_config,
    simulated_label,
)


def test_integers_are_rounded_as_plain_float64_rounds_them() -> None:
    import torch

    weight = torch.randn(6, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()
    for bits, block in ((4, 8), (8, 8), (8, None), (4, None)):
        found, exact = rounded(weight, bits, _largest(weight, block), block).numpy(), weight.double().numpy()
        top = 2 ** (bits - 1) - 1
        for row in range(6):
            for begin in range(0, 20, block or 20):
                part = slice(begin, begin + (block or 20))
                step = np.abs(exact[row, part]).max() / top
                expected = np.clip(np.rint(exact[row, part] / step), -top - 1, top) * step
                assert found[row, part] == pytest.approx(expected, rel=1e-5)


def _largest(weight: object, block: int | None) -> object:
    import torch

    assert isinstance(weight, torch.Tensor)
    padded = torch.nn.functional.pad(weight, (0, -weight.shape[1] % block)) if block else weight
    return padded.reshape(-1, block or weight.shape[1]).abs().amax(dim=1, keepdim=True)


def test_one_scale_serves_all_and_zeros_stay_zeros() -> None:
    import torch

    weight = torch.tensor([[1.0, -0.5, 0.0], [0.0, 0.25, 0.1]])
    assert rounded(weight, (4, 3), torch.tensor(1.0), None)[0].tolist() == [1.0, -0.5, 0.0]
    assert rounded(torch.zeros(2, 4), 4, torch.zeros(4, 1), 2).tolist() == [[0.0] * 4] * 2
    assert rounded(torch.zeros(2, 4), (4, 3), torch.tensor(0.0), None).tolist() == [[0.0] * 4] * 2


def test_a_promise_is_read_as_it_was_written() -> None:
    layers = {"a.q_proj": "int4 b128", "a.down_proj": "int8 channel", "b.q_proj": "int4 b128"}
    said = simulated_config("INT4_AWQ_CFG", layers)
    assert is_simulated(said)
    assert promised_layers(said) == layers
    assert not is_simulated({"quant_method": "modelopt"})


class TensorQuantizer(SimpleNamespace):
    """A quantizer as far as it is read."""


class SequentialQuantizer(list[Any]):
    """Several, one after another."""


def quantizer(bits: Any, axis: int | None = None, blocks: dict[Any, Any] | None = None, **more: Any) -> TensorQuantizer:
    said = {
        "num_bits": bits,
        "axis": axis,
        "block_sizes": blocks,
        "is_enabled": True,
        "fake_quant": True,
        "pre_quant_scale": None,
    }
    return TensorQuantizer(**{**said, **more})


@pytest.mark.parametrize(("part", "text"), [
    (quantizer(4, blocks={-1: 128}), "int4 b128"), (quantizer(8, 0), "int8 channel"), (quantizer(8), "int8 tensor"),
    (quantizer((4, 3)), "fp8 tensor"), (quantizer((5, 2), 0), "fp8 e5m2 channel"), (quantizer((3, 2)), "fp6 tensor"),
    (quantizer((2, 3)), "fp6 e2m3 tensor"), (quantizer((1, 2)), "e1m2 tensor"), (quantizer(8, blocks={-1: None}), "int8 token"),
    (quantizer((2, 1), blocks={-1: 16, "scale_bits": (4, 3)}), "nvfp4 b16"), (quantizer((2, 1), blocks={-1: 32, "scale_bits": (8, 0)}), "mxfp4 b32"),
    (quantizer((2, 1), blocks={-1: 32, "scale_bits": (5, 2)}), "fp4 in (5, 2) b32"),
    (quantizer(4, is_enabled=False), "float32"), (quantizer(4, fake_quant=False), "float32"),
    (SequentialQuantizer([quantizer(4, blocks={-1: 8}), quantizer(8)]), "int4 b8 > int8 tensor"),
])  # fmt: skip
def test_a_layer_is_called_by_how_its_weights_are_rounded(part: Any, text: str) -> None:
    assert (
        simulated_label(SimpleNamespace(weight=SimpleNamespace(dtype="torch.float32"), weight_quantizer=part)) == text
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("part", "text"), [
    (quantizer(8, 0), "int4 channel, inputs int8 token"), (quantizer(8), "int4 channel, inputs int8 tensor"), (quantizer(8, is_enabled=False), "int4 channel"),
    (quantizer(8, pre_quant_scale=1.0), "int4 channel, inputs int8 tensor, scaled"), (quantizer(8, is_enabled=False, pre_quant_scale=1.0), "int4 channel, scaled"),
])  # fmt: skip
def test_inputs_are_told_behind_the_weights(part: Any, text: str) -> None:
    module = SimpleNamespace(
        weight=SimpleNamespace(dtype="torch.float32"), weight_quantizer=quantizer(4, 0), input_quantizer=part
    )
    assert simulated_label(module) == text  # type: ignore[arg-type]


def test_floats_of_8_bits_are_rounded_to_the_nearest_of_them() -> None:
    import torch

    values = torch.linspace(-3.0, 3.0, 91).reshape(7, 13)
    found = rounded(values, (4, 3), torch.tensor(3.0), None)
    scaled = (values * (448.0 / 3.0)).to(torch.float8_e4m3fn).float() * (3.0 / 448.0)
    assert found.numpy() == pytest.approx(scaled.numpy(), rel=1e-6)
    assert rounded(torch.tensor([[6.0, -6.0]]), (4, 3), torch.tensor(3.0), None)[0].tolist() == pytest.approx(
        [3.0, -3.0]
    ), "beyond the largest it is the largest"


# ---------------------------------------------------------------- layers held against the promise


def rounding(bits: Any = 8, *, off: float = 0.0, **more: Any) -> Any:
    """A quantizer that rounds as its type says, or a little beside it."""
    import torch
    from torch import nn

    class TensorQuantizer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            said = {
                "num_bits": bits,
                "axis": 0,
                "block_sizes": None,
                "is_enabled": True,
                "fake_quant": True,
                "pre_quant_scale": None,
            }
            for name, value in {**said, "amax": None, **more}.items():
                setattr(self, name, value)

        def forward(self, weight: Any) -> Any:
            done = rounded(weight.float(), self.num_bits, self.amax.float(), (self.block_sizes or {}).get(-1)).to(
                weight.dtype
            )
            return done + off * torch.arange(done.numel()).reshape(done.shape).lt(off and 40)

    return TensorQuantizer()


def simulated(**given: Any) -> Any:
    """A model of one linear layer of 16 by 20 weights beside its head, with a quantizer of its weights."""
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.up, self.head = nn.Linear(20, 16), nn.Linear(16, 5)

        def get_output_embeddings(self) -> Any:
            return self.head

    model = Model()
    largest = model.up.weight.detach().abs().amax(dim=1, keepdim=True)
    model.up.weight_quantizer = rounding(**{"amax": largest, **given})
    return model


def test_a_layer_that_is_what_was_promised_passes() -> None:
    assert hold_simulated(simulated(), {"up": "int8 channel"}) == {"int8 channel": 1}
    dynamic = simulated(block_sizes={-1: 16, "type": "dynamic"}, amax=None)
    assert hold_simulated(dynamic, {"up": "int8 b16"}) == {"int8 b16": 1}, (
        "a scale that is found while running cannot be held"
    )
    assert hold_simulated(simulated(is_enabled=False, amax=None), {"up": "float32"}) == {"float32": 1}


def test_a_layer_with_a_scale_for_each_block_passes_too() -> None:
    import torch

    model = simulated()
    blocks = torch.nn.functional.pad(model.up.weight.detach(), (0, 4)).reshape(
        48, 8
    )  # three of 8 a row, the last half full
    model.up.weight_quantizer = rounding(block_sizes={-1: 8}, amax=blocks.abs().amax(dim=1, keepdim=True))
    assert hold_simulated(model, {"up": "int8 b8"}) == {"int8 b8": 1}


@pytest.mark.parametrize(("given", "promised", "says"), [
    ({}, {"up": "int4 channel"}, "layer 'up' is int8 channel, but the checkpoint promises int4 channel"), ({}, {}, "but the checkpoint promises nothing of it"),
    ({"amax": None}, {"up": "int8 channel"}, "its weights have no scales"), ({"off": 0.01}, {"up": "int8 channel"}, "40 of 320 weights are not so rounded"),
    ({}, {"up": "int8 channel", "down": "int8 channel"}, "promises a layer 'down' that the model does not have"),
])  # fmt: skip
def test_a_layer_that_is_something_else_is_told(given: dict[str, Any], promised: dict[str, str], says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        hold_simulated(simulated(**given), promised)


def test_a_quantizer_elsewhere_is_told_where_it_rounds() -> None:
    model = simulated()
    model.head.weight_quantizer = rounding(is_enabled=False)
    model.up.input_quantizer = rounding(axis=None)
    assert hold_simulated(model, {"up": "int8 channel, inputs int8 tensor"})
    model.head.weight_quantizer = rounding()
    with pytest.raises(HarnessError, match=r"'head\.weight_quantizer' rounds, too, which no layer promises"):
        hold_simulated(model, {"up": "int8 channel, inputs int8 tensor"})
