"""Model Optimizer in torch: each configuration is what it promises, opens as it was built, and a layer left in floats is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.options import validated
from harness.core.seam import Base, Context
from harness.core.simulated_layers import STATE, hold_simulated
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.quantizers.modelopt_torch import QUANTIZER, quantized
from harness.quantizers.modelopt_torch_options import ModeloptTorchOptions, promises
from harness.quantizers.scheme import scheme_of
from harness.worker.record import weights_sha256
from tests.tiny_model import write_model
from tests.unit.quantizers.conftest import made

IDS = np.random.default_rng(3).integers(2, 320, 48).tolist()
ONE = TransformersOptions(threads=1)
Q_PROJ = "model.layers.1.self_attn.q_proj"
EVERY: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"config": "INT8_DEFAULT_CFG"}, {"int8 channel, inputs int8 tensor": 14}),
    ({"config": "INT8_SMOOTHQUANT_CFG"}, {"int8 channel, inputs int8 tensor, scaled": 14}),
    ({"config": "INT8_WEIGHT_ONLY_CFG"}, {"int8 channel": 14}),
    ({"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 48}, {"int4 b48": 14}),
    ({"config": "INT4_AWQ_CFG", "block_size": 32}, {"int4 b32, scaled": 14}),
    ({"config": "INT4_AWQ_CFG", "block_size": 32, "algorithm": "awq_clip"}, {"int4 b32": 14}),
    ({"config": "FP8_DEFAULT_CFG"}, {"fp8 tensor, inputs fp8 tensor": 14}),
    ({"config": "FP8_PER_CHANNEL_PER_TOKEN_CFG"}, {"fp8 channel, inputs fp8 token": 14}),
    ({"config": "W4A8_AWQ_BETA_CFG", "block_size": 32}, {"int4 b32 > fp8 tensor, inputs fp8 tensor, scaled": 14}),
    ({"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32, "int8_layers": "block"}, {"int8 b32": 4, "int4 b32": 10}),
    ({"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32, "int8_layers": "channel"}, {"int8 channel": 4, "int4 b32": 10}),
    ({"config": "INT4_AWQ_CFG", "block_size": 32, "int8_layers": "block"}, {"int8 b32, scaled": 4, "int4 b32, scaled": 10}),
    ({"config": "INT4_AWQ_CFG", "block_size": 32, "int8_layers": "channel"}, {"int8 channel, scaled": 4, "int4 b32, scaled": 10}),
    ({"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32, "activations": "int8"}, {"int4 b32, inputs int8 tensor": 14}),
    ({"config": "INT8_DEFAULT_CFG", "dtype": "bfloat16"}, {"int8 channel, inputs int8 tensor": 14}),
    ({"config": "FP8_DEFAULT_CFG", "dtype": "float16"}, {"fp8 tensor, inputs fp8 tensor": 14}),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("modelopt") / "hf")


def build(model: Path, folder: Path, options: dict[str, Any], text: Path) -> tuple[Path, Any]:
    reads = validated(QUANTIZER.options, options, "modelopt-torch").calibrated
    more = {"dataset": str(text), "calib_size": 2} if reads else {}
    return made(QUANTIZER, Base(model, "hf", model), folder, {**options, **more})


@pytest.mark.parametrize(
    ("options", "layers"),
    EVERY,
    ids=lambda value: value.get("config", "") + "+".join(map(str, list(value.values())[1:])),
)
def test_what_is_opened_computes_what_was_built(
    options: dict[str, Any], layers: dict[str, int], model: Path, tmp_path: Path, calibration_file: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    out, built = build(model, tmp_path / "made", options, calibration_file)
    assert built.layers == layers
    dtype = options.get("dtype", "float32")
    inner = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
    floats = inner(torch.tensor([IDS])).logits[0].float()
    given = validated(ModeloptTorchOptions, {**options, "dataset": str(calibration_file), "calib_size": 2}, "x")
    quantized(inner, model, given, Context(folder=tmp_path))
    with torch.inference_mode():
        expected = torch.log_softmax(inner(torch.tensor([IDS])).logits[0].float(), dim=-1).numpy()
    assert np.abs(torch.log_softmax(floats, dim=-1).detach().numpy() - expected).max() > 1e-3, "something is rounded"
    with open_artifact(out, ONE) as session:
        assert session.dtype == dtype
        assert np.abs(session.whole(IDS, range(len(IDS))) - expected).max() < 1e-5
        assert [note.code for note in session.notes] == ["simulated"]
    scheme = scheme_of(out, "hf")
    assert scheme is not None
    assert scheme.bits_per_weight is None
    assert all(f"{text.partition(', ')[0]} simulated x" in scheme.text for text in layers)


def test_two_artifacts_that_differ_in_their_state_alone_have_other_weights(
    model: Path, int4: Path, tmp_path: Path, calibration_file: Path
) -> None:
    options = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32, "int8_layers": "block"}
    mixed, _ = build(model, tmp_path / "mixed", options, calibration_file)
    assert (mixed / "model.safetensors").read_bytes() == (int4 / "model.safetensors").read_bytes()
    assert weights_sha256(mixed) != weights_sha256(int4)


def test_the_same_bytes_come_out_of_two_processes(model: Path, tmp_path: Path, calibration_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.core.seam import Base, Context; from harness.core.options import validated\n"
        "from harness.quantizers.modelopt_torch import QUANTIZER as Q\n"
        "model, out, text = map(Path, sys.argv[1:]); out.mkdir()\n"
        "given = {'config': 'W4A8_AWQ_BETA_CFG', 'block_size': 32, 'dataset': str(text), 'calib_size': 2}\n"
        "Q.build(Base(model, 'hf', model), validated(Q.options, given, 'x'), out, Context(folder=out.parent))"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(model), str(tmp_path / seed), str(calibration_file)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert folder_sha256(tmp_path / "1") == folder_sha256(tmp_path / "2")


def in_state(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the state says of one layer's weights."""
    import torch

    state = torch.load(folder / STATE, weights_only=True)
    for _, inner in state["modelopt_state_dict"]:
        change(inner["metadata"]["quantizer_state"][f"{Q_PROJ}.weight_quantizer"])
    torch.save(state, folder / STATE)


def in_tensors(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _off(folder: Path) -> None:
    in_state(folder, lambda layer: layer.update({"_disabled": True}))


def _wide(folder: Path) -> None:
    in_state(folder, lambda layer: layer.update({"_num_bits": 8}))


def _unfaked(folder: Path) -> None:
    in_state(folder, lambda layer: layer.update({"_fake_quant": False}))


def _scaleless(folder: Path) -> None:
    in_tensors(folder, lambda tensors: tensors.pop(f"{Q_PROJ}.weight_quantizer._amax"))


def _more(folder: Path) -> None:
    import torch

    in_tensors(folder, lambda tensors: tensors.update({f"{Q_PROJ}.output_quantizer._amax": torch.ones(1)}))


def _gone(folder: Path) -> None:
    (folder / STATE).unlink()


def _torn(folder: Path) -> None:
    (folder / STATE).write_bytes((folder / STATE).read_bytes()[:-100])


def _fewer(folder: Path) -> None:
    said = json.loads((folder / "config.json").read_text("utf-8"))
    said["quantization_config"]["layers"]["int4 b32"].remove(Q_PROJ)
    (folder / "config.json").write_text(json.dumps(said), "utf-8")


def _others(folder: Path) -> None:
    said = json.loads((folder / "config.json").read_text("utf-8"))
    said["quantization_config"]["layers"]["int4 b32"].append("model.layers.7.self_attn.q_proj")
    (folder / "config.json").write_text(json.dumps(said), "utf-8")


@pytest.fixture(scope="module")
def int4(model: Path, tmp_path_factory: pytest.TempPathFactory, calibration_file: Path) -> Path:
    options = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32}
    return build(model, tmp_path_factory.mktemp("int4") / "made", options, calibration_file)[0]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_off, f"layer '{Q_PROJ}' is float32, but the checkpoint promises int4 b32"),
        (_wide, f"layer '{Q_PROJ}' is int8 b32, but the checkpoint promises int4 b32"),
        (_unfaked, f"layer '{Q_PROJ}' is float32, but the checkpoint promises int4 b32"),
        (_scaleless, f"the files lack {Q_PROJ}.weight_quantizer._amax"),
        (_more, f"no quantizer reads {Q_PROJ}.output_quantizer._amax"),
        (_gone, "modelopt_state.pth is missing, without which nothing would be rounded"),
        (_torn, "modelopt_state.pth cannot be restored by Model Optimizer"),
        (_fewer, f"layer '{Q_PROJ}' is int4 b32, but the checkpoint promises nothing of it"),
        (_others, "promises a layer 'model.layers.7.self_attn.q_proj' that the model does not have"),
    ],
)
def test_a_layer_that_is_not_as_promised_is_found(
    broken: Callable[[Path], None], told: str, int4: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(int4, folder)
    broken(folder)
    with pytest.raises(HarnessError, match=told), open_artifact(folder, ONE):
        pass


def test_a_layer_whose_quantizer_does_nothing_is_found_by_its_weights(int4: Path) -> None:
    with open_artifact(int4, ONE) as session:
        opened = session._forward.model
    layers = promises(validated(ModeloptTorchOptions, {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32}, "x"),
                      [name for name, _ in opened.named_modules() if name.endswith("_proj")])  # fmt: skip
    assert hold_simulated(opened, layers) == {"int4 b32": 14}
    opened.get_submodule(Q_PROJ).weight_quantizer.forward = lambda weight: weight
    with pytest.raises(HarnessError, match=f"layer '{Q_PROJ}' should be int4 b32, but .* weights are not so rounded"):
        hold_simulated(opened, layers)


def test_a_quantizer_where_none_is_promised_is_found(int4: Path) -> None:
    with open_artifact(int4, ONE) as session:
        opened = session._forward.model
    opened.get_submodule("model.layers.0.self_attn").k_bmm_quantizer.enable()
    names = [name for name, _ in opened.named_modules() if name.endswith("_proj")]
    with pytest.raises(HarnessError, match=r"'model.layers.0.self_attn.k_bmm_quantizer' rounds, too"):
        hold_simulated(opened, dict.fromkeys(names, "int4 b32"))


def test_another_dtype_than_it_was_built_for_is_refused(int4: Path) -> None:
    with (
        pytest.raises(HarnessError, match=r"asked for float16, but .* computes in float32"),
        open_artifact(int4, TransformersOptions(dtype="float16")),
    ):
        pass


def test_texts_shared_with_the_onnx_path_are_too_short_in_the_same_words(
    model: Path, tmp_path: Path, calibration_file: Path
) -> None:
    with pytest.raises(HarnessError, match=r"gives \d+ texts of up to 512 tokens where calib_size is 500"):
        made(
            QUANTIZER,
            Base(model, "hf", model),
            tmp_path,
            {"config": "INT8_DEFAULT_CFG", "dataset": str(calibration_file), "calib_size": 500},
        )
