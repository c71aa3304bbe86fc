"""A quantizer that quantizes nothing, in no time: for trying sweeps, and for tests of everything around a build."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from harness.core.fault_injection import inject_fault
from harness.core.identity import digest, files_below
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Quantizer
from harness.core.spec import Note

_READ = 1 << 24
"""Bytes of the largest file of a model that is looked at."""


class FakeQuantizerOptions(Options):
    noise: float = 0.0
    """How far the fake engine's distribution strays from the fake base's."""
    bytes: int = 1000
    """Size of the artifact's only file."""
    seconds: float = 0.0
    """How long the build takes."""
    claims: Literal["", "float32", "float16"] = ""
    """Float type that the artifact is said to be in; what claims one is verified."""
    unread: bool = False
    """Whether it says that it did not read all of the weights."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where it says that it builds."""
    fail: Literal["", "error", "memory", "hang", "kill", "ask", "link"] = ""
    """How the build fails, if it does."""


def _build(base: Base, options: FakeQuantizerOptions, out: Path, context: Context) -> Built:
    context.progress(0.0, "pretending")
    time.sleep(options.seconds)
    inject_fault(options.fail if options.fail != "link" else "")
    if options.fail == "link":
        (out / "elsewhere").symlink_to(base.path)
    (out / "noise.txt").write_text(f"{options.noise!r}\n", "utf-8")
    (out / "weights.bin").write_bytes(
        (digest([base.format, options.noise, _model(base)]) * (options.bytes // 64 + 1)).encode()[: options.bytes]
    )
    notes = (Note(code="fake", text="nothing was quantized: this is a fake"),)
    unread = (Note(code="weights-unread", text="a fake does not read its weights"),) if options.unread else ()
    return Built(format="fake", notes=(*notes, *unread))


def _model(base: Base) -> str:
    """Tell one model from another by the ends of its files: what is made of them differs."""
    files = [path for path in files_below(base.path) if path.suffix in {".json", ".safetensors"}]
    return digest([[path.name, path.read_bytes()[-512:].hex()] for path in files if path.stat().st_size < _READ])


QUANTIZER = Quantizer(
    name="fake", version=1, consumes=("hf", "fake"), produces="fake", options=FakeQuantizerOptions, packages=(), build=_build,
    floats=lambda options: options.claims or None, calibrates_on=lambda options: options.device,
)  # fmt: skip
