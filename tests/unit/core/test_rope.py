"""Rotary embeddings in the spellings of transformers 4 and 5."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.core.errors import HarnessError, Unsupported
from harness.core.rope import Rope, _attention_factor, as_version_4, hold_rope, lost, read_rope

YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 4096}


def test_both_spellings_read_the_same() -> None:
    five = read_rope({"rope_parameters": YARN})
    four = read_rope(
        {"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}}
    )
    assert five == four == Rope("yarn", 1e6, None, {"factor": 4.0, "original_max_position_embeddings": 4096})
    assert five.original == 4096


def test_what_is_not_said_is_none_and_what_is_no_mapping_is_nothing() -> None:
    assert read_rope({}) == Rope() == read_rope({"rope_scaling": "yarn"})
    assert read_rope({"rope_theta": 10000, "partial_rotary_factor": 0.5}) == Rope(theta=10000.0, partial=0.5)
    assert read_rope({"rope_scaling": {"type": "su", "factor": None}}) == Rope(kind="longrope")


def test_what_did_not_arrive_is_named() -> None:
    said = read_rope({"rope_parameters": YARN})
    assert lost(said, said) == []
    assert lost(said, Rope()) == [
        "rope_theta 1000000.0", "rope_type yarn", "factor 4.0", "original_max_position_embeddings 4096",
    ]  # fmt: skip
    assert lost(Rope(theta=1e4), Rope("yarn", 1e4, 0.5, {"factor": 2.0})) == [], "a class may add defaults"
    layers = {"full_attention": {"rope_theta": 1e6}}
    assert lost(Rope(by_layer=layers), Rope(by_layer=layers)) == []
    assert lost(Rope(by_layer=layers), Rope()) == ["full_attention {'rope_theta': 1000000.0}"]


def test_version_5_is_written_as_version_4_reads_it() -> None:
    assert as_version_4({"a": 1}) == {"a": 1}
    assert as_version_4({"rope_parameters": YARN, "rope_scaling": "old"}) == {
        "rope_theta": 1e6,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096},
    }
    assert as_version_4({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}) == {"rope_theta": 5e5}
    inner = as_version_4({"text_config": {"rope_parameters": {"rope_theta": 5e5}}})
    assert inner == {"text_config": {"rope_theta": 5e5}}


def test_layers_that_differ_have_no_place_but_in_gemma() -> None:
    local, full = {"rope_type": "default", "rope_theta": 1e4}, {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
    layers = {"sliding_attention": local, "full_attention": full}
    assert as_version_4({"model_type": "gemma3_text", "rope_parameters": layers}) == {
        "model_type": "gemma3_text",
        "rope_local_base_freq": 1e4,
        "rope_theta": 1e6,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    }
    with pytest.raises(Unsupported, match="differ by the type of layer"):
        as_version_4({"model_type": "llama", "rope_parameters": layers})
    same = {"sliding_attention": local, "full_attention": dict(local)}
    assert as_version_4({"model_type": "llama", "rope_parameters": same})["rope_theta"] == 1e4


def longrope(**more: Any) -> dict[str, Any]:
    rope = {
        "rope_type": "longrope",
        "short_factor": [1.0],
        "long_factor": [2.0],
        "original_max_position_embeddings": 4096,
        **more,
    }
    return {"max_position_embeddings": 131072, "rope_parameters": rope}


def test_longrope_of_phi3_keeps_its_factors_and_its_first_length() -> None:
    found = as_version_4({"model_type": "phi3", **longrope()})
    assert found["rope_scaling"] == {"type": "longrope", "long_factor": [2.0], "short_factor": [1.0]}
    assert found["original_max_position_embeddings"] == 4096
    assert as_version_4({"model_type": "phi3", **longrope(factor=32.0)}) == found, (
        "the ratio of the lengths is said twice"
    )
    for more in ({"factor": 8.0}, {"attention_factor": 1.2}):
        with pytest.raises(Unsupported, match="longrope"):
            as_version_4({"model_type": "phi3", **longrope(**more)})


def test_longrope_of_others_gets_the_attention_factor_of_its_factor() -> None:
    found = as_version_4({"model_type": "minicpm3", **longrope(factor=8.0)})
    expected = math.sqrt(1 + math.log(8) / math.log(4096))
    assert found["rope_scaling"]["attention_factor"] == pytest.approx(expected)
    assert "attention_factor" not in as_version_4({"model_type": "minicpm3", **longrope(factor=32.0)})["rope_scaling"]
    low = as_version_4({"model_type": "minicpm3", **longrope(factor=0.5)})
    assert low["rope_scaling"]["attention_factor"] == 1.0


class Loaded:
    """A configuration of transformers as far as it is asked."""

    def __init__(self, rope_theta: float = 10000.0, rope_scaling: Any = None) -> None:
        self.said = {"rope_theta": rope_theta, "rope_scaling": rope_scaling}

    def get_text_config(self) -> Loaded:
        return self

    def to_dict(self) -> dict[str, Any]:
        return self.said


class Placeless(Loaded):
    """One with no place for `rope_theta`."""

    def __init__(self) -> None:
        super().__init__()


def test_a_loaded_configuration_is_held_against_the_file() -> None:
    hold_rope({"rope_theta": 1e6}, Loaded(1e6))
    with pytest.raises(
        HarnessError, match=r"config.json says rope_theta 1000000.0, which this transformers does not read"
    ):
        hold_rope({"rope_theta": 1e6}, Loaded())
    with pytest.raises(HarnessError, match=r"rope_theta 1000000.0"):
        hold_rope({"text_config": {"rope_theta": 1e6}}, Loaded())
    with pytest.raises(Unsupported, match="rope_theta has no place in the Placeless of transformers 4"):
        hold_rope({"rope_parameters": {"rope_theta": 1e6}}, Placeless())


@pytest.mark.parametrize(("said", "loaded", "passes"), [
    ({"rope_type": "longrope", "factor": 32.0, "original_max_position_embeddings": 4096}, {"rope_scaling": {"type": "longrope"}}, True),
    ({"rope_type": "longrope", "long_factor": [2.0]}, {"rope_scaling": {"type": "longrope"}}, False),
    ({"rope_type": "yarn", "factor": 32.0}, {"rope_scaling": {"type": "yarn"}}, False), ({"rope_type": "yarn", "factor": 2.0}, {"rope_scaling": {"type": "yarn", "factor": 2.0, "beta_fast": 1}}, True),
    ({"rope_type": "longrope", "factor": 32.0}, {"rope_scaling": {"type": "yarn"}}, False), ({"full_attention": {"rope_theta": 1e6}}, {}, True),
])  # fmt: skip
def test_a_loaded_configuration_may_keep_lengths_of_longrope_elsewhere(
    said: dict[str, Any], loaded: dict[str, Any], passes: bool
) -> None:
    config = Loaded(rope_scaling=loaded.get("rope_scaling"))
    if passes:
        hold_rope({"rope_parameters": None, "rope_scaling": said}, config)
    else:
        with pytest.raises(HarnessError, match="which this transformers does not read"):
            hold_rope({"rope_scaling": said}, config)


def test_a_class_of_version_5_has_places_for_all_and_what_says_nothing_needs_none() -> None:
    class New(Loaded):
        def __init__(self, rope_parameters: Any = None) -> None:
            super().__init__(1e6)

    hold_rope({"rope_parameters": {"rope_theta": 1e6}}, New())
    hold_rope({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 1.0}}, _without_partial())


def _without_partial() -> Any:
    class Whole(Loaded):
        def to_dict(self) -> dict[str, Any]:
            return {**self.said, "partial_rotary_factor": 1.0}

    return Whole()


@pytest.mark.parametrize(("layers", "model"), [
    ({"sliding_attention": {"rope_theta": 1e4, "factor": 2.0}, "full_attention": {"rope_theta": 1e6}}, "gemma3"),
    ({"sliding_attention": {"rope_theta": 1e4}, "full_attention": {"rope_theta": 1e6}, "third": {"rope_theta": 1e5}}, "gemma3"),
    ({"sliding_attention": {"rope_theta": 1e4}, "other": {"rope_theta": 1e6}}, "gemma3"), ({"sliding_attention": {"rope_theta": 1e4}, "full_attention": {"rope_theta": 1e6}}, "gemma2"),
])  # fmt: skip
def test_only_gemmas_two_kinds_of_layers_have_a_place(layers: dict[str, Any], model: str) -> None:
    with pytest.raises(Unsupported, match="differ by the type of layer"):
        as_version_4({"model_type": model, "rope_parameters": layers})


def test_an_attention_factor_begins_above_one() -> None:
    assert _attention_factor(1.0, 4096) == 1.0
    assert _attention_factor(1.5, 4096) == pytest.approx(math.sqrt(1 + math.log(1.5) / math.log(4096)))
    same = as_version_4({"model_type": "x", **longrope(factor=8.0, attention_factor=1.3)})
    assert same["rope_scaling"]["attention_factor"] == 1.3, "what is said is kept"
