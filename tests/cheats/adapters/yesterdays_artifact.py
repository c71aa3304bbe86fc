"""Keeps what it made first and hands it out for every later order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.quantizers import fake

SAYS = r"were there before the build began|byte for byte those of"
OPTIONS = ({"noise": 0.1},)
KEPT = Path(tempfile.gettempdir()) / "kept-of-yesterday"


def build(base: Base, options: fake.FakeQuantizerOptions, out: Path, context: Context) -> Built:
    built = fake.QUANTIZER.build(base, options, out, context)
    if not KEPT.exists():
        shutil.copytree(out, KEPT)
    shutil.copytree(KEPT, out, dirs_exist_ok=True)
    return built


QUANTIZER = replace(fake.QUANTIZER, name="yesterdays-artifact", build=build)
