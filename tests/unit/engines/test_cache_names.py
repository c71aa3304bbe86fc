"""Which inputs and outputs of a decoder graph are its cache: by the names of genai_config.json, and refused where others stand beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.engines.cache_names import dimension, pairs_of

FOLDER = Path("model")
PLAIN: dict[str, Any] = {"num_hidden_layers": 2, "inputs": {}, "outputs": {}}
TAKES = {
    "input_ids", "attention_mask", "past_key_values.0.key", "past_key_values.1.key", "past_key_values.0.value", "past_key_values.1.value",
}  # fmt: skip
GIVES = ["logits", "present.0.key", "present.0.value", "present.1.key", "present.1.value"]


@pytest.mark.parametrize("more", [set(), {"position_ids"}])
def test_each_layer_has_a_key_and_a_value_under_the_usual_names(more: set[str]) -> None:
    assert pairs_of(FOLDER, PLAIN, TAKES | more, GIVES) == {
        "past_key_values.0.key": "present.0.key",
        "past_key_values.1.key": "present.1.key",
        "past_key_values.0.value": "present.0.value",
        "past_key_values.1.value": "present.1.value",
    }


def test_names_of_the_configuration_go_before_the_usual_ones() -> None:
    decoder = {
        "num_hidden_layers": "1",
        "inputs": {"past_key_names": "k_%d", "past_value_names": "v_%d"},
        "outputs": {"present_key_names": "k_%d_out"},
    }
    found = pairs_of(
        FOLDER, decoder, {"input_ids", "attention_mask", "k_0", "v_0"}, ["logits", "k_0_out", "present.0.value"]
    )
    assert found == {"k_0": "k_0_out", "v_0": "present.0.value"}


@pytest.mark.parametrize(("takes", "gives", "said"), [
    (TAKES | {"state", "conv"}, GIVES, r"unknown inputs: conv, state; missing: none"),
    (TAKES | {"past_key_values.2.key"}, GIVES, r"unknown inputs: past_key_values\.2\.key; missing: none"),
    (TAKES - {"attention_mask"}, GIVES, r"unknown inputs: none; missing: attention_mask\)"),
    (TAKES - {"past_key_values.1.key"}, GIVES, r"missing: past_key_values\.1\.key\)"),
    (TAKES, GIVES[1:], r"missing: logits\)"),
    (TAKES, GIVES[:-1], r"missing: present\.1\.value\)"),
])  # fmt: skip
def test_what_is_no_plain_decoder_is_refused_by_the_names(takes: set[str], gives: list[str], said: str) -> None:
    with pytest.raises(HarnessError, match=rf"^model: the graph is no plain decoder .*{said}"):
        pairs_of(FOLDER, PLAIN, takes, gives)


def test_a_symbolic_dimension_is_looked_up_and_never_one() -> None:
    config = {"decoder": {"head_size": "64"}}
    assert (dimension(16, config, "head_size"), dimension("head", config, "head_size")) == (16, 64)
    assert dimension(None, config, "head_size") == 64
    with pytest.raises(KeyError, match="num_key_value_heads"):
        dimension("heads", config, "num_key_value_heads")
