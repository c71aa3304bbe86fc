"""Rounding by the definition of each type, and how simulated layers are written and read."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.simulated_layers import is_simulated, promised_layers, rounded, simulated_config


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
