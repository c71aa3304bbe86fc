"""Keys and ids: what can change an answer, hashed; and what must be equal for an answer to count as known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from harness.core.identity import digest
from harness.core.seam import Facts
from harness.core.spec import BuildSpec, MeasureSpec


def spec_key(spec: BuildSpec | MeasureSpec, located: Iterable[str] = ()) -> str:
    """Hash a spec: sha256 of its canonical JSON, defaults left out (64 hex digits).

    `located` names options or workload fields that only say where contents lie: their hashes stand for them, so that
    a folder that was moved, or lies elsewhere on another machine, is the same question. `corpus.path` is a field of a field.
    """
    value = spec.model_dump(mode="json", exclude_defaults=True)
    if spec.contents:
        field = "options" if isinstance(spec, BuildSpec) else "workload"
        kept = _without(value.pop(field, {}), set(located))
        value |= {field: kept} if kept else {}
    return digest(value)


def _without(fields: Mapping[str, Any], located: set[str], above: str = "") -> dict[str, Any]:
    """Leave out located fields, and fields that have nothing else in them."""
    kept: dict[str, Any] = {}
    for name, said in fields.items():
        inside = any(place.startswith(f"{above}{name}.") for place in located)
        left = _without(said, located, f"{above}{name}.") if inside and isinstance(said, dict) else said
        if f"{above}{name}" not in located and (left or left == said):
            kept[name] = left
    return kept


def normal(name: str) -> str:
    """Write a distribution's name the one way that all spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


OURS = "quant-harness"
"""What measures, not what is measured: its own version makes no result unknown."""


def package_identity(names: Iterable[str], facts: Facts | None) -> dict[str, str]:
    """Give the versions of the named packages in an environment, and of whatever was installed from a file or a source.

    What is not installed is left out. Of a library that a nightly wheel brings, nobody can say beforehand who imports it.
    """
    if facts is None:
        return {}
    there = {normal(name): version for name, version in facts.packages.items()}
    return {name: there[name] for name in sorted({*map(normal, names), *exact(there)}) if name in there}


def exact(versions: Mapping[str, str]) -> frozenset[str]:
    """Name the packages that were installed from a file or a source, and have their content or commit beside the version."""
    return frozenset(name for name, version in versions.items() if "@" in version and name != OURS)


def artifact_id(build_key: str, packages: Mapping[str, str]) -> str:
    """Give the id of what a build makes: its key and the packages of the environment that builds it."""
    return digest([build_key, dict(packages)])


class KnownBy(TypedDict, total=False):
    """What must be equal, beside the key, for a quality result to count as known. packages: version by name; gpu: its model, where one is used."""

    packages: dict[str, str]
    provider: str
    gpu: str | None


def known_by(names: Iterable[str], provider: str, facts: Facts | None) -> KnownBy:
    """Say what must be equal, beside the key, for a quality result to count as known.

    Packages of the engine and the probe, the provider, and the GPU's model where one is used.
    """
    gpu = facts.gpus[0] if facts and facts.gpus and provider != "cpu" else None
    return {"packages": package_identity(names, facts), "provider": provider, "gpu": gpu}


def reference_id(measure_key: str, known: KnownBy) -> str:
    """Give the id of a stored reference: the key of the job that writes it and what the numbers depend on."""
    return digest([measure_key, dict(known)])
