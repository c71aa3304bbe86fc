"""What holds on a CUDA device: the device asked for runs, agrees with the CPU, and its memory is counted.

The harness's own environment has no CUDA; on a machine with a GPU: `.venvs/cuda/bin/python -m pytest -m gpu tests/gpu`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import process_memory
from harness.core.sessions import GenerationWorkload, Request
from harness.engines import ort_genai, ort_genai_opening, torch_loading, transformers
from tests.tiny_model import write_model

pytestmark = pytest.mark.gpu

IDS = np.random.default_rng(0).integers(2, 320, 600).tolist()
REQUESTS = [Request(tuple(IDS[:length]), (5, 6)) for length in (3, 40, 200, 500)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device is here")
    return write_model(tmp_path_factory.mktemp("gpu") / "hf")


@pytest.fixture(scope="module")
def artifact(model: Path) -> Path:
    from tests.tiny_model import export

    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA")
    export(model, (model.parent / "fp32", "fp32", []), provider="cuda")
    return model.parent / "fp32"


def rows(session: Any) -> Any:
    return np.concatenate([tile.logprobs.copy() for tile in session.logprobs(IDS, range(len(IDS)))])


def test_torch_on_cuda_agrees_with_torch_on_the_cpu(model: Path) -> None:
    with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
        expected, scores = rows(session), session.score(REQUESTS)
    with transformers.open_artifact(model, torch_loading.TransformersOptions(device="cuda")) as session:
        assert session.provider == "cuda"
        assert np.abs(rows(session) - expected).max() < 1e-3
        for found, score in zip(session.score(REQUESTS), scores, strict=True):
            assert found.logprob == pytest.approx(score.logprob, abs=1e-3)


def test_torch_generation_waits_for_the_device_and_counts_its_memory(model: Path) -> None:
    sampler = process_memory.MemorySampler().start()
    with transformers.open_artifact(
        model, torch_loading.TransformersOptions(device="cuda", dtype="float16")
    ) as session:
        trace = session.generate(GenerationWorkload(1, (tuple(IDS[:64]),), 16, 1, 2), lambda share: None)
    seen = sampler.stop()
    assert trace.peak_torch_bytes is not None
    assert trace.peak_torch_bytes > 100_000
    assert (trace.steps > 0).all()
    assert seen.device is not None
    assert seen.samples > 0


@pytest.mark.parametrize(
    ("name", "given", "near"),
    [("bitsandbytes", {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, 0.2), ("torch-fp8", {"activations": False}, 0.2),
     ("bitsandbytes", {"load_in_8bit": True, "dtype": "float16"}, 0.1), ("torch-fp8", {}, 0.3)],
)  # fmt: skip
def test_quantized_checkpoints_on_cuda_agree_with_the_cpu_and_take_less_memory(
    name: str, given: dict[str, Any], near: float, model: Path, tmp_path: Path
) -> None:
    import torch

    from harness.core.options import validated
    from harness.core.registry import load
    from harness.core.seam import Base, Context
    from harness.quantizers import QUANTIZERS

    if name == "bitsandbytes":
        pytest.importorskip("bitsandbytes")
    elif given == {} and torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("this GPU cannot multiply in FP8")
    quantizer = load(QUANTIZERS, "quantizer", name)
    made = tmp_path / "made"
    made.mkdir()
    quantizer.build(Base(model, "hf", model), validated(quantizer.options, given, name), made, Context(tmp_path))
    with transformers.open_artifact(made, torch_loading.TransformersOptions(threads=1)) as session:
        expected = rows(session)
    work = GenerationWorkload(1, (tuple(IDS[:64]),), 16, 1, 2)
    with transformers.open_artifact(made, torch_loading.TransformersOptions(device="cuda")) as session:
        assert session.provider == "cuda"
        assert np.abs(np.exp(rows(session)) - np.exp(expected)).max() < near
        trace = session.generate(work, lambda share: None)
    assert (trace.steps > 0).all()
    assert trace.peak_torch_bytes is not None
    floats = torch_loading.TransformersOptions(device="cuda", dtype="float32")
    with transformers.open_artifact(model, floats) as session:
        whole = session.generate(work, lambda share: None).peak_torch_bytes
    assert whole is not None
    assert trace.peak_torch_bytes < whole


def test_onnxruntime_on_cuda_agrees_with_torch(model: Path, artifact: Path) -> None:
    with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
        expected, scores = rows(session), session.score(REQUESTS)
    options = ort_genai_opening.OrtGenaiEngineOptions(provider="cuda", provider_options={"use_tf32": "0"})
    with ort_genai.open_artifact(artifact, options) as session:
        assert np.abs(rows(session) - expected).max() < 1e-3
        for found, score in zip(session.score(REQUESTS), scores, strict=True):
            assert found.logprob == pytest.approx(score.logprob, abs=1e-3)
        trace = session.generate(
            GenerationWorkload(2, (tuple(IDS[:64]), tuple(IDS[64:128])), 16, 1, 2), lambda share: None
        )
        assert trace.steps.shape == (2, 15)
        assert session.provider == "cuda"


_ALONE = """
import sys
from pathlib import Path
from harness.core.sessions import GenerationWorkload
from harness.engines.ort_genai import open_artifact
from harness.engines.ort_genai_opening import OrtGenaiEngineOptions
with open_artifact(Path(sys.argv[1]), OrtGenaiEngineOptions(provider="cuda")) as session:
    if sys.argv[2] == "generate":
        trace = session.generate(GenerationWorkload(1, (tuple(range(2, 34)),), 8, 1, 2), lambda share: None)
        assert trace.steps.shape == (2, 7), trace.steps.shape
    else:
        assert len(session.greedy(list(range(2, 34)), 4)) == 4
    assert session.provider == "cuda"
assert "torch" not in sys.modules, "torch loads CUDA's libraries: this proves nothing with it"
"""


@pytest.mark.parametrize("use", ["generate", "score"])
def test_the_libraries_of_cuda_are_found_without_torch(artifact: Path, use: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE, str(artifact), use],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_calibration_runs_on_cuda_or_says_so(artifact: Path) -> None:
    from harness.quantizers.modelopt_onnx import _check_providers
    from harness.quantizers.modelopt_options import ModeloptOptions

    _check_providers(ModeloptOptions(algo="awq_lite", calibration_eps=("cuda",)))
