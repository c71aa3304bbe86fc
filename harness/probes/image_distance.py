"""How far pictures are from those that the baseline paints of the same noise: PSNR and SSIM, so that a broken quantization shows.

Both pipelines are open side by side; the pictures of both are kept in the run folder.
Source of SSIM: Wang, Bovik, Sheikh, Simoncelli (2004), as scikit-image computes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.core.capabilities import paints
from harness.core.errors import HarnessError
from harness.core.painting import Paints
from harness.core.seam import Context, MetricValue, Probe, ProbeResult
from harness.probes.image import PICTURES, ImageOptions, keep, protocol

if TYPE_CHECKING:
    from harness.core.painting import Pixels

EQUAL_DB = 100.0
"""PSNR of two pictures that are the same, which have none by its formula; more than any two that differ (96 dB)."""


class ComparedImages(ImageOptions):
    """How many pictures are compared."""

    pictures: int = Field(default=4, ge=1)
    """Each of a noise of its own."""


def measure(session: Paints, workload: ComparedImages, context: Context) -> ProbeResult:
    """Paint each picture twice and compare. Raises: HarnessError without a reference, or where sizes differ."""
    import numpy as np

    if context.reference_session is None:
        raise HarnessError(
            "pictures are compared with a baseline's, and none was opened; name one, as 'reference: {method: fp16}'"
        )
    other = paints(context.reference_session, context.reference_engine)
    found = []
    for number in range(workload.pictures):
        context.progress(number / workload.pictures, f"picture {number + 1} of {workload.pictures}")
        asked = workload.painting(number)
        ours, theirs = session.paint(asked).pixels, other.paint(asked).pixels
        keep(ours, context.folder / PICTURES / f"seed-{asked.seed}.png")
        keep(theirs, context.folder / PICTURES / f"seed-{asked.seed}-baseline.png")
        found.append((psnr(ours, theirs), ssim(ours, theirs)))
    both = np.asarray(found, dtype=np.float64)
    values = tuple(
        MetricValue(name, float(part.mean()), part) for name, part in zip(("psnr", "ssim"), both.T, strict=True)
    )
    return ProbeResult(values, protocol(session, workload, pictures=workload.pictures, reference_dtype=other.dtype))


def psnr(one: Pixels, other: Pixels) -> float:
    """Give the peak signal-to-noise ratio of two pictures of 8-bit values, in dB."""
    import numpy as np

    mean = float(np.square(one.astype(np.float64) - other.astype(np.float64)).mean())
    return EQUAL_DB if mean == 0 else 10.0 * float(np.log10(255.0**2 / mean))


def ssim(one: Pixels, other: Pixels) -> float:
    """Give the structural similarity of two pictures [height, width, 3]."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(one, other, channel_axis=2, data_range=255))


PROBE = Probe(
    name="image_distance",
    version=1,
    kind="quality",
    needs=(frozenset({"paints"}),),
    yields=("psnr", "ssim"),
    workload=ComparedImages,
    packages=("pillow", "numpy", "scikit-image"),
    measure=measure,
    reference="needed",
    refuse=lambda workload, facts: facts.wants("scikit-image"),
)
