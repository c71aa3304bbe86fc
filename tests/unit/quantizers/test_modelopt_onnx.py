"""Model Optimizer on ONNX graphs: weights as promised, and what cannot be made refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.seam import Base
from harness.quantizers import graph_check
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.modelopt_layers import default_strategy, promises
from harness.quantizers.modelopt_onnx import QUANTIZER, _check_providers, check, save
from harness.quantizers.modelopt_options import ModeloptOptions
from harness.quantizers.ort_genai import QUANTIZER as BUILDER
from tests.unit.quantizers.conftest import made

FEW = {"calib_size": 2, "block_size": 32}
REST = {"float32 gather": 1, "float32 matmul": 1}


def logits(folder: Path) -> Any:
    import numpy as np
    import onnxruntime_genai as og

    opened = og.Model(str(folder))
    parameters = og.GeneratorParams(opened)
    parameters.set_search_options(max_length=70)
    generator = og.Generator(opened, parameters)
    generator.append_tokens(np.arange(33, 93, dtype=np.int32))
    return generator.get_output("logits")


def distance(one: Path, other: Path) -> float:
    import numpy as np

    first, second = logits(one), logits(other)
    return float(np.abs(first - second).mean() / np.abs(second).mean())


@pytest.mark.parametrize(
    ("options", "layers", "codes"),
    [
        ({"algo": "rtn_dq"}, {"int4 b32 dq": 20}, set()),
        ({"algo": "rtn"}, {"int4 b32 qdq": 20}, {"rtn-block-attributes"}),
        ({"algo": "rtn_dq", "block_size": -1}, {"int4 channel dq": 20}, set()),
        ({"algo": "rtn_dq", "enable_mixed_quant": True}, {"int4 b32 dq": 16, "int8 channel dq": 4}, set()),
        ({"algo": "rtn_dq", "layers_8bit": "layers.1,down_proj"}, {"int4 b32 dq": 12, "int8 channel dq": 8}, set()),
        ({"algo": "awq_lite"}, {"int4 b32 dq": 20}, {"awq-without-cupy"}),
        ({"algo": "awq_clip"}, {"int4 b32 dq": 20}, set()),
        ({"algo": "awq_full"}, {"int4 b32 dq": 20}, {"awq-without-cupy"}),
        ({"algo": "awq_lite", "layers_8bit": "MatMul"}, {"int8 channel dq": 20}, {"awq-without-cupy"}),
        (
            {"algo": "awq_lite", "use_zero_point": True, "use_column_major": True, "layers_8bit": "down_proj"},
            {"uint4 b32 dq": 16, "uint8 channel dq": 4},
            {"awq-without-cupy", "column-major-axis", "zero-point-shape"},
        ),
    ],
)
def test_each_method_makes_the_weights_that_it_promises_and_runs(
    options: dict[str, Any], layers: dict[str, int], codes: set[str], byte_model: Path, fp32_export: Path,
    calibration_file: Path, tmp_path: Path,
) -> None:  # fmt: skip
    given = FEW | options | ({"dataset": str(calibration_file)} if options["algo"].startswith("awq") else {})
    if not options["algo"].startswith("awq"):
        given.pop("calib_size")
    out, built = made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, given)
    check_folder(out, "ort-genai")
    assert built.layers == REST | layers
    assert {note.code for note in built.notes} == codes
    far = distance(out, fp32_export)
    assert 0 < far < (0.03 if "MatMul" in str(options.get("layers_8bit")) else 0.4)
    assert list((tmp_path / "run").iterdir()) == []


def stored_weights(folder: Path) -> dict[str, Any]:
    """Compute the weights that an rtn_dq graph multiplies with, by node."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(folder / "model.onnx").graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {node.output[0]: node for node in graph.node}
    found = {}
    for node in graph.node:
        if node.op_type != "MatMul":
            continue
        if node.input[1] in constants:
            found[node.name] = numpy_helper.to_array(constants[node.input[1]])
            continue
        inputs = producers[node.input[1]].input
        size = next((item.i for item in producers[node.input[1]].attribute if item.name == "block_size"), 0)
        weight = numpy_helper.to_array(constants[inputs[0]]).astype(np.float32)
        scale = numpy_helper.to_array(constants[inputs[1]])
        found[node.name] = weight * (np.repeat(scale, size, axis=0)[: len(weight)] if size else scale)
    return found


def test_stored_weights_are_the_bases_weights_rounded(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    import numpy as np

    options = {"algo": "rtn_dq", "block_size": 32, "enable_mixed_quant": True}
    out, _ = made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, options)
    exact, rounded = stored_weights(fp32_export), stored_weights(out)
    for node, weight in exact.items():
        error = float(np.linalg.norm(rounded[node] - weight) / np.linalg.norm(weight))
        eight = node in default_strategy(list(exact))
        assert error == 0 if node == "/lm_head/MatMul" else error < 0.01 if eight else 0.05 < error < 0.12


def test_rtn_and_rtn_dq_compute_the_same(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    base = Base(fp32_export, "ort-genai", byte_model)
    stored, _ = made(QUANTIZER, base, tmp_path / "stored", {"algo": "rtn_dq", "block_size": 64})
    rounded, _ = made(QUANTIZER, base, tmp_path / "rounded", {"algo": "rtn", "block_size": 64})
    assert distance(stored, rounded) < 1e-2


@pytest.mark.slow
def test_awq_built_twice_gives_the_same_content(
    byte_model: Path, fp32_export: Path, calibration_file: Path, tmp_path: Path
) -> None:
    base = Base(fp32_export, "ort-genai", byte_model)
    options = FEW | {"algo": "awq_full", "dataset": str(calibration_file), "enable_mixed_quant": True}
    first, _ = made(QUANTIZER, base, tmp_path / "first", options)
    second, _ = made(QUANTIZER, base, tmp_path / "second", options)
    assert folder_sha256(first) == folder_sha256(second)


@pytest.mark.slow
def test_alpha_step_has_no_effect_and_the_record_says_so(
    byte_model: Path, fp32_export: Path, calibration_file: Path, tmp_path: Path
) -> None:
    base = Base(fp32_export, "ort-genai", byte_model)
    options = FEW | {"algo": "awq_lite", "dataset": str(calibration_file)}
    plain, _ = made(QUANTIZER, base, tmp_path / "plain", options)
    stepped, built = made(QUANTIZER, base, tmp_path / "stepped", options | {"awqlite_alpha_step": 0.5})
    fast, _ = made(QUANTIZER, base, tmp_path / "fast", options | {"enable_fast_path_using_high_sysram": True})
    assert folder_sha256(plain) == folder_sha256(fast)
    assert folder_sha256(plain) == folder_sha256(stepped)
    assert any(note.code == "no-effect" and "awqlite_alpha_step" in note.text for note in built.notes)


@pytest.mark.parametrize(("axis", "size"), [(0, 32), (1, 64)])
@pytest.mark.parametrize("algo", ["rtn", "rtn_dq"])
def test_the_embedding_is_quantized_where_asked(
    axis: int, size: int, algo: str, byte_model: Path, fp32_export: Path, tmp_path: Path
) -> None:
    options = {"algo": algo, "block_size": 32, "gather_quantize_axis": axis, "gather_block_size": size}
    out, built = made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, options)
    assert built.layers[f"int4 b{size} gather"] == 1
    assert distance(out, fp32_export) < 0.5


def test_a_pattern_that_matches_nothing_is_an_error(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    options = {"algo": "rtn_dq", "layers_8bit": "layers.1,down"}
    with pytest.raises(HarnessError, match="pattern 'down' of layers_8bit matches no layer"):
        made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, options)
    assert list((tmp_path / "out").iterdir()) == []


def test_one_layer_left_in_fp32_fails_with_its_name(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    """A mutation: one MatMul reads the base's float weights again instead of the dequantized ones."""
    import onnx

    out, _ = made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, {"algo": "rtn_dq", "block_size": 32})
    before = graph_check.read_weights(graph_check.load_graph(fp32_export / "model.onnx"), "base")
    promised = promises(ModeloptOptions(algo="rtn_dq", block_size=32), graph_check.matmuls(before))
    check(out / "model.onnx", promised)
    base, graph = onnx.load(fp32_export / "model.onnx"), onnx.load(out / "model.onnx")
    name = "/model/layers.3/attn/o_proj/MatMul"
    original = next(node for node in base.graph.node if node.name == name)
    node = next(node for node in graph.graph.node if node.name == name)
    node.input[1] = original.input[1]
    graph.graph.initializer.append(next(item for item in base.graph.initializer if item.name == original.input[1]))
    mutated = tmp_path / "mutated"
    mutated.mkdir()
    save(graph, mutated / "model.onnx")
    with pytest.raises(
        HarnessError, match=rf"layer '{name}' of model.onnx has float32 matmul weights where int4/uint4 b32"
    ):
        check(mutated / "model.onnx", promised)
    node.name = "renamed"
    save(graph, tmp_path / "renamed.onnx")
    with pytest.raises(HarnessError, match=f"'{name}' of the base has no weights"):
        check(tmp_path / "renamed.onnx", promised)


def test_an_existing_output_file_is_refused(fp32_export: Path, tmp_path: Path) -> None:
    import onnx

    graph = onnx.load(fp32_export / "model.onnx")
    save(graph, tmp_path / "model.onnx")
    with pytest.raises(HarnessError, match="exists already"):
        save(graph, tmp_path / "model.onnx")


def test_a_quantized_base_is_refused(byte_model: Path, tmp_path: Path) -> None:
    base, _ = made(BUILDER, Base(byte_model, "hf", byte_model), tmp_path / "base", {"precision": "int4"})
    with pytest.raises(HarnessError, match="quantized already"):
        made(QUANTIZER, Base(base, "ort-genai", byte_model), tmp_path, {"algo": "rtn_dq"})


def test_a_calibration_text_that_is_too_short_is_an_error(
    byte_model: Path, fp32_export: Path, calibration_file: Path, tmp_path: Path
) -> None:
    options = {"algo": "awq_lite", "dataset": str(calibration_file), "calib_size": 100}
    with pytest.raises(HarnessError, match="calib_size is 100"):
        made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, options)


def test_a_hub_set_that_cannot_be_reached_is_an_error_and_no_other_text_is_taken(
    byte_model: Path, fp32_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HarnessError, match="could not be read from the hub"):
        made(QUANTIZER, Base(fp32_export, "ort-genai", byte_model), tmp_path, {"algo": "awq_lite", "dataset": "cnn"})


def test_documents_are_padded_to_the_longest_and_masked(fp32_export: Path, tmp_path: Path) -> None:
    from harness.quantizers.modelopt_calibration import calibration_reader

    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "abc"}\n{"text": "abcdef"}\n{"text": "a"}\n', encoding="utf-8")
    options = ModeloptOptions(algo="awq_lite", dataset=str(texts), calib_size=3, batch_size=2)
    reader, notes, facts = calibration_reader(fp32_export, graph_check.load_graph(fp32_export / "model.onnx"), options)
    batch = reader.get_next()
    assert batch is not None
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert batch["past_key_values.0.key"].shape == (2, 1, 0, 64)
    assert set(batch) == {value.name for value in graph_check.load_graph(fp32_export / "model.onnx").graph.input}
    assert reader.get_next() is None
    reader.rewind()
    assert reader.get_next() is reader.get_first()
    assert (facts["texts"], facts["batches"], notes) == (3, 1, [])


def test_a_calibration_text_that_was_normalised_says_so(fp32_export: Path, tmp_path: Path) -> None:
    from harness.quantizers.modelopt_calibration import calibration_reader

    graph, rows = graph_check.load_graph(fp32_export / "model.onnx"), []
    for name, ends in (("lf.txt", b"\n"), ("crlf.txt", b"\r\n")):
        (tmp_path / name).write_bytes(b"the cat sat on the mat" + ends + b"and looked at the dog" * 400)
        options = ModeloptOptions(algo="awq_lite", dataset=str(tmp_path / name), calib_size=2, batch_size=1)
        reader, notes, _ = calibration_reader(fp32_export, graph, options)
        rows.append((reader.get_first()["input_ids"].tolist(), [(note.code, note.text) for note in notes]))
    assert rows[0][0] == rows[1][0]
    assert rows[0][1] == []
    assert rows[1][1] == [("normalized-text", "text 'crlf.txt': line ends CR or CRLF read as LF")]


def test_a_provider_that_falls_back_to_the_cpu_fails_before_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a CUDA library cannot be loaded: ONNX Runtime says so in its log and runs on the CPU."""
    import onnxruntime

    _check_providers(ModeloptOptions(algo="awq_lite"))
    done: list[str] = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: done.append("libraries"), raising=False)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda graph, providers: real(graph, providers=["CPUExecutionProvider"])
    )
    with pytest.raises(HarnessError, match="calibration_eps cuda was asked for, but onnxruntime runs on CPUExecution"):
        _check_providers(ModeloptOptions(algo="awq_lite", calibration_eps=("cuda",)))
    assert done == ["libraries"]
