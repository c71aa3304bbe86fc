"""Every adapter in every environment that ships: what it lacks there is told by the plan, with a command that makes one which has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.core.options import validated
from harness.core.registry import load
from harness.core.seam import Facts
from harness.core.shipped_packages import SHIPPED
from harness.engines import ENGINES
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS
from tests.contract.cases import PROBE_CASES, QUANTIZER_CASES

GPU = ("NVIDIA H100",)
ABOUT = re.compile(r"is not installed|is too (old|new)|CUDA build")
"""What is said of a package."""
MADE = re.compile(r"`harness setup --env ([^`]+)`")
LEAST: dict[str, dict[str, Any]] = {
    "bitsandbytes": {"load_in_4bit": True}, "modelopt-diffusers": {}, "image": {}, "image_distance": {},
}  # fmt: skip
"""Options of those that have no case here."""
ALONE = frozenset({"tensorrt-llm"})
"""Environments of these are adopted, which no command makes."""
ON_GPUS: dict[str, dict[str, Any]] = {
    "transformers": {"device": "cuda"}, "optimum-benchmark": {"device": "cuda"}, "diffusers": {"device": "cuda"},
    "ort-genai": {"provider": "cuda"}, "modelopt-torch": {"device": "cuda"}, "modelopt-diffusers": {"device": "cuda"},
}  # fmt: skip


def adapters() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give every adapter with options: of engines the least, and of all that know GPUs once more for one."""
    for kind, registry in (("quantizer", QUANTIZERS), ("engine", ENGINES), ("probe", PROBES)):
        for name in registry:
            given = dict(LEAST.get(name, {}))
            given |= QUANTIZER_CASES[name].options if kind == "quantizer" and name in QUANTIZER_CASES else {}
            given |= PROBE_CASES[name].workload if kind == "probe" and name in PROBE_CASES else {}
            if name not in ALONE:
                yield kind, name, given
                if name in ON_GPUS and kind != "probe":
                    yield kind, name, given | ON_GPUS[name]


ADAPTERS = list(adapters())
NEEDING = {"ort-genai", "modelopt-onnx", "modelopt-torch", "modelopt-genai", "modelopt-sparsity", "train", "torch-fp8", "bitsandbytes",
           "modelopt-diffusers", "random-weights", "transformers", "optimum-benchmark", "diffusers", "lm_eval", "image_distance"}  # fmt: skip
"""Those that run in no empty environment."""


def refused(kind: str, name: str, given: dict[str, Any], facts: Facts) -> str | None:
    adapter = load({"quantizer": QUANTIZERS, "engine": ENGINES, "probe": PROBES}[kind], kind, name)
    asked = validated(adapter.workload if kind == "probe" else adapter.options, given, name)
    said: str | None = adapter.refuse(asked, facts)
    return said


def facts_of(name: str, system: str, gpus: tuple[str, ...], without: str = "") -> Facts:
    packages = {one: version for one, version in SHIPPED[name].packages.items() if one != without}
    return Facts(packages, system, gpus, name=name)


def held(said: str | None, kind: str, name: str, given: dict[str, Any], facts: Facts) -> None:
    """Hold what was said of a package against the environment that it names: there, nothing is missing."""
    if not ABOUT.search(said or ""):
        return
    made = MADE.search(str(said))
    assert made, said
    other = refused(kind, name, given, facts_of(made[1], facts.system, facts.gpus))
    assert not ABOUT.search(other or ""), f"{said}; there: {other}"


@pytest.mark.parametrize(("kind", "name", "given"), ADAPTERS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_an_adapter_lacks_in_a_shipped_environment_another_that_is_named_has(
    kind: str, name: str, given: dict[str, Any]
) -> None:
    for place, shipped in SHIPPED.items():
        system = shipped.system or "Linux"
        if system == "Windows" and given.get("device") == "cuda":  # for which nothing ships
            continue
        for gpus in ((), GPU):
            whole = facts_of(place, system, gpus)
            held(refused(kind, name, given, whole), kind, name, given, whole)
            for package in shipped.packages if refused(kind, name, given, whole) is None else ():
                less = facts_of(place, system, gpus, without=package)
                held(refused(kind, name, given, less), kind, name, given, less)


@pytest.mark.parametrize(("kind", "name", "given"), ADAPTERS, ids=lambda value: value if isinstance(value, str) else "")
def test_who_needs_a_package_says_so_in_an_empty_environment(kind: str, name: str, given: dict[str, Any]) -> None:
    for gpus in ((), GPU):
        said = refused(kind, name, given, Facts({}, "Linux", gpus, name="cpu"))
        assert ("is not installed in environment cpu" in str(said)) is (name in NEEDING), said
