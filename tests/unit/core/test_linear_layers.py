"""Which layers a `quantization_config` is about, told from a plain description."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.linear_layers import _among, fp8_config, is_bitsandbytes, is_fp8


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
