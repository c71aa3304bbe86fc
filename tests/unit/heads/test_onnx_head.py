"""Heads that are graphs: the product that the operators define, in the type that they take, and what cannot be opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.heads.onnx_head import OnnxHead
from harness.heads.opening import open_head
from harness.heads.record import GRAPH, HeadRecord, write_record

CODES = np.arange(-10, 10, dtype=np.int8).reshape(4, 5)
SCALE = 0.5
HIDDEN = np.array([[1, 0, 0, 0], [0, 1, 0, 2], [-1, 0, 0.5, 0]], dtype=np.float32)


def record(dtype: Literal["float32", "float16"] = "float32") -> HeadRecord:
    return HeadRecord(kind="onnx", hidden=4, vocabulary=5, dtype=dtype, feeds="states", gives="logits", sha256="0" * 64)


def saved(folder: Path, dtype: Literal["float32", "float16"] = "float32") -> Path:
    """Write a head of 8-bit codes with one scale."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, getattr(onnx.TensorProto, dtype.replace("float", "FLOAT").replace("FLOAT32", "FLOAT"))
    nodes = [
        helper.make_node("Cast", ["codes"], ["wide"], to=kind),
        helper.make_node("Mul", ["wide", "scale"], ["weight"]),
        helper.make_node("MatMul", ["states", "weight"], ["logits"]),
    ]
    shapes = (("states", 4), ("logits", 5))
    feeds, gives = (helper.make_tensor_value_info(name, kind, [1, "rows", width]) for name, width in shapes)
    stored = [
        onnx.numpy_helper.from_array(CODES, "codes"),
        onnx.numpy_helper.from_array(np.array(SCALE, dtype=dtype), "scale"),
    ]
    graph = helper.make_graph(nodes, "head", [feeds], [gives], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, str(folder / GRAPH))
    write_record(folder, record(dtype))
    return folder


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_logits_are_the_product_of_codes_and_scale_as_float32(
    tmp_path: Path, dtype: Literal["float32", "float16"]
) -> None:
    head = open_head(saved(tmp_path, dtype))
    assert isinstance(head, OnnxHead)
    found = head.logits(HIDDEN)
    assert found.dtype == np.float32
    assert np.array_equal(found, HIDDEN @ (CODES * SCALE))  # halves of small whole numbers: exact in both types
    assert head.logits(HIDDEN[:1]).shape == (1, 5)
    assert head.record == record(dtype)


def test_a_provider_without_a_graph_of_its_own_runs_on_the_cpu(tmp_path: Path) -> None:
    head = OnnxHead(saved(tmp_path), record(), provider="dml")
    assert head._session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("content", [b"no graph", None], ids=["damaged", "gone"])
def test_a_graph_that_cannot_be_opened_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    graph = saved(tmp_path) / GRAPH
    graph.unlink() if content is None else graph.write_bytes(content)
    with pytest.raises(HarnessError, match=r"the head .*head\.onnx cannot be opened: .*; make the reference again"):
        open_head(tmp_path)


def test_without_onnx_runtime_one_is_told_where_to_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(HarnessError, match="this environment has no onnxruntime; measure in one that has it"):
        OnnxHead(tmp_path, record())
