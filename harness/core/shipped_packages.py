"""From which releases on packages serve, and which environments that ship have them: what a refusal names.

A test holds the table against `configs/environments.yaml` and its lock files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

LEAST: Mapping[str, str] = {
    "torch": "2.2",  # as transformers 4.57 asks for
    "nvidia-modelopt": "0.44",  # quant_cfg is a list
    "diffusers": "0.32.2",  # as Model Optimizer asks for
}
"""First release of a package that serves, where it is asked for by its name alone."""
_BOUND = re.compile(r"(>=|<)([0-9.]+)")


@dataclass(frozen=True)
class Shipped:
    """An environment that ships, as far as adapters ask."""

    packages: Mapping[str, str]
    """Version by name; empty where the commit of a source is pinned."""
    system: str = ""
    """Operating system that it is for, as platform.system() says it; empty for all."""
    cuda: bool = False
    """Whether it is for NVIDIA's GPUs."""


_LOCKED = {"torch": "2.13.0", "transformers": "4.57.6", "nvidia-modelopt": "0.47.0", "onnx": "1.21.0", "datasets": "5.0.1"}  # fmt: skip
_BOTH = {**_LOCKED, "accelerate": "1.15.0", "lm-eval": "0.4.13"}
_CPU = {**_BOTH, "optimum-benchmark": "0.6.0", "onnxruntime-genai": "0.15.2"}
_CUDA = {**_BOTH, "optimum-benchmark": "0.6.0", "onnxruntime-genai-cuda": "0.15.2", "bitsandbytes": "0.50.2"}
_LATEST = {**_BOTH, "transformers": "5.23.0", "onnx": "1.23.2", "datasets": "5.2.0", "onnxruntime-genai": "0.18.0"}
_IMAGES = {"diffusers": "0.39.0", "scikit-image": "0.26.0"}
_PAGE = {"torch": "2.5.1", "transformers": "4.46.3", "accelerate": "1.1.1", "optimum-benchmark": ""}
SHIPPED: Mapping[str, Shipped] = {
    "cpu": Shipped(_CPU),
    "bnb": Shipped({**_CPU, "bitsandbytes": "0.50.2"}),
    "diffusers": Shipped({**_CPU, **_IMAGES}),
    "genai-latest": Shipped(_LATEST),
    "cuda": Shipped(_CUDA, "Linux", cuda=True),
    "diffusers-cuda": Shipped({**_CUDA, **_IMAGES}, "Linux", cuda=True),
    "torch-cuda": Shipped(
        {"torch": "2.11.0", "transformers": "5.17.0", "accelerate": "1.15.0", "bitsandbytes": "0.50.2"},
        "Linux",
        cuda=True,
    ),
    "genai-cuda-0.18": Shipped(
        {"onnxruntime-genai-cuda": "0.18.0", "torch": "2.11.0", "transformers": "5.17.0", "onnx": "1.23.1"}, cuda=True
    ),
    "dml": Shipped({**_LOCKED, "onnxruntime-genai-directml": "0.13.1"}, "Windows"),
    "trt-rtx": Shipped({**_LOCKED, "onnxruntime-genai": "0.15.2"}, "Windows"),
    "bnb-0.48": Shipped({**_CPU, "bitsandbytes": "0.48.2"}),
    "genai-0.15": Shipped({**_LATEST, "onnxruntime-genai": "0.15.2"}),
    "trtllm": Shipped({"tensorrt-llm": "1.2.1", "nvidia-modelopt": "0.47.0"}, "Linux", cuda=True),
    "trtllm-1.3": Shipped(
        {"tensorrt-llm": "1.3.0rc11", "lm-eval": "0.4.13", "nvidia-modelopt": "0.47.0"}, "Linux", cuda=True
    ),
    "genai-dml-0.4": Shipped({"onnxruntime-genai-directml": "0.4.0", "transformers": "4.44.2"}, "Windows"),
    "genai-cuda-0.9.2": Shipped(
        {"onnxruntime-genai-cuda": "0.9.2", "torch": "2.8.0", "transformers": "4.49.0"}, cuda=True
    ),
    "modelopt-0.19": Shipped({"nvidia-modelopt": "0.19.0", "transformers": "4.44.2"}),
    "modelopt-0.39": Shipped({"nvidia-modelopt": "0.39.0", "torch": "2.8.0", "transformers": "4.49.0"}),
    "bnb-0.44.1": Shipped({**_PAGE, "bitsandbytes": "0.44.1"}),
    "bnb-0.45.0.dev": Shipped({**_PAGE, "bitsandbytes": ""}),
}
"""In the order in which they are named: general ones before those for one purpose, new ones before old."""
_ADOPTED = frozenset({"trtllm", "trtllm-1.3"})
"""Which no command can make."""


def refusal(
    packages: Mapping[str, str], needs: Sequence[str], *, name: str, system: str, gpu: bool, device: str = "cpu"
) -> str | None:
    """Say which package an environment lacks or has in a release that does not serve, or why torch has no such device, and what to do.

    needs: `name`, which `LEAST` bounds, or `name>=1.2,<2`; name: the environment's. None where nothing is wrong.
    """
    on_gpu, torch = device != "cpu", packages.get("torch", "")
    wrong = next(_unmet(packages, needs, place(name)), None)
    if wrong is None and on_gpu and not gpu:
        return f"device {device} needs an NVIDIA GPU, and this environment sees none"
    if wrong is None and on_gpu and torch.endswith("+cpu"):
        wrong = f"device {device} needs a CUDA build of torch, and {place(name)} has {torch}"
    if wrong is None:
        return None
    other = serving(needs, first=name, system=system, gpu=gpu, cuda=on_gpu)
    if other is None:
        return f"{wrong}; no environment that ships has what is needed: install it there with pip"
    made = f"`harness setup --env {other}`"
    return f"{wrong}; {made}" if other == name else f"{wrong}: take environment {other}, which {made} makes"


def place(name: str) -> str:
    """Call an environment in words."""
    return f"environment {name}" if name else "this environment"


def _unmet(packages: Mapping[str, str], needs: Iterable[str], there: str = "") -> Iterator[str]:
    """Say of each need what is wrong with it."""
    for need in needs:
        name = re.split(r"[<>]", need, maxsplit=1)[0]
        version = packages.get(name)
        if version is None:
            yield f"{name} is not installed in {there}"
            continue
        for sign, bound in _BOUND.findall(need) or ([(">=", LEAST[name])] if name in LEAST else []):
            if not _within(version, sign, bound):
                said = f"old, {bound} or newer" if sign == ">=" else f"new, one before {bound}"
                yield f"{name} {version} in {there} is too {said} is needed"


def serving(
    needs: Sequence[str], *, first: str = "", system: str = "Linux", gpu: bool = False, cuda: bool = False
) -> str | None:
    """Name a shipped environment that has all that is needed; None where none has.

    first: the one asked from, which is named where its pins serve; gpu: one is there, so those for it come first, else last; cuda: it must be for one.
    """
    for name in sorted(SHIPPED, key=lambda name: (name != first, gpu != SHIPPED[name].cuda)):
        one = SHIPPED[name]
        stands = name not in _ADOPTED and (not one.system or system.lower().startswith(one.system.lower()))
        if stands and (one.cuda or not cuda) and next(_unmet(one.packages, needs), None) is None:
            return name
    return None


def _within(version: str, sign: str, bound: str) -> bool:
    """Hold a version against a bound; one that cannot be read, as of a source's commit, is taken to serve."""
    there, border = _numbers(version), _numbers(bound)
    return there is None or border is None or (there >= border if sign == ">=" else there < border)


def _numbers(version: str) -> tuple[int, ...] | None:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else None
