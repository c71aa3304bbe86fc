"""Which tensors of a folder belong to quantizers, and what is said of a simulated one; what it restores is tested with what builds it."""

from __future__ import annotations

from harness.core.simulated_folder import is_scale, note


def test_scales_are_told_from_weights() -> None:
    assert is_scale("model.layers.0.mlp.up_proj.weight_quantizer._amax")
    assert is_scale("model.layers.0.mlp.up_proj.input_quantizer._pre_quant_scale")
    assert not is_scale("model.layers.0.mlp.up_proj.weight")


def test_the_note_says_in_which_type_it_is_computed() -> None:
    assert note("bfloat16").code == "simulated"
    assert "multiplied in bfloat16" in note("bfloat16").text
