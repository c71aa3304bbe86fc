"""Options of Model Optimizer: known, refused while planning, or named with the reason for which they do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.options import problems_of
from harness.core.seam import Facts
from harness.quantizers.modelopt_layers import default_strategy, has_parts
from harness.quantizers.modelopt_onnx import QUANTIZER, contents, refuse
from harness.quantizers.modelopt_options import ModeloptOptions, without_effect


def test_default_strategy_takes_half_of_each_group() -> None:
    nodes = [f"/model/layers.{layer}/{part}/MatMul" for layer in range(28) for part in ("attn/qkv_proj", "mlp/up_proj")]
    chosen = sorted(int(node.split("/")[2].split(".")[1]) for node in default_strategy(nodes))
    assert chosen == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 25, 26, 27]


def test_patterns_match_whole_parts_only() -> None:
    node = "/model/layers.10/mlp/down_proj/MatMul"
    assert has_parts(node, "layers.10")
    assert has_parts(node, "mlp/down_proj")
    assert not has_parts(node, "layers.1")
    assert not has_parts(node, "down")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"algo": "awq"}, "algo"), ({}, "algo"), ({"algo": "rtn", "calib_size": 129}, "calib_size"),
        ({"algo": "awq_lite", "calibration_eps": "cpu,tpu"}, "calibration_eps"),
        ({"algo": "awq_lite", "layers_8bit": "layers 1"}, "layers_8bit"),
        ({"algo": "awq_lite", "batch_size": 64}, ""), ({"algo": "rtn", "block_size": 0}, ""),
        ({"algo": "awq_lite", "awqlite_run_per_subgraph": True, "enable_mixed_quant": True}, ""),
        ({"algo": "rtn", "awqlite_disable_fuse_node": True}, "awqlite_disable_fuse_node"),
    ],
)  # fmt: skip
def test_mistaken_options_are_found_while_planning(given: dict[str, Any], field: str) -> None:
    found = problems_of(ModeloptOptions, given, "modelopt-onnx")
    assert field in {name.split(".")[0] for name, _ in found}


def test_every_option_of_the_original_script_is_known_by_its_name() -> None:
    table = (
        "calib_size dataset algo use_zero_point block_size awqlite_alpha_step awqlite_run_per_subgraph "
        "awqlite_disable_fuse_nodes awqclip_alpha_step awqclip_alpha_min awqclip_bsz_col calibration_eps "
        "add_position_ids enable_mixed_quant layers_8bit gather_quantize_axis gather_block_size use_column_major "
        "device batch_size use_fp32 no_past_kv_inputs use_buffer_share use_random_calib trust_remote_code"
    )
    assert set(table.split()) <= set(ModeloptOptions.model_fields)
    assert ModeloptOptions.model_validate({"algo": "rtn", "block-size": 64}).block_size == 64


def test_options_without_effect_are_named_with_the_reason() -> None:
    options = ModeloptOptions(algo="awq_clip", use_zero_point=True, awqlite_alpha_step=0.2, gather_block_size=64)
    assert sorted(note.text.split("'")[1].split(":")[0] for note in without_effect(options)) == [
        "awqlite_alpha_step", "gather_block_size", "use_zero_point",
    ]  # fmt: skip
    assert without_effect(ModeloptOptions(algo="awq_lite")) == []


def test_calibration_on_what_is_not_there_is_refused() -> None:
    machine = Facts(packages={"nvidia-modelopt": "0.47.0", "onnx": "1.21.0"}, system="Linux")
    assert "GPU" in str(refuse(ModeloptOptions(algo="awq_lite", calibration_eps=("cuda",)), machine))
    assert "Windows" in str(refuse(ModeloptOptions(algo="awq_lite", calibration_eps=("dml",)), machine))
    assert refuse(ModeloptOptions(algo="rtn_dq", calibration_eps=("cuda",)), machine) is None


@pytest.mark.parametrize(
    ("options", "device"),
    [({"algo": "awq_lite"}, "cpu"), ({"algo": "awq_lite", "calibration_eps": "cuda,cpu"}, "cuda"),
     ({"algo": "awq_clip", "calibration_eps": "cpu,dml"}, "dml"), ({"algo": "rtn_dq", "calibration_eps": "cuda"}, "cpu")],
)  # fmt: skip
def test_the_device_of_the_calibration_is_told_where_one_takes_part(options: dict[str, Any], device: str) -> None:
    assert QUANTIZER.calibrates_on(ModeloptOptions.model_validate(options)) == device


def test_the_calibration_text_counts_in_the_key_only_where_it_is_read(calibration_file: Path) -> None:
    name = str(calibration_file)
    assert contents(ModeloptOptions(algo="awq_lite", dataset=name)) == {"text": calibration_file}
    assert contents(ModeloptOptions(algo="rtn", dataset=name)) == {}
    assert contents(ModeloptOptions(algo="awq_lite", dataset="cnn")) == {}
