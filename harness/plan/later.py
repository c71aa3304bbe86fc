"""What files may name although this version cannot run it yet: such jobs are planned and refused with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Engine, Facts, Format, Quantizer


class Anything(Options):
    """Options of an adapter that this version does not have; nothing can be said against them."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


def _absent(what: str, name: str) -> str:
    return f"needs the {what} '{name}', which this version does not have"


def _open(_folder: Path, _options: Any) -> Any:
    raise NotImplementedError


def _build(_base: Base, _options: Any, _out: Path, _context: Context) -> Built:
    raise NotImplementedError


def _engine(name: str, title: str, consumes: tuple[Format, ...]) -> Engine:
    def refuse(_options: Any, _facts: Facts) -> str:
        return _absent("engine", name)

    return Engine(
        name,
        0,
        consumes,
        frozenset({"generates", "scores"}),
        Anything,
        (),
        _open,
        refuse,
        provider=_device,
        title=title,
    )


def _device(options: Any) -> str:
    return str(getattr(options, "device", "cuda"))


def _quantizer(name: str, consumes: tuple[Format, ...], produces: Format) -> Quantizer:
    def refuse(_options: Any, _facts: Facts) -> str:
        return _absent("quantizer", name)

    return Quantizer(name, 0, consumes, produces, Anything, (), _build, refuse)


OPTIMUM_BENCHMARK = _engine("optimum-benchmark", "Optimum-Benchmark", ("hf",))
MODELOPT_TORCH = _quantizer("modelopt-torch", ("hf",), "hf")

LATER_ENGINES = {"optimum-benchmark": "harness.plan.later:OPTIMUM_BENCHMARK"}
LATER_QUANTIZERS = {"modelopt-torch": "harness.plan.later:MODELOPT_TORCH"}
