"""Seconds of an image pipeline, batch 1: of a whole picture, and of the UNet or transformer in each step. The pictures are kept.

Sizes, steps and warm-up are those of a published table (1024 x 1024, 30 steps, one warm-up run); whether that table holds the pipeline or all steps
together its page does not say, so both are measured. Source: NVIDIA/TensorRT, demo/Diffusion, release 9.3.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.painting import Painting, Paints
from harness.core.seam import Context, MetricValue, Probe, ProbeResult
from harness.probes import conditions

if TYPE_CHECKING:
    from harness.core.painting import Pixels

PICTURES = "pictures"
"""Folder of a run in which they are kept, as PNG files."""
TEXT = "a lighthouse on a rocky shore at sunrise, photograph"


class ImageOptions(Options):
    """What is painted."""

    text: str = TEXT
    """What the picture shows."""
    width: int = Field(default=1024, ge=8)
    """Of a picture, in pixels."""
    height: int = Field(default=1024, ge=8)
    """Of a picture, in pixels."""
    steps: int = Field(default=30, ge=1)
    """Steps from noise to picture."""
    guidance: float | None = None
    """How strongly the text decides; None leaves it to the pipeline."""
    seed: int = 7
    """Of the noise that the first picture begins with; each further one has the next."""

    def painting(self, number: int = 0) -> Painting:
        """Say what the picture of a number is."""
        return Painting(self.text, self.width, self.height, self.steps, self.seed + number, self.guidance)


class TimedImages(ImageOptions):
    """How often it is painted."""

    warmup: int = Field(default=1, ge=0)
    """Pictures before the clock counts."""
    repetitions: int = Field(default=3, ge=1)


def measure(session: Paints, workload: TimedImages, context: Context) -> ProbeResult:
    """Paint and time. Raises: HarnessError where a picture has other sizes or steps than asked for."""
    import numpy as np

    watch = conditions.Watch(on_gpu=not session.provider.startswith("cpu"))
    for _ in range(workload.warmup):
        session.paint(workload.painting())
    found = []
    watch.mark(state=True)
    for number in range(workload.repetitions):
        context.progress(number / workload.repetitions, f"picture {number + 1} of {workload.repetitions}")
        found.append(session.paint(workload.painting(number)))
    watch.mark(state=True)
    for number, picture in enumerate(found):
        keep(picture.pixels, context.folder / PICTURES / f"seed-{workload.seed + number}.png")
    whole = np.asarray([one.seconds for one in found], dtype=np.float64)
    steps = np.stack([one.step_seconds for one in found])
    load = np.asarray([session.load_seconds], dtype=np.float64)
    values = (
        MetricValue("image_latency", float(whole.mean()), whole),
        MetricValue("image_step_latency", float(steps.mean()), steps, n=steps.size, array="image_step_seconds"),
        MetricValue("load_seconds", float(load[0]), load),
    )
    machine = watch.facts()
    return ProbeResult(values, protocol(session, workload, **machine), conditions.notes(machine))


def protocol(session: Paints, workload: ImageOptions, **facts: object) -> Protocol:
    """Write down how it was painted."""
    said = {name: getattr(workload, name) for name in ("text", "width", "height", "steps", "guidance", "seed")}
    timed = workload if isinstance(workload, TimedImages) else None
    return Protocol(
        name=f"image-{workload.width}x{workload.height}-{workload.steps}", version=1, dtype=session.dtype,
        warmups=timed.warmup if timed else None, repetitions=timed.repetitions if timed else None,
        gpu_count=0 if session.provider.startswith("cpu") else 1, facts={**said, **facts},
    )  # fmt: skip


def keep(pixels: Pixels, path: Path) -> None:
    """Write a picture as PNG, without loss."""
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


PROBE = Probe(
    name="image",
    version=1,
    kind="speed",
    needs=(frozenset({"paints"}),),
    yields=("image_latency", "image_step_latency", "load_seconds"),
    workload=TimedImages,
    packages=("pillow", "numpy"),
    measure=measure,
    own_process=True,
    size=lambda workload: int(workload.width * workload.height),
)
