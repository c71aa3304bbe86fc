"""What this machine can run: the GPU, the hub, the packages; and which sweep the one command takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from harness import environments
from harness.commands import bench as command
from harness.commands import doctor
from harness.commands.machine import checked_sweep
from harness.commands.workspace import Workspace
from harness.core.outcome import Environment, Gpu
from harness.host import environment
from harness.plan import hub
from harness.plan.hub import Absent
from tests.fake_machine import Bench

OPEN = Absent("qwen", "Qwen/Qwen2.5-0.5B-Instruct", "main", gated=False)
T4 = "Tesla T4, 580.95.05, 15000"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def driver(monkeypatch: pytest.MonkeyPatch, folder: Path, answer: str, code: int = 0) -> None:
    """Put an nvidia-smi first on the path that answers like a driver's."""
    if os.name == "nt":
        pytest.skip("the driver of this test is a shell script")
    folder.mkdir()
    script = folder / "nvidia-smi"
    listing = "GPU 0: Tesla T4 (UUID: GPU-1)"
    script.write_text(f'#!/bin/sh\n[ "$1" = -L ] && echo "{listing}" || echo "{answer}"\nexit {code}\n', "utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_driver_that_does_not_work_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(monkeypatch, tmp_path / "bin", T4, code=9)
    assert not doctor.gpu_answers()


@pytest.mark.parametrize(
    ("answer", "absent", "why"),
    [
        (T4, [], "Tesla T4, driver 580.95.05, 15000 MiB free"),
        ("Tesla T4, 550.54.15, 15000", [], "driver 550.54.15 is older than 580"),
        ("Tesla T4, 580.95.05, 900", [], "900 MiB free, 8192 are needed"),
        ("Tesla T4, 580.95.05, [N/A]", [], "does not tell driver and memory"),
        ("", [], "does not tell driver and memory"),
        (T4, [OPEN], "the model hub cannot be reached, and the local cache lacks qwen"),
        (T4, [Absent("llama", "meta-llama/x", None, gated=True)], "asks for an agreement before it gives llama"),
    ],
)
def test_the_gpu_sweep_is_able_where_driver_memory_and_models_suffice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, absent: list[Absent], why: str
) -> None:
    driver(monkeypatch, tmp_path / "bin", answer)
    verdict = doctor.gpu_verdict(absent)
    assert why in verdict.why
    assert verdict.able is (answer == T4 and not absent)


def test_a_reachable_hub_makes_up_for_models_that_are_not_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver(monkeypatch, tmp_path / "bin", T4)
    monkeypatch.setattr(doctor, "hub_reachable", lambda: True)
    assert doctor.gpu_verdict([OPEN]).able


def test_the_hub_is_not_asked_where_the_machine_is_said_to_be_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hub.hub_reachable()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert not hub.hub_reachable()


def test_without_a_gpu_the_quickstart_is_chosen_and_with_one_the_gpu_sweep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bench: Bench, home: Workspace
) -> None:
    assert command.choose("mine", home).why == "asked for with SWEEP"
    monkeypatch.setattr(command, "gpu_answers", lambda: False)
    assert command.choose("", home).sweep == "quickstart"
    monkeypatch.setattr(command, "gpu_answers", lambda: True)
    driver(monkeypatch, tmp_path / "bin", T4)
    choice = command.choose("", home)
    assert choice.sweep == "quickstart"
    assert "there is a GPU, but sweep gpu cannot run: the model hub cannot be reached" in choice.why
    assert "lacks smollm2-360m-it, qwen25-0.5b-it, qwen25-1.5b-it; set SWEEP=gpu to run it anyway" in choice.why
    bench.sweep(method=["fp32"])
    (bench.configs / "sweeps" / "s.yaml").rename(bench.configs / "sweeps" / "gpu.yaml")
    assert command.choose("", bench.workspace).sweep == "gpu", "its model lies in a folder: no hub is needed"


def test_the_one_command_makes_the_environments_that_its_sweep_needs(
    monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    made: list[str] = []
    monkeypatch.setattr(command, "setup", lambda name, **given: made.append(name))
    monkeypatch.setattr(command, "interpreters", lambda catalogue, names, root: {"here": Path(sys.executable)})
    path = bench.configs / "environments.yaml"
    other = {"lock": "locks/dml.txt", "system": "Linux" if sys.platform == "win32" else "Windows"}
    named = {"here": {"python": sys.executable}, "cuda": {"lock": "locks/cuda.txt"}, "dml": other}
    path.write_text(yaml.safe_dump(named), "utf-8")
    bench.sweep(method=["fp32"], environment=["here", "cuda", "dml"])
    said: list[str] = []
    checked = checked_sweep("s", bench.workspace)
    command.prepare(checked, said.append)
    assert made == [], "`run` leaves that to the person: the plan names the remedy"
    command.prepare(checked, said.append, make=True)
    assert made == ["cuda"], "and none that is for another system"
    assert said == ["sweep s needs environment cuda, which is not installed yet"]


CUDA = {"onnxruntime-gpu": "1.31.1", "onnxruntime-genai-cuda": "0.15.2", "numpy": "2"}


@pytest.mark.parametrize("adapter", ["engine", "builder", "modelopt"])
def test_a_runtime_of_another_wheel_is_not_missing(adapter: str) -> None:
    from harness.engines.ort_genai_opening import PACKAGES as ENGINE
    from harness.quantizers.modelopt_onnx import PACKAGES as MODELOPT
    from harness.quantizers.ort_genai import PACKAGES as BUILDER

    needs = {"engine": ENGINE, "builder": BUILDER, "modelopt": MODELOPT}[adapter]
    gone = doctor.missing(needs, CUDA)
    assert not [name for name in gone if name.startswith(("onnxruntime", "cupy", "datasets"))]
    runtimes = [name for name in doctor.missing(needs, {}) if name.startswith("onnxruntime")]
    assert runtimes in (["onnxruntime"], ["onnxruntime-genai", "onnxruntime"])


def test_adapters_of_tests_are_not_listed() -> None:
    listed = [line.text for line in doctor._present("here", Path(sys.executable), environment("here"))]
    assert any("engine ort-genai" in text for text in listed)
    assert not any("fake" in text for text in listed)


def gpu(driver: str | None) -> Environment:
    """This machine as NVML described one with a GPU."""
    gpus = (Gpu(name="Tesla T4", memory_bytes=16106127360, driver=driver, compute="7.5"),) if driver else ()
    return environment("own").model_copy(update={"gpus": gpus})


@pytest.mark.parametrize(
    ("packages", "major"),
    [
        ({"nvidia-cuda-runtime": "13.0.96", "torch": "2.13.0"}, 13),
        ({"nvidia-cudnn-cu12": "9.1"}, 12),
        ({"onnxruntime-ep-nv-tensorrt-rtx-cu13": "0.5.0"}, 13),
        ({"torch": "2.8.0+cu128"}, 12),
        ({"torch": "2.13.0+cpu", "onnxruntime": "1.31.1"}, None),
    ],
)
def test_packages_tell_which_cuda_they_were_built_for(packages: dict[str, str], major: int | None) -> None:
    assert doctor.cuda_major(packages) == major


@pytest.mark.parametrize(
    ("driver", "mark", "said"),
    [
        ("580.95.05", "ok", "the one here is 580.95.05"),
        ("581.15", "ok", "the one here is 581.15"),
        ("550.54.15", "missing", "the one here is 550.54.15: install a newer one"),
        (None, "note", "there is none here"),
    ],
)
def test_the_driver_that_a_cuda_build_needs_is_said_and_held_against_the_one_here(
    monkeypatch: pytest.MonkeyPatch, home: Workspace, driver: str | None, mark: str, said: str
) -> None:
    monkeypatch.setattr(doctor, "environment", lambda name: gpu(driver))
    monkeypatch.setattr(doctor, "interpreters", lambda *given: {})
    lines = doctor.examine(home)
    (cuda,) = [line for line in lines if line.text.startswith("  environment cuda is built")]
    assert cuda.text.startswith("  environment cuda is built for CUDA 13, which needs NVIDIA driver 580 or newer; ")
    assert (cuda.mark, cuda.text.endswith(said)) == (mark, True)


def test_what_is_for_windows_is_said_to_be_so_elsewhere(monkeypatch: pytest.MonkeyPatch, home: Workspace) -> None:
    monkeypatch.setattr(doctor, "interpreters", lambda *given: {})
    monkeypatch.setattr(environments, "sys", SimpleNamespace(platform="linux"))
    lines = [line.text for line in doctor.examine(home)]
    for name in ("dml", "trt-rtx"):
        assert f"environment {name}: needs Windows, which this machine does not have" in lines
        assert not any(text.startswith(f"  environment {name} is built") for text in lines)
    monkeypatch.setattr(environments, "sys", SimpleNamespace(platform="win32"))
    lines = [line.text for line in doctor.examine(home)]
    assert "environment dml: not made here; harness setup --env dml" in lines
    assert any(
        text.startswith("  environment trt-rtx is built for CUDA 13, which needs NVIDIA driver 580") for text in lines
    )
