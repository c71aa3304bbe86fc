"""What ONNX Runtime really runs: read from profiles of real artifacts, and from made-up ones of providers that are not here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.executed import OTHERWISE, executed_notes
from harness.engines import ort_executed
from harness.engines.ort_executed import RanNode, StoredProduct, executed_of, inspect, ran_nodes
from harness.engines.ort_genai_opening import OrtGenaiEngineOptions
from harness.quantizers.scheme import scheme_of
from tests.graph_edits import edited, rounded_activations, stored_in_int8

ASKED = OrtGenaiEngineOptions(threads=1)


def scheme(folder: Path) -> str:
    found = scheme_of(folder, "ort-genai")
    assert found is not None
    return found.text


@pytest.fixture(scope="module")
def int8(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose weights are 8-bit integers that a node makes floats of."""
    return edited(tiny / "fp32", tmp_path_factory.mktemp("int8") / "a", stored_in_int8)


def test_floats_and_packed_weights_are_told_with_what_multiplies_them(tiny: Path) -> None:
    found = inspect(tiny / "fp32", ASKED)
    assert found.text == "float32 MatMul x11; in float32; GroupQueryAttention"
    assert set(found.nodes) == {"cpu"}
    assert found.nodes["cpu"]["GroupQueryAttention"] == 2, "one for each layer, however often it ran"
    packed = inspect(tiny / "int4", ASKED)
    assert packed.text == "int4 b32 MatMulNBits x11; in float32 at accuracy level 4; GroupQueryAttention"
    for folder, ran in ((tiny / "fp32", found), (tiny / "int4", packed)):
        assert executed_notes(ran, scheme(folder)) == ()


def test_integers_that_the_runtime_keeps_are_integers(int8: Path) -> None:
    found = inspect(int8, ASKED)
    assert found.weights.get("float32 MatMul", 0) == 0
    assert sum(found.weights.values()) == 11
    assert all(kind.startswith("int8 ") for kind in found.weights)
    assert executed_notes(found, scheme(int8)) == ()


def test_integers_that_become_floats_when_the_artifact_is_opened_are_told(int8: Path, tmp_path: Path) -> None:
    """The artifact's own settings have the runtime fold what makes floats of the weights."""
    folder = tmp_path / "folded"
    shutil.copytree(int8, folder)
    config = json.loads((folder / "genai_config.json").read_text("utf-8"))
    config["model"]["decoder"]["session_options"]["session.disable_quant_qdq"] = "1"
    (folder / "genai_config.json").write_text(json.dumps(config), "utf-8")
    found = inspect(folder, ASKED)
    assert found.text == "float32 MatMul x11; in float32; GroupQueryAttention", "what the files hold is INT8"
    assert scheme(folder) == scheme(int8)
    (note,) = executed_notes(found, scheme(folder))
    assert note.code == OTHERWISE
    assert note.text.startswith(
        "11 of 11 multiplied weight matrices lie in the files as int8 tensor sym and run as float32"
    )


def test_rounded_activations_that_fuse_are_integer_arithmetic(tiny: Path, tmp_path: Path) -> None:
    folder = edited(tiny / "fp32", tmp_path / "a", rounded_activations)
    found = inspect(folder, ASKED)
    assert found.text == "int8 MatMulIntegerToFloat x11; in int8; GroupQueryAttention"
    assert executed_notes(found, scheme(folder)) == ()


def test_nothing_of_a_look_stays_and_an_artifact_that_does_not_open_is_told(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(path.name for path in (tiny / "fp32").iterdir())
    inspect(tiny / "fp32", ASKED)
    assert sorted(path.name for path in (tiny / "fp32").iterdir()) == before
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(ort_executed, "_generate", lambda *given: None)
    with pytest.raises(HarnessError, match="told of no node"):
        inspect(tiny / "fp32", ASKED)


# ---------------------------------------------------------------- providers that are not here


def event(name: str, kind: str, provider: str, *inputs: tuple[str, list[int]], constants: int = 0, **more: Any) -> Any:
    told = {"op_name": kind, "provider": provider, "node_index": name, "parameter_size": str(constants)}
    told["input_type_shape"] = [{one: shape} for one, shape in inputs]
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "args": {**told, "output_type_shape": [{"float16": [1, 2, 64]}], **more},
    }


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
X, IDS = ("float16", [1, 2, 64]), ("int64", [2])


def test_nodes_that_fell_back_are_counted_and_those_of_shapes_are_not(tmp_path: Path) -> None:
    events = [
        event("a", "MatMul", CUDA, X, ("float16", [64, 128]), constants=16384),
        event("a", "MatMul", CUDA, X, ("float16", [64, 128]), constants=16384),
        event("b", "GroupQueryAttention", CUDA, X),
        event("c", "Cos", CPU, X),
        event("d", "Shape", CPU, IDS, output_type_shape=[{"int64": [2]}]),
        {"cat": "Session", "name": "model_run"}, {"cat": "Node", "name": "a_fence_before", "args": {}},
    ]  # fmt: skip
    (tmp_path / "profile.json").write_text(json.dumps(events), "utf-8")
    found = executed_of(list(ran_nodes([tmp_path / "profile.json"])), {}, "cuda")
    assert found.nodes == {"cpu": {"Cos": 1, "Shape": 1}, "cuda": {"GroupQueryAttention": 1, "MatMul": 1}}
    assert found.elsewhere == {"cpu": {"Cos": 1}}
    assert found.text == "float16 MatMul x1; in float16; GroupQueryAttention; 1 of 4 nodes on cpu"


def node(kind: str, *inputs: tuple[str, tuple[int, ...]], constants: int = 1 << 30, provider: str = "cpu") -> RanNode:
    return RanNode("n", kind, provider, inputs, (), constants)


A, PACKED = ("float32", (1, 2, 64)), ("uint8", (128, 2, 32))


@pytest.mark.parametrize(("ran", "stored", "text"), [
    (node("MatMulNBits", A, PACKED), None, "int8 b32 MatMulNBits x1; in float32"),
    (node("MatMulNBits", A, PACKED), StoredProduct(4, 4), "int4 b64 MatMulNBits x1; in float32 at accuracy level 4"),
    (node("MatMulNBits", A, PACKED, provider="cuda"), StoredProduct(4, 4), "int4 b64 MatMulNBits x1; in float32"),
    (node("MatMulNBits", A, ("float32", (128,))), None, "packed MatMulNBits x1; in float32"),
    (node("DynamicQuantizeMatMul", A, ("int8", (64, 64))), None, "int8 DynamicQuantizeMatMul x1; in int8"),
    (node("QLinearMatMul", ("uint8", (1, 2, 64)), ("int8", (64, 64))), None, "int8 QLinearMatMul x1; in int8"),
    (node("DequantizeLinear", ("int8", (64, 64)), ("float32", (64,))), None, "int8 DequantizeLinear x1"),
    (node("DequantizeLinear", ("int4", (64, 64)), ("float32", (64,)), constants=2304), None, "int4 DequantizeLinear x1"),
    (node("DequantizeLinear", ("uint8", (1, 2, 64)), ("float32", (1,)), constants=5), None, "not reported"),
    (node("MatMul", A, ("float32", (64, 64)), constants=0), None, "in float32"),
    (node("MatMul", ("float32", (1, 2, 2, 64)), ("float32", (1, 2, 64, 2)), constants=0), None, "in float32"),
    (node("MatMulBnb4", A), None, "bnb4 MatMulBnb4 x1"),
    (node("Softmax", A), None, "Softmax between products"), (node("Gather", ("float32", (512, 64)), IDS), None, "not reported"),
])  # fmt: skip
def test_each_kind_of_node_says_what_it_multiplies(ran: RanNode, stored: StoredProduct | None, text: str) -> None:
    assert executed_of([ran], {"n": stored} if stored else {}, ran.provider).text == text
