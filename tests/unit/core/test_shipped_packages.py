"""What a refusal names: packages that are missing, too old or too new, and the environment that has them."""

from __future__ import annotations

import re

import pytest

from harness.core.seam import Facts
from harness.core.shipped_packages import SHIPPED, serving
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import EnvironmentEntry
from tests.conftest import ROOT

CONFIGS = ROOT / "configs"
ASKED = {name for one in SHIPPED.values() for name in one.packages}
OLD = {"torch": "2.8.0", "transformers": "4.49.0", "nvidia-modelopt": "0.39.0"}


def pinned(entry: EnvironmentEntry, entries: dict[str, EnvironmentEntry]) -> dict[str, str]:
    """Read what an environment pins of what adapters ask for: its lock file, what it stands on, its packages, the commits of sources."""
    below = pinned(entries[entry.on], entries) if entry.on else {}
    lines = (CONFIGS / entry.lock).read_text("utf-8").splitlines() if entry.lock else []
    pins = [line.partition("==") for line in (*lines, *entry.packages) if "==" in line]
    wheels = [entry.wheel] if isinstance(entry.wheel, str) else entry.wheel
    sources = {match[1]: "" for wheel in wheels if (match := re.search(r"/([^/@]+)@", wheel))}
    found = {**below, **{name: version for name, _, version in pins}, **sources}
    return {name: version for name, version in found.items() if name in ASKED}


def test_the_table_is_what_environments_and_lock_files_pin() -> None:
    entries = dict(load_catalogue(CONFIGS).environments)
    held = {name: (dict(one.packages), one.system or None) for name, one in SHIPPED.items()}
    assert held == {name: (pinned(entry, entries), entry.system) for name, entry in entries.items()}


def test_general_environments_are_named_before_those_for_one_purpose() -> None:
    assert next(iter(SHIPPED)) == "cpu"
    assert next(name for name, one in SHIPPED.items() if one.cuda) == "cuda"


@pytest.mark.parametrize(("facts", "needs", "says"), [
    (Facts({}, "Linux", name="cpu"), ("bitsandbytes",),
     "bitsandbytes is not installed in environment cpu: take environment bnb, which `harness setup --env bnb` makes"),
    (Facts({}, "Linux", name="cpu"), ("torch",), "torch is not installed in environment cpu; `harness setup --env cpu`"),
    (Facts({}, "Linux", name="cuda"), ("bitsandbytes",), "bitsandbytes is not installed in environment cuda; `harness setup --env cuda`"),
    (Facts({}, "Linux"), ("bitsandbytes",),
     "bitsandbytes is not installed in this environment: take environment bnb, which `harness setup --env bnb` makes"),
    (Facts({}, "Linux", ("H100",), name="cpu"), ("bitsandbytes",),
     "bitsandbytes is not installed in environment cpu: take environment cuda, which `harness setup --env cuda` makes"),
    (Facts({"transformers": "5.23.0"}, "Linux", name="genai-latest"), ("optimum-benchmark", "transformers<5"),
     "optimum-benchmark is not installed in environment genai-latest: take environment cpu, which `harness setup --env cpu` makes"),
    (Facts({"optimum-benchmark": "0.6.0", "transformers": "5.23.0"}, "Linux", name="mine"), ("optimum-benchmark", "transformers<5"),
     "transformers 5.23.0 in environment mine is too new, one before 5 is needed: take environment cpu, which `harness setup --env cpu` makes"),
    (Facts(OLD, "Linux", name="modelopt-0.39"), ("torch", "nvidia-modelopt"),
     "nvidia-modelopt 0.39.0 in environment modelopt-0.39 is too old, 0.44 or newer is needed: take environment cpu, which `harness setup --env cpu` makes"),
    (Facts({"nvidia-modelopt": "0.43.0rc1"}, "Linux", name="cpu"), ("nvidia-modelopt",),
     "nvidia-modelopt 0.43.0rc1 in environment cpu is too old, 0.44 or newer is needed; `harness setup --env cpu`"),
    (Facts({}, "Windows 11", name="cpu"), ("onnxruntime-genai-directml",),
     "onnxruntime-genai-directml is not installed in environment cpu: take environment dml, which `harness setup --env dml` makes"),
    (Facts({}, "Linux", name="cpu"), ("onnxruntime-genai-directml",),
     "onnxruntime-genai-directml is not installed in environment cpu; no environment that ships has what is needed: install it there with pip"),
    (Facts({}, "Linux", ("H100",), name="cpu"), ("tensorrt-llm",),
     "tensorrt-llm is not installed in environment cpu; no environment that ships has what is needed: install it there with pip"),
])  # fmt: skip
def test_what_is_missing_or_too_old_comes_with_what_makes_it(facts: Facts, needs: tuple[str, ...], says: str) -> None:
    assert facts.wants(*needs) == says


@pytest.mark.parametrize(("version", "need", "serves"), [
    ("0.44", "nvidia-modelopt", True), ("0.44.0", "nvidia-modelopt", True), ("0.9", "nvidia-modelopt", False), ("1.0", "nvidia-modelopt", True),
    ("main", "nvidia-modelopt", True), ("0.41.0", "nvidia-modelopt>=0.41", True), ("0.40.1", "nvidia-modelopt>=0.41", False),
    ("4.57.6@0123456789ab", "transformers>=4.56,<5", True), ("5.0.0", "transformers>=4.56,<5", False), ("4.9", "transformers>=4.56,<5", False),
    ("2.13.0+cpu", "torch", True), ("2.1.2", "torch", False), ("0.32.1", "diffusers", False), ("0.32.2", "diffusers", True), ("0.1", "scikit-image", True),
])  # fmt: skip
def test_versions_are_held_against_bounds_by_their_numbers(version: str, need: str, serves: bool) -> None:
    name = re.split("[<>]", need, maxsplit=1)[0]
    assert (Facts({name: version}, "Linux").wants(need) is None) is serves


def test_a_device_needs_a_gpu_and_a_build_of_torch_for_it() -> None:
    gpu = ("NVIDIA H100",)
    assert Facts({"torch": "2.13.0+cpu"}, "Linux", gpu).wants("torch") is None
    assert Facts({"torch": "2.13.0"}, "Linux", gpu).wants("torch", device="cuda:1") is None
    assert Facts({"torch": "2.13.0"}, "Linux").wants("torch", device="cuda") == (
        "device cuda needs an NVIDIA GPU, and this environment sees none"
    )
    assert Facts({"torch": "2.13.0+cpu"}, "Linux", gpu, name="diffusers").wants("torch", device="cuda") == (
        "device cuda needs a CUDA build of torch, and environment diffusers has 2.13.0+cpu: take environment cuda, which "
        "`harness setup --env cuda` makes"
    )


def test_an_environment_of_another_system_is_not_named_and_one_for_gpus_last_where_there_is_none() -> None:
    assert serving(("bitsandbytes",)) == "bnb"
    assert serving(("onnxruntime-genai-cuda",)) == "cuda"
    assert serving(("onnxruntime-genai-cuda",), gpu=True) == "cuda"
    assert serving(("onnxruntime-genai-cuda",), gpu=True, system="Windows 11") == "genai-cuda-0.18"
