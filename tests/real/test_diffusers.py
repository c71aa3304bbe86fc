"""The tiny pipeline of random weights: quantized by Model Optimizer and painted for real on this CPU, by functions and by the shipped sweep.

Where diffusers is not installed, what environment `diffusers` has more is installed beside this environment's packages, and the file runs there.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.seam import Base, Built, Context
from harness.engines.diffusers import ENGINE, DiffusersOptions
from harness.probes import image, image_distance
from harness.quantizers.modelopt_diffusers import QUANTIZER, ModeloptDiffusersOptions
from tests.conftest import ROOT
from tests.real.environments import beside
from tests.real.machine import RealMachine

HERE = importlib.util.find_spec("diffusers") is not None
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
real = pytest.mark.skipif(not HERE, reason="diffusers is not installed here; the last tests run this file where it is")
SMALL = {"width": 32, "height": 32, "steps": 4}
CONFIGS = {"int8": "INT8_DEFAULT_CFG", "fp8": "FP8_DEFAULT_CFG"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tests.tiny_pipeline import make

    root = tmp_path_factory.mktemp("pipelines")
    found = {"float": make(root / "float")}
    for name, config in CONFIGS.items():
        found[name] = root / name
        built(found["float"], found[name], config)
    return found


def built(base: Path, out: Path, config: str) -> Built:
    out.mkdir()
    options = ModeloptDiffusersOptions.model_validate(
        {"config": config, "calib_size": 2, "width": 32, "height": 32, "steps": 3}
    )
    return QUANTIZER.build(Base(base, "diffusers", base), options, out, Context(out.parent))


@real
@pytest.mark.parametrize("name", CONFIGS)
def test_quantized_pictures_are_near_the_baseline_and_not_the_same(
    made: dict[str, Path], name: str, tmp_path: Path
) -> None:
    asked = image_distance.ComparedImages.model_validate(SMALL | {"pictures": 2})
    with ENGINE.open(made[name], DiffusersOptions()) as ours, ENGINE.open(made["float"], DiffusersOptions()) as theirs:
        found = image_distance.measure(ours, asked, Context(tmp_path, reference_session=theirs))
        same = image_distance.measure(theirs, asked, Context(tmp_path, reference_session=theirs))
    values = {one.metric: one.value for one in found.values}
    assert 15 < values["psnr"] < 95
    assert 0.3 < values["ssim"] < 1
    assert {one.metric: one.value for one in same.values} == {"psnr": 100.0, "ssim": 1.0}, "one seed, one picture"
    assert [note.code for note in ours.notes] == ["simulated"]


@real
@pytest.mark.parametrize("name", ["float", *CONFIGS])
def test_the_same_pipeline_gives_the_same_bytes_twice(made: dict[str, Path], name: str, tmp_path: Path) -> None:
    from tests.tiny_pipeline import make

    again = tmp_path / "again"
    make(again) if name == "float" else built(made["float"], again, CONFIGS[name])
    assert folder_sha256(again) == folder_sha256(made[name])


@real
def test_a_pipeline_is_timed_whole_and_step_by_step(made: dict[str, Path], tmp_path: Path) -> None:
    with ENGINE.open(made["float"], DiffusersOptions()) as session:
        found = image.measure(session, image.TimedImages.model_validate(SMALL | {"repetitions": 2}), Context(tmp_path))
    values = {one.metric: one for one in found.values}
    assert values["image_step_latency"].samples.shape == (2, 4)
    assert values["image_latency"].value > 4 * values["image_step_latency"].value, "the pipeline holds its steps"


@real
def test_a_scale_that_is_lost_or_a_layer_left_in_floats_is_found(made: dict[str, Path], tmp_path: Path) -> None:
    import torch

    broken = Path(shutil.copytree(made["int8"], tmp_path / "broken"))
    kept = torch.load(broken / "modelopt_state.pth", weights_only=True)
    lost = next(name for name in kept["scales"] if name.endswith("weight_quantizer._amax"))
    del kept["scales"][lost]
    torch.save(kept, broken / "modelopt_state.pth")
    with pytest.raises(HarnessError, match="not of one build"), ENGINE.open(broken, DiffusersOptions()):
        pass
    layers = (made["int8"] / "simulated_layers.json").read_text("utf-8")
    other = Path(shutil.copytree(made["int8"], tmp_path / "other"))
    (other / "simulated_layers.json").write_text(
        layers.replace("weights int8, inputs int8", "weights int8", 1), "utf-8"
    )
    with (
        pytest.raises(HarnessError, match="was promised; build the pipeline again"),
        ENGINE.open(other, DiffusersOptions()),
    ):
        pass


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with diffusers; skips where its wheels cannot be had."""
    pins = yaml.safe_load((ROOT / "configs" / "environments.yaml").read_text("utf-8"))["diffusers"]["packages"]
    return Path(sys.executable) if HERE else beside(tmp_path_factory.mktemp("env") / "diffusers", *pins)


def test_the_shipped_sweep_runs_on_a_cpu_from_command_to_tables(python: Path, tmp_path: Path) -> None:
    machine = RealMachine(tmp_path / "real")
    machine._write("environments.yaml", {"diffusers": {"python": str(python)}})
    said: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "sweeps" / "diffusers-cpu.yaml").read_text("utf-8"))
    del said["tables"]
    machine.sweep("diffusers-cpu", **{**said, "rounds": 1})
    machine.run("diffusers-cpu")
    assert machine.kinds() == {"build": 3, "speed": 4, "quality": 3}
    assert set(machine.frame({"metric": "psnr"}, ["reference"])["reference"]) == {"fp32"}
    for method in ("fp16", "image_int8", "image_fp8"):
        assert 15 < machine.value("psnr", method=method) < 95, method
    tables = machine.tables("diffusers")
    rows = {name: re.findall(r"^\| ([FI][^|]+) \| [\d.,]+", text, flags=re.MULTILINE) for name, text in tables.items()}
    three = ["FP16", "INT8 (simulated)", "FP8 (simulated)"]
    assert {name: sorted(found) for name, found in rows.items()} == {
        "image-speed": sorted(["FP32", *three]),
        "image-distance": sorted(three),
    }
    pictures = sorted(path.name for path in (machine.results / "runs").glob("*/pictures/*"))
    assert len(pictures) == 3 * 4 * 2 + 4 * 3, "of ours and the baseline's at four seeds, and of each timed run"


@pytest.mark.skipif(HERE, reason="diffusers is installed here, and the file runs by itself")
def test_the_tests_pass_where_it_is_installed(python: Path) -> None:
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "",
        "-k",
        "not command",
        "tests/real/test_diffusers.py",
    ]
    ran = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "7 passed, 1 skipped, 1 deselected" in ran.stdout
