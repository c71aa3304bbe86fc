"""Pictures: seconds of whole and step, distances that tell a broken quantization, folders that are refused. Needs environment `diffusers`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.capabilities import check_session
from harness.core.errors import HarnessError
from harness.core.model_record import read_record
from harness.core.painting import Painting, Picture
from harness.core.pipelines import PIPELINE, denoiser_of, lacking_part
from harness.core.seam import Context, Facts
from harness.engines import diffusers, transformers
from harness.engines.torch_loading import TransformersOptions
from harness.probes import image, image_distance
from harness.quantizers import modelopt_diffusers


@dataclass
class Painter:
    """Paints noise of a seed, a constant away from it where it is told so."""

    away: int = 0
    asked: list[Painting] = field(default_factory=list)
    provider: str = "cpu"
    dtype: str = "float32"
    load_seconds: float = 0.5
    notes: tuple[Any, ...] = ()

    def paint(self, asked: Painting) -> Picture:
        self.asked.append(asked)
        noise = np.random.default_rng(asked.seed).integers(0, 200, (asked.height, asked.width, 3)) + self.away
        return Picture(noise.astype(np.uint8), 2.0 + asked.seed, np.full(asked.steps, 0.25))


SMALL = {"width": 24, "height": 16, "steps": 4}


def folder(tmp_path: Path, denoiser: str = "unet") -> Path:
    """Make a folder that looks like a pipeline's."""
    made = tmp_path / "pipeline"
    parts = {denoiser: ["diffusers", "Denoiser"], "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [None, None]}
    for name in (denoiser, "vae"):
        (made / name).mkdir(parents=True)
        (made / name / "config.json").write_text("{}", "utf-8")
        (made / name / "diffusion_pytorch_model.safetensors").write_bytes(b"x")
    (made / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", **parts}), "utf-8")
    return made


@pytest.mark.parametrize("name", ["unet", "transformer"])
def test_a_pipeline_is_recorded_as_such(tmp_path: Path, name: str) -> None:
    made = folder(tmp_path, name)
    assert (denoiser_of(made), lacking_part(made)) == (name, None)
    record = read_record(made)
    assert record is not None
    assert (record.model_type, record.architecture) == (PIPELINE, "StableDiffusionPipeline")
    facts = Facts({"diffusers": "0.39.0", "torch": "2.13.0", "transformers": "4.57.6"}, "Linux")
    assert diffusers.refuse_no_pipeline(record) is None
    assert modelopt_diffusers.refuse_no_pipeline(record) is None
    assert transformers.refuse_model(TransformersOptions(), facts, record), "no language model"


def test_a_pipeline_without_a_part_is_refused_by_its_name(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert lacking_part(made) == "weights in unet (*.safetensors)"
    shutil.rmtree(made / "vae")
    assert lacking_part(made) == "vae, a part that model_index.json names"
    shutil.rmtree(made / "unet")
    assert str(lacking_part(made)).startswith("unet or transformer")
    with (
        pytest.raises(HarnessError, match="has no unet or transformer"),
        diffusers.ENGINE.open(made, diffusers.DiffusersOptions()),
    ):
        pass


def test_what_cannot_run_is_said_in_the_plan() -> None:
    bare = Facts({"torch": "2.13.0"}, "Linux", name="cpu")
    there = Facts(
        {"diffusers": "1", "torch": "2.13", "transformers": "4", "nvidia-modelopt": "0.47"}, "Linux", name="diffusers"
    )
    assert "take environment diffusers" in str(diffusers.refuse(diffusers.DiffusersOptions(), bare))
    assert "take environment diffusers" in str(
        modelopt_diffusers.refuse(modelopt_diffusers.ModeloptDiffusersOptions(), bare)
    )
    assert "needs an NVIDIA GPU" in str(diffusers.refuse(diffusers.DiffusersOptions(device="cuda"), there))
    assert "needs an NVIDIA GPU" in str(
        modelopt_diffusers.refuse(modelopt_diffusers.ModeloptDiffusersOptions(device="cuda"), there)
    )
    assert modelopt_diffusers.refuse(modelopt_diffusers.ModeloptDiffusersOptions(), there) is None
    assert "scikit-image is not installed" in str(image_distance.PROBE.refuse(image_distance.ComparedImages(), there))


def test_whole_and_step_are_metrics_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    session = Painter()
    check_session(session, {"paints"}, "painter")
    found = image.measure(session, image.TimedImages(**SMALL, repetitions=2), Context(tmp_path))
    assert {one.metric: one.value for one in found.values} == {
        "image_latency": 9.5,
        "image_step_latency": 0.25,
        "load_seconds": 0.5,
    }
    assert [one.seed for one in session.asked] == [7, 7, 8], "one warm-up"
    assert found.protocol.name == "image-24x16-4"
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["seed-7.png", "seed-8.png"]


def test_distances_are_those_of_their_formulas(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    asked = image_distance.ComparedImages(**SMALL, pictures=2)
    same = image_distance.measure(Painter(), asked, Context(tmp_path, reference_session=Painter()))
    assert {one.metric: one.value for one in same.values} == {"psnr": 100.0, "ssim": 1.0}
    away = image_distance.measure(Painter(away=10), asked, Context(tmp_path, reference_session=Painter()))
    values = {one.metric: one.value for one in away.values}
    assert values["psnr"] == pytest.approx(20 * np.log10(25.5))
    assert 0.9 < values["ssim"] < 1.0
    assert len(list((tmp_path / "pictures").iterdir())) == 4
    with pytest.raises(HarnessError, match="none was opened"):
        image_distance.measure(Painter(), asked, Context(tmp_path))
    other: Any = object()
    with pytest.raises(HarnessError, match="engine 'transformers' offers 'paints', and what it opened has no paint"):
        image_distance.measure(
            Painter(), asked, Context(tmp_path, reference_session=other, reference_engine="transformers")
        )


def test_a_layer_that_stayed_in_floats_is_named() -> None:
    there = {"a": "weights int8, inputs int8", "b": "weights int8"}
    with pytest.raises(HarnessError, match="layer 'b' should be weights int8, inputs int8, and is weights int8"):
        modelopt_diffusers.refuse_floats(there, ["a", "b"], "INT8_DEFAULT_CFG")
    with pytest.raises(HarnessError, match="layer 'b' should stay in floats"):
        modelopt_diffusers.refuse_floats(there, ["a"], "INT8_DEFAULT_CFG")
    with pytest.raises(HarnessError, match="layer 'a' should be weights fp8"):
        modelopt_diffusers.refuse_floats(there, ["a"], "FP8_DEFAULT_CFG")
