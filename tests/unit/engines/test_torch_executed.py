"""What torch really runs of a model: modules after loading."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.linear_layers import fp8_config
from harness.engines.torch_executed import executed_of_denoiser, executed_of_model
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact


@pytest.mark.parametrize(("options", "text"), [
    ({}, "float32 Linear x15; in float32; sdpa"), ({"attention": "eager", "dtype": "bfloat16"}, "bfloat16 Linear x15; in bfloat16; eager"),
])  # fmt: skip
def test_a_session_tells_modules_type_and_attention(tiny: Path, options: dict[str, Any], text: str) -> None:
    with open_artifact(tiny / "hf", TransformersOptions(threads=1, **options)) as session:
        assert session.executed().text == text


def model(*modules: Any, **more: Any) -> Any:
    import torch

    found = torch.nn.ModuleList(modules)
    return SimpleNamespace(modules=found.modules, config=SimpleNamespace(_attn_implementation="sdpa"), **more)


def test_tables_and_norms_multiply_nothing_and_convolutions_do() -> None:
    from torch import nn

    found = executed_of_denoiser(
        model(
            nn.Embedding(4, 4), nn.LayerNorm(4), nn.Conv2d(1, 2, 3), nn.Linear(4, 4), attn_processors={"a": object()}
        ),
        "float16",
    )
    assert found.weights == {"float32 Conv2d": 1, "float32 Linear": 1}
    assert found.attention == "object"
    assert executed_of_denoiser(model(nn.Linear(4, 4)), "float16").attention is None


@pytest.mark.parametrize("rounds", [True, False])
def test_fp8_layers_say_in_what_they_multiply(rounds: bool) -> None:
    import torch
    from torch import nn

    from harness.engines.torch_fp8 import Fp8Linear

    assert fp8_config(activations=rounds)
    found = executed_of_model(model(Fp8Linear(nn.Linear(4, 4), torch.ones(4, 1), rounds=rounds)), "bfloat16")
    assert found.weights == {"float8_e4m3fn Fp8Linear": 1}
    assert found.compute == (("float8_e4m3fn",) if rounds else ("bfloat16",))


def test_layers_of_bitsandbytes_are_told_by_what_they_hold() -> None:
    """Their classes stood in for by name, as what tells them reads no more than that."""
    import torch
    from torch import nn

    four, eight = (type(name, (nn.Linear,), {})(4, 4) for name in ("Linear4bit", "Linear8bitLt"))
    four.weight.quant_state = SimpleNamespace(quant_type="nf4", nested=True)
    four.compute_dtype = torch.bfloat16
    eight.weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.int8), requires_grad=False)
    eight.weight.SCB, eight.state = torch.ones(4), SimpleNamespace(threshold=6.0, SCB=None)
    found = executed_of_model(model(four, eight, nn.Linear(4, 4)), "float16")
    assert found.weights == {"float32 Linear": 1, "int8 threshold 6 Linear8bitLt": 1, "nf4 dq Linear4bit": 1}
    assert found.compute == ("bfloat16", "float16", "int8")


def test_rounding_in_simulation_is_told() -> None:
    from torch import nn

    rounded, plain = nn.Linear(4, 4), nn.Linear(4, 4)
    for module, on in ((rounded, True), (plain, False)):
        module.weight_quantizer = nn.Identity()
        module.weight_quantizer.is_enabled = on
    assert executed_of_model(model(rounded, plain), "float32").weights == {
        "float32 Linear": 1,
        "float32 simulated Linear": 1,
    }
