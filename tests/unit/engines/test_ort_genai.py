from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.options import canonical_options
from harness.core.seam import Facts
from harness.core.sessions import GenerationWorkload
from harness.engines import onnx_scores
from harness.engines.ort_genai import ENGINE, open_artifact
from harness.engines.ort_genai_opening import OrtGenaiEngineOptions, _check_device, _open_model, refuse


def work(
    prompt: int = 20, output: int = 6, batch: int = 2, sampling: dict[str, float] | None = None
) -> GenerationWorkload:
    ids = np.random.default_rng(1).integers(2, 320, (batch, prompt)).tolist()
    return GenerationWorkload(batch, tuple(tuple(row) for row in ids), output, 1, 3, sampling)


def broken(tiny: Path, out: Path, name: str, content: bytes | None) -> Path:
    shutil.copytree(tiny / "fp32", out)
    if content is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(content)
    return out


@pytest.mark.parametrize("sampling", [None, {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "seed": 7}])
def test_every_step_of_every_repetition_is_timed(tiny: Path, sampling: dict[str, float] | None) -> None:
    told: list[float] = []
    with open_artifact(tiny / "fp32", OrtGenaiEngineOptions(threads=1)) as session:
        trace = session.generate(work(sampling=sampling), told.append)
        assert session.load_seconds > 0
        assert session.dtype == "float32"
        assert trace.facts["sampled_from"] == "before load"
        assert session.generate(work(), lambda share: None).facts["sampled_from"] == "after load"
    assert trace.steps.shape == (3, 5)
    assert trace.prefill.shape == trace.first_token.shape == trace.total.shape == (3,)
    assert (trace.steps > 0).all()
    assert (trace.total >= trace.prefill + trace.first_token + trace.steps.sum(axis=1)).all()
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_one_token_of_output_has_no_further_steps(tiny: Path) -> None:
    with open_artifact(tiny / "fp32", OrtGenaiEngineOptions(threads=1)) as session:
        assert session.generate(work(output=1), lambda share: None).steps.shape == (3, 0)


def test_generating_does_not_open_the_scoring_session_nor_the_other_way_round(tiny: Path) -> None:
    with open_artifact(tiny / "fp32", OrtGenaiEngineOptions(threads=1)) as session:
        session.generate(work(), lambda share: None)
        assert "_forward" not in session.__dict__
    with open_artifact(tiny / "fp32", OrtGenaiEngineOptions(threads=1)) as session:
        session.greedy([1, 2], 1)
        assert session.load_seconds > 0
        assert session.dtype == "float32"
        assert "_model" not in session.__dict__


def test_work_beyond_the_context_is_refused(tiny: Path) -> None:
    with (
        open_artifact(tiny / "fp32", OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(HarnessError, match="prompt 1000 and output 100 do not fit the context of 1024"),
    ):
        session.generate(work(prompt=1000, output=100), lambda share: None)


def test_a_provider_that_is_not_there_is_an_error_not_a_fallback(tiny: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with (
        pytest.raises(HarnessError, match="provider cuda is not in this onnxruntime"),
        open_artifact(tiny / "fp32", OrtGenaiEngineOptions(provider="cuda")),
    ):
        pass


class Recorder:
    """Stands for a runtime; notes what is asked of it, in order."""

    def __init__(self, device: str = "CPU", provider: str = "CPUExecutionProvider") -> None:
        self.said: list[Any] = []
        self.device, self.provider = device, provider

    def preload(self, *given: Any, **named: Any) -> None:
        self.said.append("libraries")

    def session(self, path: str, settings: Any, providers: Any) -> Recorder:
        self.said.append(("session", settings))
        return self

    def get_providers(self) -> list[str]:
        return [self.provider, "CPUExecutionProvider"]

    def Config(self, folder: str) -> Recorder:
        return self

    def clear_providers(self) -> None:
        pass

    def append_provider(self, name: str) -> None:
        pass

    def Model(self, config: Any) -> Recorder:
        self.said.append("model")
        return self

    @property
    def device_type(self) -> str:
        return self.device


def recorded(monkeypatch: pytest.MonkeyPatch, provider: str, device: str) -> Recorder:
    import onnxruntime

    name = onnx_scores.PROVIDERS[provider]
    recorder = Recorder(device, name)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [name, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", recorder.preload, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", recorder.session)
    return recorder


@pytest.mark.parametrize(
    ("provider", "device", "loads"),
    [("cpu", "CPU", []), ("cuda", "CUDA", ["libraries"]), ("dml", "DirectML", []),
     ("NvTensorRtRtx", "NvTensorRtRtx", ["libraries"])],
)  # fmt: skip
def test_the_libraries_of_cuda_are_loaded_before_anything_is_opened_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Any, device: str, loads: list[str]
) -> None:
    recorder = recorded(monkeypatch, provider, device)
    _open_model(recorder, tmp_path, OrtGenaiEngineOptions(provider=provider))
    assert recorder.said == [*loads, "model"]
    recorder.said.clear()
    onnx_scores.open_raw(tmp_path, {"decoder": {"filename": "model.onnx"}}, provider, {}, None)
    assert recorder.said[:-1] == loads
    assert recorder.said[-1][0] == "session"


def test_directml_gets_sequential_execution_without_memory_patterns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    recorder = recorded(monkeypatch, "dml", "DirectML")
    onnx_scores.open_raw(tmp_path, {"decoder": {"filename": "model.onnx"}}, "dml", {}, 2)
    ((_, settings),) = recorder.said
    assert settings.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert not settings.enable_mem_pattern


@pytest.mark.parametrize(("provider", "device"), [("dml", "WebGPU"), ("NvTensorRtRtx", "CUDA"), ("cuda", "CPU")])
def test_a_device_of_another_provider_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Any, device: str
) -> None:
    recorder = recorded(monkeypatch, provider, device)
    with pytest.raises(HarnessError, match=f"asked for {provider}, but onnxruntime-genai opened the model on {device}"):
        _open_model(recorder, tmp_path, OrtGenaiEngineOptions(provider=provider))


def test_the_generator_refuses_a_device_that_is_not_the_one_asked_for() -> None:
    _check_device("CPU", "cpu")
    with pytest.raises(HarnessError, match="asked for cuda, but onnxruntime-genai opened the model on CPU"):
        _check_device("CPU", "cuda")


def test_a_graph_with_the_last_logits_only_is_refused_with_the_remedy(tiny: Path) -> None:
    with (
        open_artifact(tiny / "pruned", OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(HarnessError, match="build it again with prune_lm_head=false"),
    ):
        session.score([])


@pytest.mark.parametrize("name", ["genai_config.json", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = broken(tiny, tmp_path / "artifact", name, None)
    with pytest.raises(HarnessError, match=rf"{name} is missing"), open_artifact(folder, OrtGenaiEngineOptions()):
        pass


@pytest.mark.parametrize(("name", "content"), [("model.onnx", b"\x08garbage"), ("model.onnx.data", None)])
def test_a_damaged_model_is_named_with_the_remedy(tiny: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    folder = broken(tiny, tmp_path / "artifact", name, content)
    with open_artifact(folder, OrtGenaiEngineOptions(threads=1)) as session:
        for use in (lambda: session.score([]), lambda: session.generate(work(), lambda share: None)):
            with pytest.raises(HarnessError, match=r"artifact.* cannot be opened by .*build it again"):
                use()


def test_a_config_that_is_no_json_is_named(tiny: Path, tmp_path: Path) -> None:
    folder = broken(tiny, tmp_path / "artifact", "genai_config.json", b"{")
    with (
        pytest.raises(HarnessError, match=r"genai_config\.json is not JSON"),
        open_artifact(folder, OrtGenaiEngineOptions()),
    ):
        pass


def test_weights_that_are_not_numbers_give_an_error_with_the_position(tiny: Path, tmp_path: Path) -> None:
    size = (tiny / "fp32" / "model.onnx.data").stat().st_size
    folder = broken(tiny, tmp_path / "artifact", "model.onnx.data", b"\xff" * size)
    with (
        open_artifact(folder, OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(HarnessError, match="non-finite"),
    ):
        session.greedy([3, 4], 1)


def test_a_symbolic_cache_dimension_comes_from_the_configuration(tiny: Path, tmp_path: Path) -> None:
    folder = broken(tiny, tmp_path / "artifact", "special_tokens_map.json", b"{}")
    config = json.loads((folder / "genai_config.json").read_text())
    config["model"]["decoder"]["head_size"] = 1
    (folder / "genai_config.json").write_text(json.dumps(config))
    with (
        open_artifact(folder, OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(HarnessError, match="onnxruntime failed"),
    ):
        session.greedy([3, 4], 1)


def test_plans_learn_why_a_provider_cannot_run() -> None:
    plain = Facts({"onnxruntime-genai": "0.15.2"}, "Linux")
    gpu = Facts({"onnxruntime-genai-cuda": "0.15.2"}, "Linux", ("NVIDIA T4",))
    assert refuse(OrtGenaiEngineOptions(), plain) is None
    assert refuse(OrtGenaiEngineOptions(provider="cuda"), gpu) is None
    assert "needs an NVIDIA GPU" in str(refuse(OrtGenaiEngineOptions(provider="cuda"), plain))
    assert "onnxruntime-genai-cuda" in str(
        refuse(OrtGenaiEngineOptions(provider="cuda"), Facts(plain.packages, "Linux", ("T4",)))
    )
    assert "Windows" in str(refuse(OrtGenaiEngineOptions(provider="dml"), plain))
    assert "directml" in str(refuse(OrtGenaiEngineOptions(provider="dml"), Facts(plain.packages, "Windows 11")))
    assert "not installed" in str(refuse(OrtGenaiEngineOptions(), Facts({}, "Linux")))


def test_default_options_leave_nothing_in_the_key() -> None:
    assert canonical_options(OrtGenaiEngineOptions()) == {}
    assert ENGINE.provider(OrtGenaiEngineOptions(provider="cuda")) == "cuda"
