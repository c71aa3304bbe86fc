from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.engines import onnx_scores
from harness.engines.onnx_scores import OnnxForward
from harness.engines.ort_genai import open_artifact
from harness.engines.ort_genai_opening import OrtGenaiEngineOptions
from harness.engines.scoring_view import ROWS, find_head, view_of

BATCH = [[5, 6, 7, 8, 9, 10], [3, 4, 5]]
WANTED = [np.asarray([1, 5]), np.asarray([0, 2])]


def opened(folder: Path, *, view: bool) -> OnnxForward:
    config = json.loads((folder / "genai_config.json").read_text("utf-8"))["model"]
    made = view_of(folder / "model.onnx") if view else None
    assert (made is not None) == view
    return onnx_scores.open_forward(folder, config, "cpu", onnx_scores.open_raw(folder, config, "cpu", {}, 1, made))


def files(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", ["fp32", "int4"])
def test_rows_of_a_view_are_bit_for_bit_those_of_all_logits(tiny: Path, name: str) -> None:
    whole, viewed = opened(tiny / name, view=False), opened(tiny / name, view=True)
    assert (whole.picks, viewed.picks) == (False, True)
    assert (whole.vocabulary, whole.pads) == (viewed.vocabulary, viewed.pads)
    for batch, wanted in [(BATCH, WANTED), (BATCH[:1], WANTED[:1]), (BATCH[:1], [np.asarray([3])])]:
        expected, found = (forward.run(batch, wanted, None, keep=False)[0] for forward in (whole, viewed))
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_only_wanted_rows_are_computed_and_no_row_is_fine(tiny: Path) -> None:
    forward = opened(tiny / "fp32", view=True)
    logits, _ = forward.logits(BATCH, None, keep=False, places=np.asarray([1, 7]))
    assert logits.shape == (1, 2, forward.vocabulary)
    rows, cache = forward.run(BATCH[:1], [np.empty(0, dtype=np.int64)], None, keep=True)
    assert [len(one) for one in rows] == [0]
    assert cache is not None


def test_an_artifact_stays_as_it_is_and_nothing_lies_beside_it(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(tiny / "fp32", folder)
    before = files(folder)
    with open_artifact(folder, OrtGenaiEngineOptions(threads=1)) as session:
        assert next(iter(session.logprobs([1, 2, 3], [1]))).logprobs.shape == (1, 320)
    assert files(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def graph(*nodes: Any, hidden: str = "hidden", weights: tuple[str, ...] = ("w",)) -> onnx.GraphProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", 4])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", 8])
    first = helper.make_node("Relu", ["x"], [hidden])
    constants = [numpy_helper.from_array(np.ones((4, 8), dtype=np.float32), name) for name in weights]
    return helper.make_graph([first, *nodes], "g", [given], [made], constants)


def node(kind: str, *inputs: str, out: str = "logits") -> Any:
    return helper.make_node(kind, list(inputs), [out], name=f"{kind}-{out}")


def test_a_head_is_found_behind_what_caps_and_casts_logits() -> None:
    plain = graph(node("MatMul", "hidden", "w"))
    assert find_head(plain) is plain.node[1]
    capped = graph(
        node("MatMul", "hidden", "w", out="a"), node("Div", "a", "cap", out="b"), node("Tanh", "b", out="c"),
        node("Mul", "c", "cap", out="d"), node("Cast", "d"), weights=("w", "cap"),
    )  # fmt: skip
    found = find_head(capped)
    assert found is not None
    assert found.output[0] == "a"
    dequantized = graph(
        node("DequantizeLinear", "w", "s", out="dq"), node("MatMul", "hidden", "dq"), weights=("w", "s")
    )
    assert find_head(dequantized) is not None


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([node("Gather", "hidden", "w", out="last"), node("MatMul", "last", "w")], id="last position only"),
        pytest.param([node("MatMul", "hidden", "x")], id="no weights"),
        pytest.param([node("MatMul", "hidden", "w", out="a"), node("Softmax", "a")], id="not by element"),
        pytest.param([node("MatMul", "hidden", "w", out="a"), node("Add", "a", "x")], id="two that flow"),
        pytest.param([node("MatMulInteger", "hidden", "w")], id="scales shared by rows"),
        pytest.param(
            [node("MatMul", "hidden", "w", out="a"), node("Relu", "a", out="z"), node("Cast", "a")], id="read twice"
        ),
    ],
)
def test_a_head_that_cannot_be_asked_for_rows_is_left_alone(nodes: list[Any]) -> None:
    assert find_head(graph(*nodes)) is None


def test_a_view_of_half_a_model_or_of_none_is_none(tiny: Path, tmp_path: Path) -> None:
    assert view_of(tiny / "pruned" / "model.onnx") is None
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"\x08garbage")
    assert view_of(damaged) is None


def test_a_view_says_what_it_takes_and_gives(tiny: Path) -> None:
    made = view_of(tiny / "fp32" / "model.onnx")
    assert made is not None
    read = onnx.load_from_string(made)
    assert ROWS in {one.name for one in read.graph.input}
    logits = next(one for one in read.graph.output if one.name == "logits")
    assert [one.dim_value or one.dim_param for one in logits.type.tensor_type.shape.dim][:2] == [1, "rows"]
