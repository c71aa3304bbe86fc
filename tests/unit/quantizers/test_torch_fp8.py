"""FP8 by torch: the rounding against plain float64, products against what they mean, and a layer that is not FP8 found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.linear_layers import fp8_config, is_fp8
from harness.core.seam import Base, Context
from harness.core.sessions import GenerationWorkload
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.quantizers.scheme import scheme_of
from harness.quantizers.torch_fp8 import Fp8Options, build, rounded
from tests.tiny_model import write_model

IDS = np.random.default_rng(3).integers(2, 320, 48).tolist()
ONE = TransformersOptions(threads=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("fp8") / "hf")


def made(model: Path, out: Path, **options: Any) -> Path:
    out.mkdir()
    built = build(Base(model, "hf", model), Fp8Options.model_validate(options), out, Context(folder=out.parent))
    assert built.layers == {"float8_e4m3fn": 14}
    assert (
        built.notes[-1].text == f"model.embed_tokens.weight, lm_head.weight stay in {options.get('dtype', 'bfloat16')}"
    )
    return out


def e4m3() -> Any:
    """All finite numbers of E4M3 that are not negative, from their definition: 4 bits of exponent (bias 7), 3 of mantissa; float64 [127]."""
    codes = np.arange(127)
    exponent, mantissa = codes >> 3, codes & 7
    return np.where(exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))


def nearest(values: Any) -> Any:
    """Round float64 to the nearest number of E4M3, ties to an even code."""
    numbers = e4m3()
    size = np.abs(values)
    above = np.clip(np.searchsorted(numbers, size), 1, 126)
    low, high = numbers[above - 1], numbers[above]
    up = (size - low > high - size) | ((size - low == high - size) & (above % 2 == 0))
    return np.copysign(np.where(up, high, low), values)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_are_rounded_as_plain_float64_rounds_them(dtype: str) -> None:
    import torch

    weight = torch.randn(64, 1000, generator=torch.Generator().manual_seed(1)) * torch.logspace(-4, 3, 64)[:, None]
    weight[3] = 0.0
    weight[4, 5] = -weight[4].abs().max() * 2  # the largest is negative
    weight = weight.to(getattr(torch, dtype))
    found, scale = rounded(weight)
    assert scale.shape == (64, 1)
    assert found.dtype == torch.float8_e4m3fn
    exact, scales = weight.double().numpy(), scale.double().numpy()
    largest = np.abs(exact).max(axis=1, keepdims=True)
    assert np.where(largest > 0, largest / 448, 1) == pytest.approx(scales, rel=1e-6)
    quotient = (exact.astype(np.float32) / scales.astype(np.float32)).astype(np.float64)
    assert (found.double().numpy() == nearest(quotient)).all()
    assert (found[3].float() == 0).all()
    assert found[4, 5] == -448
    normal = np.abs(quotient) >= 2.0**-6
    assert (np.abs(found.double().numpy() * scales - exact)[normal] <= np.abs(exact)[normal] * (2.0**-4 + 1e-6)).all()


def test_a_weight_that_is_no_number_is_refused_by_name() -> None:
    import torch

    with pytest.raises(HarnessError, match="q_proj holds NaN or infinity"):
        rounded(torch.tensor([[1.0, float("nan")]]), "q_proj")


def test_weights_alone_in_fp8_give_what_the_rounded_weights_give(model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = made(model, tmp_path / "made", activations=False, dtype="float32")
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    for module in plain.model.layers.modules():
        if isinstance(module, torch.nn.Linear):
            found, scale = rounded(module.weight)
            module.weight.data = (found.double() * scale.double()).float()
    with torch.inference_mode():
        expected = torch.log_softmax(plain(torch.tensor([IDS])).logits[0], dim=-1).numpy()
    with open_artifact(folder, ONE) as session:
        assert np.abs(session.whole(IDS, range(len(IDS))) - expected).max() < 1e-5
        assert [note.code for note in session.notes] == ["fp8-dequantized"]
        layer = session._forward.model.model.layers[0].mlp.up_proj
        assert layer.weight.dtype == torch.float8_e4m3fn, "it stays so in memory"
        assert session.generate(
            GenerationWorkload(2, (tuple(IDS[:9]), tuple(IDS[9:18])), 4, 0, 1), lambda share: None
        ).steps.shape == (1, 3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_products_in_fp8_are_sums_over_both_rounded_factors(dtype: str, model: Path, tmp_path: Path) -> None:
    import torch

    folder = made(model, tmp_path / "made", dtype=dtype)
    with open_artifact(folder, ONE) as session:
        assert [note.code for note in session.notes if note.code.startswith("fp8")] == ["fp8-product"]
        layer = session._forward.model.model.layers[1].mlp.down_proj
        x = torch.randn(2, 5, 128, generator=torch.Generator().manual_seed(2)).to(getattr(torch, dtype))
        x[1, 2] = 0.0
        with torch.inference_mode():
            found = layer(x)
    exact = x.double().numpy()
    scale = np.maximum(np.abs(exact).max(axis=-1, keepdims=True), 1e-30) / 448
    quotient = (exact.astype(np.float32) / scale.astype(np.float32)).astype(np.float64)
    weight = layer.weight.double().numpy() * layer.scale.double().numpy()
    expected = (nearest(quotient) * scale) @ weight.T
    assert found.dtype == x.dtype
    assert found.double().numpy() == pytest.approx(expected, rel=1e-5 if dtype == "float32" else 2.0**-7, abs=1e-5)
    assert (found[1, 2] == 0).all()


def test_the_folder_says_what_is_in_it_and_is_the_same_twice(model: Path, tmp_path: Path) -> None:
    folders = [made(model, tmp_path / name) for name in ("one", "two")]
    assert folder_sha256(folders[0]) == folder_sha256(folders[1])
    stored = scheme_of(folders[0], "hf")
    assert stored is not None
    assert stored.text == "fp8 channel sym x14; head bfloat16; embedding bfloat16"
    config = json.loads((folders[0] / "config.json").read_text("utf-8"))
    assert is_fp8(config["quantization_config"])
    assert config["dtype"] == "bfloat16"


def broken(model: Path, out: Path, how: str) -> Path:
    import torch
    from safetensors.torch import load_file, save_file

    folder, name = made(model, out), "model.layers.1.self_attn.q_proj.weight"
    tensors = load_file(folder / "model.safetensors")
    if how == "float":
        tensors[name] = torch.ones(tensors[name].shape, dtype=torch.bfloat16)
    else:
        del tensors[f"{name}_scale"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize(("how", "told"), [("float", "is BF16"), ("scale", "has no weight_scale")])
def test_a_layer_that_is_not_fp8_is_found(how: str, told: str, model: Path, tmp_path: Path) -> None:
    folder = broken(model, tmp_path / "made", how)
    with (
        pytest.raises(HarnessError, match=f"layer 'model.layers.1.self_attn.q_proj' {told}"),
        open_artifact(folder, ONE),
    ):
        pass


def test_other_formats_of_the_same_name_are_not_taken_for_it() -> None:
    assert is_fp8(fp8_config(activations=True))
    assert is_fp8(fp8_config(activations=False))
    changes: list[dict[str, Any]] = [
        {"format": "nvfp4-pack-quantized"},
        {"kv_cache_scheme": {"num_bits": 8}},
        {"ignore": ["re:.*mlp.*"]},
        {"config_groups": {}},
    ]
    for change in changes:
        assert not is_fp8({**fp8_config(activations=True), **change})
    static = fp8_config(activations=True)
    static["config_groups"]["group_0"]["input_activations"] = {
        "num_bits": 8,
        "type": "float",
        "strategy": "tensor",
        "dynamic": False,
    }
    assert not is_fp8(static)


def test_a_device_that_cannot_multiply_fp8_is_refused_with_what_to_take(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from harness.engines import torch_fp8

    with open_artifact(made(model, tmp_path / "made"), ONE) as session:
        opened = session._forward.model
    said = fp8_config(activations=True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100")
    with pytest.raises(HarnessError, match=r"NVIDIA A100 has compute capability 8\.0 .* take the method fp8_weights"):
        torch_fp8.refuse_device(opened, said, "cuda", "bfloat16")
    torch_fp8.refuse_device(opened, fp8_config(activations=False), "cuda", "bfloat16")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    torch_fp8.refuse_device(opened, said, "cuda", "bfloat16")
    with pytest.raises(HarnessError, match="into bfloat16 on CUDA, not float32; build with dtype bfloat16"):
        torch_fp8.refuse_device(opened, said, "cuda", "float32")
    opened.model.layers[0].mlp.up_proj.out_features = 120
    with pytest.raises(
        HarnessError, match=r"'model.layers.0.mlp.up_proj' is 64 x 120: CUDA multiplies FP8 in multiples of 16"
    ):
        torch_fp8.refuse_device(opened, said, "cuda", "bfloat16")
