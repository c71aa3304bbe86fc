"""Image pipelines step by step, without diffusers: the pipeline is played, the denoiser is a module of torch that is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.model_record import ModelRecord
from harness.core.options import problems_of
from harness.core.painting import Painting
from harness.core.pipelines import PIPELINE
from harness.core.seam import Facts
from harness.core.simulated_pipeline import STATE
from harness.engines import diffusers
from harness.engines.diffusers import ENGINE, DiffusersOptions, DiffusersSession, refuse, refuse_no_pipeline

THERE = {"diffusers": "0.39.0", "torch": "2.13.0", "transformers": "4.57.6"}
ASKED = Painting("a fox", width=6, height=4, steps=3, seed=11)


@dataclass
class PlayedPipeline:
    """Calls the denoiser as often as it is told to, and gives a picture of one value."""

    value: float = 0.5
    calls: Callable[[int], int] = lambda steps: steps
    shape: tuple[int, int] = (4, 6)
    denoiser: Any = field(default_factory=lambda: torch.nn.Linear(1, 1).to(torch.bfloat16))
    given: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **given: Any) -> Any:
        self.given = given
        for _ in range(self.calls(given["num_inference_steps"])):
            self.denoiser(torch.ones(1, dtype=torch.bfloat16))
        return SimpleNamespace(images=np.full((1, *self.shape, 3), self.value, dtype=np.float32))


def session(pipeline: PlayedPipeline) -> DiffusersSession:
    return DiffusersSession(pipeline, pipeline.denoiser, DiffusersOptions(), 0.5, {})


def test_a_picture_has_the_time_of_each_step_within_that_of_the_whole() -> None:
    pipeline = PlayedPipeline()
    opened = session(pipeline)
    picture = opened.paint(ASKED)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((4, 6, 3), np.uint8)
    assert picture.step_seconds.shape == (3,)
    assert picture.step_seconds.min() > 0
    assert picture.step_seconds.sum() < picture.seconds
    assert (opened.provider, opened.dtype) == ("cpu", "bfloat16")
    assert not pipeline.denoiser._forward_hooks
    assert not pipeline.denoiser._forward_pre_hooks, "the next picture is not timed twice"


@pytest.mark.parametrize(("value", "pixel"), [(0.0, 0), (1.0, 255), (0.5, 128), (1 / 255, 1), (-0.25, 0), (1.75, 255)])
def test_values_of_nought_to_one_become_bytes(value: float, pixel: int) -> None:
    assert np.unique(session(PlayedPipeline(value)).paint(ASKED).pixels).tolist() == [pixel]


def test_what_was_asked_for_is_passed_on_and_noise_is_drawn_on_the_cpu() -> None:
    pipeline = PlayedPipeline()
    session(pipeline).paint(ASKED)
    noise = pipeline.given.pop("generator")
    assert (noise.device.type, noise.initial_seed()) == ("cpu", 11)
    assert pipeline.given == {
        "prompt": "a fox", "width": 6, "height": 4, "num_inference_steps": 3, "output_type": "np",
    }, "guidance is the pipeline's where nobody says it"  # fmt: skip
    session(pipeline).paint(Painting("a fox", 6, 4, 3, 11, guidance=0.0))
    assert pipeline.given["guidance_scale"] == 0.0


@pytest.mark.parametrize(("pipeline", "said"), [
    (PlayedPipeline(shape=(6, 4)), "^the pipeline painted 4 x 6, and 6 x 4 was asked for: take sizes that it can make$"),
    (PlayedPipeline(calls=lambda steps: 2 * steps - 1), "^the denoiser ran 5 times for 3 steps: "),
    (PlayedPipeline(float("nan")), "^the picture has values that are no numbers: the type is too small"),
    (PlayedPipeline(float("inf")), "^the picture has values that are no numbers"),
], ids=["sizes", "steps", "nan", "inf"])  # fmt: skip
def test_a_picture_of_something_else_is_refused(pipeline: PlayedPipeline, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        session(pipeline).paint(ASKED)


@pytest.mark.parametrize("quantized", [True, False])
def test_a_quantized_denoiser_is_put_back_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantized: bool
) -> None:
    pipeline = PlayedPipeline()
    asked: list[Any] = []

    def load(*given: Any) -> tuple[Any, Any]:
        asked.append(given)
        return pipeline, pipeline.denoiser

    monkeypatch.setattr(diffusers, "_load_pipeline", load)
    monkeypatch.setattr(diffusers, "put_back", lambda denoiser, folder: {"a": "weights int8", "b": "weights int8"})
    if quantized:
        (tmp_path / STATE).touch()
    with ENGINE.open(tmp_path, DiffusersOptions(dtype="float16")) as opened:
        assert opened.load_seconds > 0
        assert len(opened.layers) == (2 if quantized else 0)
        assert [(note.code, note.text.split(":")[0]) for note in opened.notes] == (
            [("simulated", "2 layers are rounded in simulation")] if quantized else []
        )
    assert asked == [(tmp_path, "float16", "cpu")]


def test_a_folder_without_a_pipeline_is_refused_before_anything_is_imported(tmp_path: Path) -> None:
    with (
        pytest.raises(
            HarnessError, match=f"^{re.escape(str(tmp_path))} has no unet or transformer .*; get the folder again$"
        ),
        ENGINE.open(tmp_path, DiffusersOptions()),
    ):
        pass


@pytest.mark.parametrize("package", sorted(THERE))
def test_a_package_that_is_not_there_is_named_with_what_makes_it(package: str) -> None:
    facts = Facts({name: version for name, version in THERE.items() if name != package}, "Linux", name="cpu")
    assert refuse(DiffusersOptions(), facts) == (
        f"{package} is not installed in environment cpu: take environment diffusers, which `harness setup --env diffusers` makes"
    )


def test_a_gpu_is_wanted_for_cuda_alone() -> None:
    bare, gpu = Facts(THERE, "Linux"), Facts(THERE, "Linux", gpus=("NVIDIA H200",))
    cuda = DiffusersOptions(device="cuda")
    assert refuse(cuda, bare) == "device cuda needs an NVIDIA GPU, and this environment sees none"
    on_cpu = Facts({**THERE, "torch": "2.13.0+cpu"}, "Linux", gpus=("NVIDIA H200",), name="diffusers")
    assert refuse(cuda, on_cpu) == (
        "device cuda needs a CUDA build of torch, and environment diffusers has 2.13.0+cpu: take environment diffusers-cuda, which "
        "`harness setup --env diffusers-cuda` makes"
    )
    assert (refuse(cuda, gpu), refuse(DiffusersOptions(), bare)) == (None, None)
    assert (ENGINE.provider(cuda), ENGINE.provider(DiffusersOptions())) == ("cuda", "cpu")


def test_a_language_model_is_no_pipeline() -> None:
    assert refuse_no_pipeline(ModelRecord({}, PIPELINE)) is None
    assert "the model is none" in str(refuse_no_pipeline(ModelRecord({}, "llama")))
    assert ENGINE.refuse_model(DiffusersOptions(), Facts({}, "Linux"), ModelRecord({}, "llama"))


def test_its_folders_are_told_by_their_index(tmp_path: Path) -> None:
    (form,) = ENGINE.formats
    assert (form.name, form.recognizes(tmp_path)) == ("diffusers", False)
    (tmp_path / "model_index.json").write_text("{}", "utf-8")
    assert form.recognizes(tmp_path)


@pytest.mark.parametrize("option", [{"device": "cuda:1"}, {"dtype": "int8"}, {"guidance": 3}])
def test_options_that_it_does_not_have_are_refused(option: dict[str, Any]) -> None:
    assert problems_of(DiffusersOptions, option, "engine")
