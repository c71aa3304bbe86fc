"""diffusers: image pipelines in torch, whole and step by step.

The time of a step is that of the UNet or transformer alone, by CUDA's events on a GPU and by a clock on the CPU; the pipeline's is a clock around
all of it, after the device has come to rest. Source: huggingface/diffusers, 0.39.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.core.executed import Executed
from harness.core.folder_formats import FolderFormat
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.painting import Painting, Paints, Picture
from harness.core.pipelines import PIPELINE, denoiser_of, is_pipeline, lacking_part
from harness.core.seam import Engine, Facts
from harness.core.simulated_pipeline import STATE, put_back
from harness.core.spec import Note
from harness.engines import torch_executed

if TYPE_CHECKING:
    import numpy as np

QUANTIZED = "diffusers"
"""Format of a pipeline with a quantized denoiser: what diffusers alone would open in floats."""


class DiffusersOptions(Options):
    """How the pipeline is held and run."""

    device: Literal["cpu", "cuda"] = "cpu"
    """The one asked for runs, or the job fails."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of weights and activations."""


@dataclass(frozen=True)
class DiffusersSession:
    """An opened pipeline."""

    pipeline: Any
    denoiser: Any
    options: DiffusersOptions
    load_seconds: float
    layers: dict[str, str]
    """What each quantized layer of the denoiser is."""
    notes: tuple[Note, ...] = field(default=())

    @property
    def provider(self) -> str:
        return str(next(self.denoiser.parameters()).device.type)

    @property
    def dtype(self) -> str:
        return str(next(self.denoiser.parameters()).dtype).removeprefix("torch.")

    def executed(self) -> Executed:
        return torch_executed.executed_of_denoiser(self.denoiser, self.dtype)

    def paint(self, asked: Painting) -> Picture:
        """Paint one picture. Raises: HarnessError where it has other sizes or steps than asked for."""
        import numpy as np
        import torch

        rest, steps = _rest(self.provider), _Steps(self.denoiser, on_gpu=self.provider == "cuda")
        more = {} if asked.guidance is None else {"guidance_scale": asked.guidance}
        noise = torch.Generator("cpu").manual_seed(asked.seed)
        rest()
        begun = time.perf_counter()
        with torch.inference_mode(), steps:
            images = self.pipeline(
                prompt=asked.text, width=asked.width, height=asked.height, num_inference_steps=asked.steps, generator=noise,
                output_type="np", **more,
            ).images  # fmt: skip
        rest()
        seconds = time.perf_counter() - begun
        _refuse_other(images[0], steps.seconds(), asked)
        pixels = np.rint(np.clip(images[0], 0.0, 1.0) * 255).astype(np.uint8)
        return Picture(pixels, seconds, np.asarray(steps.seconds(), dtype=np.float64))


class _Steps:
    """Times each call of a module, by events that nobody waits for on a GPU."""

    def __init__(self, module: Any, *, on_gpu: bool) -> None:
        self._module, self._on_gpu = module, on_gpu
        self._marks: list[tuple[Any, Any]] = []
        self._begun: Any = None
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        before = self._module.register_forward_pre_hook(lambda *_: self._begin())
        after = self._module.register_forward_hook(lambda *_: self._end())
        self._hooks = [before, after]

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _mark(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _begin(self) -> None:
        self._begun = self._mark()

    def _end(self) -> None:
        self._marks.append((self._begun, self._mark()))

    def seconds(self) -> list[float]:
        if self._on_gpu:
            return [first.elapsed_time(last) / 1000.0 for first, last in self._marks]
        return [last - first for first, last in self._marks]


def _refuse_other(image: np.ndarray[Any, Any], steps: list[float], asked: Painting) -> None:
    import numpy as np

    height, width = image.shape[:2]
    if (width, height) != (asked.width, asked.height):
        raise HarnessError(
            f"the pipeline painted {width} x {height}, and {asked.width} x {asked.height} was asked for: take sizes that it can make"
        )
    if len(steps) != asked.steps:
        raise HarnessError(
            f"the denoiser ran {len(steps)} times for {asked.steps} steps: this pipeline's scheduler takes more than one call a step"
        )
    if not np.isfinite(image).all():
        raise HarnessError(
            "the picture has values that are no numbers: the type is too small for this pipeline, or its quantization is broken"
        )


def _rest(device: str) -> Callable[[], None]:
    """Give what waits for a device to come to rest."""
    if device != "cuda":
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize()  # noqa: PLW0108


def _load_pipeline(folder: Path, dtype: str, device: str) -> tuple[Any, Any]:
    """Load a pipeline and name its denoiser, in a type and on a device. Raises: HarnessError for a folder without one."""
    if lacking := lacking_part(folder):
        raise HarnessError(f"{folder} has no {lacking}; get the folder again")
    import torch
    from diffusers import DiffusionPipeline

    with redirect_stdout(sys.stderr):
        pipeline = DiffusionPipeline.from_pretrained(folder, torch_dtype=getattr(torch, dtype), local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    return pipeline, getattr(pipeline, str(denoiser_of(folder)))


@contextmanager
def _open(folder: Path, options: DiffusersOptions) -> Iterator[DiffusersSession]:
    begun = time.perf_counter()
    pipeline, denoiser = _load_pipeline(folder, options.dtype, options.device)
    layers: dict[str, str] = {}
    notes: tuple[Note, ...] = ()
    if (folder / STATE).is_file():
        layers = put_back(denoiser, folder)
        denoiser.to(options.device)
        text = f"{len(layers)} layers are rounded in simulation: pictures are those of the quantized denoiser, seconds are not"
        notes = (Note(code="simulated", text=text),)
    yield DiffusersSession(pipeline, denoiser, options, time.perf_counter() - begun, layers, notes)


def refuse(options: DiffusersOptions, facts: Facts) -> str | None:
    """Say why it cannot run in an environment; no package is imported."""
    return facts.wants("diffusers", "torch", "transformers", device=options.device)


def refuse_no_pipeline(record: ModelRecord) -> str | None:
    """Say that a model is no pipeline."""
    return (
        None
        if record.model_type == PIPELINE
        else "diffusers opens image pipelines (model_index.json), and the model is none"
    )


ENGINE = Engine(
    name="diffusers",
    version=1,
    consumes=("hf", QUANTIZED),
    offers=frozenset({"paints"}),
    options=DiffusersOptions,
    packages=("diffusers", "torch", "transformers"),
    open=_open,
    refuse=refuse,
    refuse_model=lambda options, facts, record: refuse_no_pipeline(record),
    provider=lambda options: str(options.device),
    title="diffusers",
    formats=(FolderFormat(QUANTIZED, is_pipeline),),
)

_SESSIONS: tuple[type[Paints]] = (DiffusersSession,)
"""Read by the type checker alone: the session has what the capability asks for."""
