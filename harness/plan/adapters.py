"""The adapters that a plan may name: the registries."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.folder_formats import FILES, FolderFormat
from harness.core.options import Options
from harness.core.registry import Registry, load
from harness.core.seam import Engine, Probe, Quantizer
from harness.engines import folder_formats
from harness.probes import VERIFY, VERIFY_REFERENCE

SOURCE = "source"
"""The recipe word for the model's own folder: nothing is built."""
RANDOM_WEIGHTS = "random-weights"
"""The quantizer that makes a model from a configuration and a seed."""
OWN = (SOURCE, RANDOM_WEIGHTS)
"""What gives a model's own weights, in which an engine computes in the type that it is told."""
STORED_REFERENCE = "kl_reference"
"""The probe that writes down a reference's log-probabilities."""
OUTPUT_CHECK = "output_check"
"""The probe that scores what a speed job generates."""


@dataclass(frozen=True)
class Adapters:
    """Registries by name; each adapter is loaded once."""

    quantizers: Registry
    engines: Registry
    probes: Registry
    _loaded: dict[tuple[str, str], Any] = field(default_factory=dict, compare=False, repr=False)

    def quantizer(self, name: str) -> Quantizer:
        """Load a quantizer. Raises: HarnessError for an unknown name."""
        found: Quantizer = self._load(self.quantizers, "quantizer", name)
        return found

    def engine(self, name: str) -> Engine:
        """Load an engine. Raises: HarnessError for an unknown name."""
        found: Engine = self._load(self.engines, "engine", name)
        return found

    def probe(self, name: str) -> Probe:
        """Load a probe. Raises: HarnessError for an unknown name."""
        found: Probe = self._load(self.probes, "probe", name)
        return found

    def _load(self, registry: Registry, what: str, name: str) -> Any:
        if (what, name) not in self._loaded:
            self._loaded[what, name] = load(registry, what, name)
        return self._loaded[what, name]

    def folder_formats(self) -> tuple[FolderFormat, ...]:
        """Formats of folders that engines bring, and how each is recognized."""
        return folder_formats(self.engines)

    def is_format(self, name: str) -> bool:
        """Say whether a format is called so: what engines read is looked at first, so that quantizers are loaded for unknown ones alone."""
        return (
            name == FILES
            or any(name in self.engine(one).consumes for one in self.engines)
            or name in self.format_names()
        )

    def format_names(self) -> list[str]:
        """Names that a format may have: all that an adapter reads or makes."""
        opened = [name for engine in self.engines for name in self.engine(engine).consumes]
        made = [self.quantizer(name) for name in self.quantizers]
        return sorted({FILES, *opened, *(name for one in made for name in (*one.consumes, one.produces))})

    def quantizer_names(self) -> list[str]:
        """Names that a recipe may have, `source` included."""
        return sorted({SOURCE, *self.quantizers})

    def engine_names(self) -> list[str]:
        """Names that `engine` may have."""
        return sorted(self.engines)

    def probe_names(self) -> list[str]:
        """Names that `probes` may have; those behind stored references and verifications are planned by themselves."""
        return sorted(set(self.probes) - {STORED_REFERENCE, VERIFY, VERIFY_REFERENCE})

    def placed_names(self) -> list[str]:
        """Names of what runs in an environment: engines and quantizers."""
        return sorted({*self.engine_names(), *self.quantizer_names()} - {SOURCE})


def shipped() -> Adapters:
    """Give the adapters of this version."""
    from harness.engines import ENGINES
    from harness.probes import PROBES
    from harness.quantizers import QUANTIZERS

    return Adapters(QUANTIZERS, ENGINES, PROBES)


_LISTS = (list, tuple, set, frozenset, Sequence, Iterable)


def takes_list(options: type[Options], name: str) -> bool:
    """Whether an option's own type is a list, so that a list given for it is one value and no axis."""
    known = options.model_fields.get(name)
    return known is not None and _is_list(known.annotation)


def _is_list(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _is_list(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_is_list(part) for part in typing.get_args(annotation))
    return (origin or annotation) in (*_LISTS, *(getattr(kind, "__origin__", kind) for kind in _LISTS))
