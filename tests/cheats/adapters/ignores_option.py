"""Takes an option that decides everything, and makes the same whatever it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.quantizers import fake

SAYS = r"noise the default there, 0.3 here|noise 0.3 there"
OPTIONS = ({"noise": 0.3}, {})


def build(base: Base, options: fake.FakeQuantizerOptions, out: Path, context: Context) -> Built:
    return fake.QUANTIZER.build(base, fake.FakeQuantizerOptions(), out, context)


QUANTIZER = replace(fake.QUANTIZER, name="ignores-option", build=build)
