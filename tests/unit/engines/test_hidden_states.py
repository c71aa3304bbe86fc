"""Hidden states and heads of real engines: together they are the model, whatever the head is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.core.errors import Unsupported
from harness.engines import head_graph, hidden_states, ort_genai, scoring, transformers
from harness.engines.scoring_view import HIDDEN_ROWS, ROWS
from harness.engines.wanted_rows import LEAST_ROWS
from harness.heads.opening import open_head
from harness.heads.record import read_record
from tests.unit.engines.sharing_fake import Shares

IDS = [(7 * step + 3) % 300 for step in range(300)]
WHERE = list(range(60, 300, 3))


def opened(engine: Any, folder: Path) -> Any:
    return engine.ENGINE.open(folder, engine.ENGINE.options.model_validate({"threads": 1}))


def both(session: Any, folder: Path) -> tuple[Any, Any]:
    """Give log-probabilities by the model, and by its hidden states and its head apart."""
    folder.mkdir()
    session.save_head(folder)
    dense = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(IDS, WHERE)])
    tiles = list(session.hidden(IDS, WHERE))
    assert np.concatenate([tile.positions for tile in tiles]).tolist() == WHERE
    logits = open_head(folder).logits(np.concatenate([tile.hidden for tile in tiles]).astype(np.float32))
    return dense, logits - np.logaddexp.reduce(logits.astype(np.float64), axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "kind"), [("fp32", "linear"), ("int4", "onnx")])
def test_a_graph_in_two_pieces_gives_what_it_gives_whole(tiny: Path, tmp_path: Path, name: str, kind: str) -> None:
    before = sorted((path.name, path.stat().st_size) for path in (tiny / name).iterdir())
    with opened(ort_genai, tiny / name) as session:
        whole, pieces = both(session, tmp_path / "head")
    np.testing.assert_allclose(pieces, whole, atol=5e-6)
    assert read_record(tmp_path / "head").kind == kind
    assert sorted((path.name, path.stat().st_size) for path in (tiny / name).iterdir()) == before


def test_torch_and_its_export_have_one_head(tiny: Path, tmp_path: Path) -> None:
    for engine, name in ((transformers, "hf"), (ort_genai, "fp32")):
        with opened(engine, tiny / name) as session:
            whole, pieces = both(session, tmp_path / name)
        np.testing.assert_allclose(pieces, whole, atol=5e-6)
    assert read_record(tmp_path / "hf").sha256 == read_record(tmp_path / "fp32").sha256


def product(*nodes: Any, hidden: str = "hidden") -> Any:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "tokens", 4])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", 8])
    constants = [
        numpy_helper.from_array(np.arange(32, dtype=np.float32).reshape(4, 8) / 32, "w"),
        numpy_helper.from_array(np.float32([2.0]), "cap"),
        numpy_helper.from_array(np.arange(32, dtype=np.int8).reshape(4, 8), "q"),
        numpy_helper.from_array(np.float32(0.05), "scale"),
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], [hidden]), *nodes], "g", [given], [made], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def node(kind: str, *inputs: str, out: str = "logits") -> Any:
    return helper.make_node(kind, list(inputs), [out], name=f"{kind}-{out}")


CAPPED = [
    node("MatMul", "hidden", "w", out="a"), node("Div", "a", "cap", out="b"), node("Tanh", "b", out="c"), node("Mul", "c", "cap"),
]  # fmt: skip
DEQUANTIZED = [node("DequantizeLinear", "q", "scale", out="dq"), node("MatMul", "hidden", "dq")]


@pytest.mark.parametrize(("nodes", "kind"), [(CAPPED, "linear"), (DEQUANTIZED, "onnx")], ids=["capped", "dequantized"])
def test_what_stands_behind_and_before_the_product_belongs_to_the_head(tmp_path: Path, nodes: Any, kind: str) -> None:
    import onnxruntime

    model = product(*nodes)
    onnx.save(model, str(tmp_path / "model.onnx"))
    (tmp_path / "head").mkdir()
    assert head_graph.save_head(tmp_path / "model.onnx", tmp_path / "head").kind == kind
    hidden = np.abs(np.random.default_rng(1).standard_normal((5, 4))).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(["logits"], {"x": hidden[None]})[0][0]
    np.testing.assert_allclose(open_head(tmp_path / "head").logits(hidden), wanted, rtol=1e-5, atol=1e-6)


def test_a_graph_without_a_known_head_says_so(tmp_path: Path) -> None:
    onnx.save(product(node("MatMul", "hidden", "w", out="a"), node("Softmax", "a")), str(tmp_path / "model.onnx"))
    with pytest.raises(Unsupported, match="no head that is known"):
        head_graph.save_head(tmp_path / "model.onnx", tmp_path)


@pytest.fixture
def odd(tiny: Path) -> Iterator[Any]:
    with opened(transformers, tiny / "hf") as session:
        yield session


@pytest.mark.parametrize(
    ("option", "value"), [("final_logit_softcapping", 4.0), ("logits_scaling", 3.0), ("logit_scale", 0.25)]
)
def test_torch_heads_keep_what_the_model_does_to_its_logits(
    odd: Any, tmp_path: Path, option: str, value: float
) -> None:
    import torch

    model = odd._forward.model
    setattr(model.config, option, value)
    change = {
        "final_logit_softcapping": lambda x: torch.tanh(x / value) * value,
        "logits_scaling": lambda x: x / value,
        "logit_scale": lambda x: x * value,
    }[option]
    usual = model.forward

    def forward(*given: Any, **more: Any) -> Any:
        out = usual(*given, **more)
        out.logits = change(out.logits)
        return out

    model.forward = forward
    whole, pieces = both(odd, tmp_path / "head")
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert json.loads((tmp_path / "head/head.json").read_text())["steps"]


def test_an_unknown_change_of_logits_is_refused(odd: Any, tmp_path: Path) -> None:
    model = odd._forward.model
    usual = model.forward

    def forward(*given: Any, **more: Any) -> Any:
        out = usual(*given, **more)
        out.logits = out.logits**3
        return out

    model.forward = forward
    with pytest.raises(Unsupported, match="not known here"):
        odd.save_head(tmp_path)


@pytest.mark.parametrize(("engine", "name"), [(transformers, "hf"), (ort_genai, "int4")])
def test_logits_are_what_is_normalized_to_log_probabilities(tiny: Path, engine: Any, name: str) -> None:
    with opened(engine, tiny / name) as session:
        wanted = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(IDS, WHERE)])
        tiles = [(tile.positions, tile.logits.copy()) for tile in session.logits(IDS, WHERE)]
    logits = np.concatenate([rows for _, rows in tiles])
    assert np.concatenate([places for places, _ in tiles]).tolist() == WHERE
    assert np.abs(logits - wanted).max() > 0.1
    rows = logits - np.logaddexp.reduce(logits.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(rows, wanted, atol=5e-6)


def test_a_pass_for_hidden_states_gives_the_head_two_rows(tiny: Path) -> None:
    """The runtime computes every output, whatever is fetched; so the head is given hardly anything."""
    with opened(ort_genai, tiny / "fp32") as session:
        inside = session._forward
        given: list[dict[str, Any]] = []

        class Seen:
            def io_binding(self) -> Any:
                binding, found = inside_session.io_binding(), {}
                given.append(found)
                usual = binding.bind_cpu_input

                def bind(name: str, array: Any) -> None:
                    found[name] = array
                    usual(name, array)

                binding.bind_cpu_input = bind
                return binding

            def __getattr__(self, name: str) -> Any:
                return getattr(inside_session, name)

        inside_session, inside.session = inside.session, Seen()
        list(session.hidden(IDS[:40], range(40)))
        list(session.logprobs(IDS[:40], range(40)))
    sizes = [(len(one[ROWS]), len(one[HIDDEN_ROWS])) for one in given]
    assert sizes == [(LEAST_ROWS, 40), (40, LEAST_ROWS)]


def test_rows_of_a_whole_pass_are_held_by_parts_but_hidden_states_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    forward: Any = Shares()
    forward.border = 300
    forward.states = forward.run
    ids = np.random.default_rng(2).integers(0, 16, 1000).tolist()
    [right], _ = forward.run([ids], [np.arange(1000)], None, keep=False)
    monkeypatch.setattr(scoring, "_HELD", 4 * forward.vocabulary * 300)
    given: list[int] = []
    usual = forward.run

    def run(batch: Any, wanted: Any, cache: Any, *, keep: bool) -> Any:
        given.append(len(wanted[0]))
        return usual(batch, wanted, cache, keep=keep)

    forward.run = forward.states = run
    where = list(range(100, 999))
    tiles = list(scoring.logprobs(forward, ids, where))
    assert np.concatenate([tile.positions for tile in tiles]).tolist() == where
    np.testing.assert_allclose(np.concatenate([tile.logprobs for tile in tiles]), right[where], atol=1e-6)
    assert given == [300, 300, 299]
    assert len(np.concatenate([tile.hidden for tile in hidden_states.hidden(forward, ids, where)])) == 899
    assert given[3:] == [899]
