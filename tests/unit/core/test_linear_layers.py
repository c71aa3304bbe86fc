"""Which layers a `quantization_config` is about, told from a plain description."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.linear_layers import (
    _among,
    fp8_config,
    hold_layers,
    hold_stored,
    is_bitsandbytes,
    is_fp8,
    label,
    left_in_floats,
    linear_layers,
    promised,
    rounds_activations,
)


@pytest.mark.parametrize("activations", [True, False])
def test_what_we_write_is_known_again(activations: bool) -> None:
    assert is_fp8(fp8_config(activations=activations))
    assert not is_bitsandbytes(fp8_config(activations=activations))


@pytest.mark.parametrize("other", [
    {"quant_method": "gptq"}, {"config_groups": None}, {"config_groups": {}}, {"format": "dense"}, {"kv_cache_scheme": {"bits": 8}},
    {"sparsity_config": {"x": 1}}, {"ignore": ["re:.*head"]},
])  # fmt: skip
def test_what_says_more_or_other_things_is_not(other: dict[str, Any]) -> None:
    assert not is_fp8({**fp8_config(activations=True), **other})


def test_two_groups_are_not_one() -> None:
    said = fp8_config(activations=True)
    group = said["config_groups"]["group_0"]
    assert not is_fp8({**said, "config_groups": {"a": group, "b": group}})
    assert not is_fp8({**said, "config_groups": {"a": {**group, "targets": ["Embedding"]}}})


def test_a_layer_is_left_out_by_its_whole_name_or_a_part_of_its_path() -> None:
    assert _among("lm_head", ["lm_head"])
    assert _among("model.layers.0.mlp.down", ["mlp"])
    assert _among("model.layers.0.mlp.down", ["other", "layers.0"])
    assert not _among("model.layers.0.mlp.down", ["ml", "layers.01", "down.x"])
    assert not _among("model", [])


@pytest.mark.parametrize(("said", "promise"), [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "fp4"),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}, "nf4 dq"),
    ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8 threshold 6"),
    ({"quant_method": "bitsandbytes", "llm_int8_threshold": 0.0}, "int8 threshold 0"), ({"quant_method": "gptq", "load_in_4bit": True}, ""), ({}, ""),
    (fp8_config(activations=False), "float8_e4m3fn"),
])  # fmt: skip
def test_what_a_configuration_makes_of_a_layer(said: dict[str, Any], promise: str) -> None:
    assert promised(said) == promise


def test_an_fp8_configuration_is_held_to_each_of_its_words() -> None:
    said = fp8_config(activations=True)
    assert rounds_activations(said)
    assert not rounds_activations(fp8_config(activations=False))
    assert not rounds_activations({})
    group = said["config_groups"]["group_0"]
    assert group["weights"] == {
        "num_bits": 8,
        "type": "float",
        "strategy": "channel",
        "symmetric": True,
        "dynamic": False,
    }
    assert group["input_activations"] == {
        "num_bits": 8,
        "type": "float",
        "strategy": "token",
        "symmetric": True,
        "dynamic": True,
    }
    for part, key in (
        ("weights", "num_bits"),
        ("weights", "strategy"),
        ("input_activations", "dynamic"),
        ("input_activations", "symmetric"),
    ):
        assert not is_fp8({**said, "config_groups": {"g": {**group, part: {**group[part], key: 4}}}})
    assert not is_fp8({**said, "config_groups": {"g": {**group, "output_activations": {"num_bits": 8}}}})
    assert is_fp8({**said, "ignore": None})
    assert is_fp8({**said, "config_groups": {"g": {**group, "weights": {**group["weights"], "observer": "minmax"}}}})


class Linear4bit:
    """As bitsandbytes calls it; so is the next one."""

    def __init__(self, weight: Any, state: Any = None) -> None:
        self.weight, self.state = weight, state


class Linear8bitLt(Linear4bit): ...


class Plain(Linear4bit): ...


def weight(dtype: str, **more: Any) -> Any:
    return SimpleNamespace(dtype=f"torch.{dtype}", **more)


@pytest.mark.parametrize(("module", "is_a"), [
    (Linear4bit(weight("uint8", quant_state=SimpleNamespace(quant_type="nf4", nested=True))), "nf4 dq"),
    (Linear4bit(weight("uint8", quant_state=SimpleNamespace(quant_type="fp4", nested=False))), "fp4"),
    (Linear4bit(weight("uint8", quant_state=None)), "uint8 without scales"), (Linear4bit(weight("float16")), "float16 without scales"),
    (Linear8bitLt(weight("int8", SCB=1), SimpleNamespace(threshold=6.0)), "int8 threshold 6"),
    (Linear8bitLt(weight("int8", SCB=None), SimpleNamespace(SCB=1, threshold=2.5)), "int8 threshold 2.5"),
    (Linear8bitLt(weight("int8", SCB=None), SimpleNamespace(threshold=6.0)), "int8 without scales"),
    (Linear8bitLt(weight("float16", SCB=1), SimpleNamespace(threshold=6.0)), "float16 without scales"),
    (Plain(weight("bfloat16", quant_state=SimpleNamespace(quant_type="nf4", nested=True))), "bfloat16"),
])  # fmt: skip
def test_what_a_layer_really_is(module: Any, is_a: str) -> None:
    assert label(module) == is_a


def small(*, floats: str = "float32") -> Any:
    """A model of two linear layers beside its head, and what is no matrix."""
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down, self.head = nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(2, 5)
            self.norm = nn.LayerNorm(2)

        def get_output_embeddings(self) -> Any:
            return self.head

    return Model().to(getattr(torch, floats))


def test_layers_are_held_against_what_was_promised() -> None:
    model = small()
    assert list(linear_layers(model, {})) == ["up", "down"]
    assert list(linear_layers(model, {"llm_int8_skip_modules": ["up"], "ignore": ["down"]})) == ["down"]
    assert list(linear_layers(model, {**fp8_config(activations=False), "ignore": ["down"]})) == ["up"]
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    with pytest.raises(HarnessError, match=r"layer 'up' is float32 \(Linear\), but the checkpoint promises nf4"):
        hold_layers(model, said)
    with pytest.raises(HarnessError, match="Model has no linear layer beside its head"):
        hold_layers(model, {**said, "llm_int8_skip_modules": ["up", "down"]})
    for module in (model.up, model.down):
        module.__class__ = type("Linear4bit", (type(module),), {})
        module.weight.quant_state = SimpleNamespace(quant_type="nf4", nested=False)
    assert hold_layers(model, said) == {"nf4": 2}


@pytest.mark.parametrize(("said", "end"), [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, ".weight.quant_state.bitsandbytes__nf4"),
    ({"quant_method": "bitsandbytes"}, ".SCB"),
])  # fmt: skip
def test_tensors_of_the_files_are_counted_against_the_layers(said: dict[str, Any], end: str) -> None:
    model = small()
    hold_stored(model, said, [])
    hold_stored(model, said, [f"up{end}", f"model.down{end}", "up.weight"])
    with pytest.raises(HarnessError, match=r"hold 1 layers as .* and the model has 2, 'down' among those in floats"):
        hold_stored(model, said, [f"up{end}", "down.weight"])
    with pytest.raises(HarnessError, match="hold 3 layers"):
        hold_stored(model, said, [f"up{end}", f"down{end}", f"head{end}"])


@pytest.mark.parametrize(("floats", "count"), [("float32", 3), ("float16", 3), ("bfloat16", 3), ("float64", 0)])
def test_matrices_in_floats_are_named_and_vectors_are_not(floats: str, count: int) -> None:
    assert left_in_floats(small(floats=floats)) == ["up.weight", "down.weight", "head.weight"][:count]
