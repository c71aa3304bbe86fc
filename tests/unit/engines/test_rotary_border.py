"""The length beyond which rotary embeddings are others, found in graphs as protobuf writes them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from harness.engines.rotary_border import rotary_border

LENGTH = "/model/rope_caches_subgraph/Greater"
POSITION = "/model/pos_ids_reformat/GreaterOrEqual"


def graph(folder: Path, kind: str, constant: str, name: str) -> Path:
    """Write a graph that compares its input with a constant under a node's name, outputs named as the GenAI builder does."""
    node = helper.make_node(kind, ["x", constant], [f"{name}/output_0"], name=name)
    given = helper.make_tensor_value_info("x", TensorProto.INT64, [1])
    made = helper.make_tensor_value_info(f"{name}/output_0", TensorProto.BOOL, [1])
    path = folder / "model.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [given], [made])), str(path))
    return path


@pytest.mark.parametrize(("kind", "constant", "name", "border"), [
    ("Greater", "/model/constants/INT64/4096", LENGTH, 4096),
    ("Greater", "/model/constants/INT32/8192", LENGTH, 8192),
    ("GreaterOrEqual", "/model/constants/INT64/131072", POSITION, 131072),
    ("Greater", "/model/constants/INT64/4096", f"{LENGTH}/{'deep/' * 20}", 4096),
])  # fmt: skip
def test_the_constant_of_the_switch_is_the_border(
    tmp_path: Path, kind: str, constant: str, name: str, border: int
) -> None:
    assert rotary_border(graph(tmp_path, kind, constant, name)) == border


@pytest.mark.parametrize(("constant", "name"), [
    ("/model/constants/INT64/4096", "/model/attn_mask_reformat/Greater"), ("/model/constants/FLOAT/4096", LENGTH), ("limit", LENGTH),
])  # fmt: skip
def test_other_comparisons_are_no_border(tmp_path: Path, constant: str, name: str) -> None:
    assert rotary_border(graph(tmp_path, "Greater", constant, name)) is None


def test_an_empty_file_has_no_border_and_one_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert rotary_border(tmp_path / "model.onnx") is None
    with pytest.raises(FileNotFoundError):
        rotary_border(tmp_path / "other.onnx")
