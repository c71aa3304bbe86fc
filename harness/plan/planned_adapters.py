"""What files may name although this version cannot run it yet: such jobs are planned and refused with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from harness.core.folder_formats import Format
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Facts, Quantizer


class Anything(Options):
    """Options of an adapter that this version does not have; nothing can be said against them."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


def _build(_base: Base, _options: Any, _out: Path, _context: Context) -> Built:
    raise NotImplementedError


def _quantizer(name: str, consumes: tuple[Format, ...], produces: Format) -> Quantizer:
    def refuse(_options: Any, _facts: Facts) -> str:
        return f"needs the quantizer '{name}', which this version does not have"

    return Quantizer(name, 0, consumes, produces, Anything, (), _build, refuse)


MODELOPT_TORCH = _quantizer("modelopt-torch", ("hf",), "hf")

PLANNED_QUANTIZERS = {"modelopt-torch": "harness.plan.planned_adapters:MODELOPT_TORCH"}
