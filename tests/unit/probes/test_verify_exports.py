"""The check of a float export with real exports, right ones and some that were made wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import Differs
from harness.core.seam import ProbeResult
from harness.probes.verify import MAX_DLOGP, Workload
from harness.probes.verify_reference import open_truth
from tests.tiny_model import export, write_model
from tests.unit.probes.export_check import held, truth_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with its fp32 export, exports of the same weights under another configuration, and changed graphs."""
    folder = tmp_path_factory.mktemp("verify")
    model = write_model(folder / "model", seed=3)
    export(model, (folder / "right", "fp32", []))
    export(_configured(model, folder / "theta", rope_theta=20000.0), (folder / "other-theta", "fp32", []))
    _edit(folder, "scale", _scaled)
    _edit(folder, "layer", _perturbed)
    _store_truth(model, folder / "truth")
    return folder


def _configured(model: Path, folder: Path, **more: Any) -> Path:
    """Copy a model with other words in its configuration."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **more}), "utf-8")
    return folder


def _store_truth(model: Path, folder: Path) -> Path:
    from harness.engines import torch_loading, transformers

    with transformers.open_artifact(model, torch_loading.TransformersOptions(attention="eager")) as session:
        return truth_of(session, folder)


def _edit(folder: Path, name: str, change: Any) -> None:
    """Copy the right export with a changed graph."""
    import onnx

    shutil.copytree(folder / "right", folder / name)
    graph = onnx.load(folder / name / "model.onnx")
    change(graph)
    for path in (folder / name).glob("model.onnx*"):
        path.unlink()
    onnx.save(graph, folder / name / "model.onnx")


def _scaled(model: Any) -> None:
    """Make the attention's scores 2 % larger than they should be, in one layer."""
    import onnx

    node = next(node for node in model.graph.node if node.op_type == "GroupQueryAttention")
    scale = next((one for one in node.attribute if one.name == "scale"), None)
    value = scale.f if scale is not None and scale.f else 16**-0.5
    kept = [one for one in node.attribute if one.name != "scale"]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("scale", 1.02 * value)])


def _perturbed(model: Any) -> None:
    """Change one weight matrix of one layer by 1 %."""
    import onnx

    weight = next(one for one in model.graph.initializer if "layers.1.mlp.down_proj" in one.name)
    values = onnx.numpy_helper.to_array(weight)
    rough = 1 + 0.01 * np.random.default_rng(0).standard_normal(values.shape)
    weight.CopyFrom(onnx.numpy_helper.from_array((values * rough).astype(values.dtype), weight.name))


def _verified(folder: Path, name: str, truth: str = "truth") -> ProbeResult:
    from harness.engines import ort_genai, ort_genai_opening

    with ort_genai.open_artifact(folder / name, ort_genai_opening.OrtGenaiEngineOptions()) as session:
        return held(session, folder / truth)


@pytest.mark.slow
def test_a_right_export_and_the_model_on_torch_are_their_model(made: Path) -> None:
    from harness.engines import torch_loading, transformers

    far = {reading.metric: reading.value for reading in _verified(made, "right").values}
    assert far["verify_max_dlogp"] < MAX_DLOGP / 5
    assert far["verify_top1"] == 1.0
    with transformers.open_artifact(made / "model", torch_loading.TransformersOptions()) as session:
        held(session, made / "truth", Workload(form="source"))
    for dtype in ("float16", "bfloat16"):
        options = torch_loading.TransformersOptions(dtype=dtype)
        with transformers.open_artifact(made / "model", options) as session:
            native = truth_of(session, made / f"truth-{dtype}")
            held(session, made / "truth", Workload(dtype=dtype, form="source"), native)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("other-theta", 0.001), ("scale", 1e-7), ("layer", 1e-6)])
def test_an_export_that_was_made_wrong_is_told_with_a_sensible_divergence(made: Path, name: str, least: float) -> None:
    with pytest.raises(Differs, match="the fp32 export differs from its model") as told:
        _verified(made, name)
    piece = told.value.protocol.facts["pieces"][0]
    assert piece["max_dlogp"] > MAX_DLOGP
    truth = open_truth(made / "truth").sequences[0]
    assert piece["kl"] == pytest.approx(_independent(made / name, truth), rel=0.02)
    assert least < piece["kl"] < 5


@pytest.mark.slow
def test_what_the_builder_alone_makes_of_scaled_rotary_embeddings_is_right_or_told(made: Path) -> None:
    """The builder of 0.15 leaves linear scaling out; one that does not is told to be right."""
    scaling = {"rope_type": "linear", "factor": 4.0}
    model = _configured(made / "model", made / "linear", rope_scaling=scaling)
    export(model, (made / "linear-export", "fp32", []))
    truth = open_truth(_store_truth(model, made / "linear-truth")).sequences[0]
    right = _independent(made / "linear-export", truth) < 1e-8
    assert _is_told(made, "linear-export", "linear-truth") != right


def _is_told(folder: Path, name: str, truth: str) -> bool:
    try:
        _verified(folder, name, truth)
    except Differs:
        return True
    return False


def _independent(folder: Path, sequence: Any) -> float:
    """Compute the KL-divergence by one plain run of the graph, float64 sums by hand."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    ids = np.asarray([sequence.ids], dtype=np.int64)
    feeds: dict[str, Any] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    for item in session.get_inputs():
        if item.name.startswith("past_key_values"):
            feeds[item.name] = np.zeros((1, 2, 0, 16), dtype=np.float32)
        elif item.name == "position_ids":
            feeds[item.name] = np.arange(ids.shape[1])[None]
    logits = session.run(["logits"], feeds)[0][0][list(sequence.positions)].astype(np.float64)
    ours = (
        logits
        - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        - logits.max(1, keepdims=True)
    )
    theirs = np.asarray(sequence.logprobs, dtype=np.float64)
    return float((np.exp(theirs) * (theirs - ours)).sum(1).mean())


@pytest.mark.slow
def test_a_long_pass_in_fused_attention_gives_the_same(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines import torch_loading, transformers, whole

    ids, positions = list(range(2, 200)), [0, 100, 197]
    with transformers.open_artifact(made / "model", torch_loading.TransformersOptions(attention="eager")) as session:
        plain = session.whole(ids, positions)
        monkeypatch.setattr(whole, "EAGER_BYTES", 0)
        used = []
        config = session._forward.model.config
        monkeypatch.setattr(whole, "_demands_eager", lambda *_: used.append(config._attn_implementation) or False)
        fused = session.whole(ids, positions)
        assert used == ["eager"]
        assert config._attn_implementation == "eager", "it is as it was"
    assert plain.shape == fused.shape == (3, 320)
    assert np.abs(plain - fused).max() < 1e-4
    assert not np.array_equal(plain, fused), "other kernels round otherwise"
