"""The capability `paints`: an engine that makes a picture of a text, step by step from noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.core.sessions import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Painting:
    """One picture, batch 1: the same seed gives the same noise on every device, since it is drawn on the CPU."""

    text: str
    width: int
    height: int
    steps: int
    seed: int
    guidance: float | None = None
    """How strongly the text decides; None leaves it to the pipeline."""


@dataclass(frozen=True)
class Picture:
    """What was painted, and how long it took."""

    pixels: Pixels
    """uint8 [height, width, 3]."""
    seconds: float
    """Of the whole pipeline: text, all steps, decoding."""
    step_seconds: Seconds
    """float64 [steps]: of the UNet or transformer in each step."""


class Paints(Session, Protocol):
    def paint(self, asked: Painting) -> Picture:
        """Paint one picture. Raises: HarnessError where it has other sizes or steps than asked for."""
