"""The columns that a job's workload and the options of engine and recipe fill, defaults included, so that a table can name them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import canonical
from harness.core.options import validated
from harness.core.registry import load
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS, BuildSpec, MeasureSpec

_SEPARATOR = re.compile(r"[/\\]")
_PLACE = re.compile(r"[$~/]|\.{1,2}[/\\]|[A-Za-z]:[/\\]|\\\\")
"""How a path begins that says where on a machine a file lies."""
_RATES = frozenset({"request_rate"})
"""Numbers of a workload that are no counts."""
_COUNTED = 2**63
_ROLES = ("text", "task")
"""Beginnings of the roles under which a job keeps the hash of what its text or task is read from."""


def workload_columns(spec: MeasureSpec) -> dict[str, str | float | None]:
    """Return the workload's columns, None where this workload has no such field; `workload` holds all that no other column does."""
    full = _full(spec)
    numbers = {name: (_number if name in _RATES else _count)(full.get(name)) for name in WORKLOAD_NUMBERS}
    texts = {name: place_label(_text(full.get(name)), spec.contents) for name in WORKLOAD_TEXTS}
    own = {name for name, value in (numbers | texts).items() if value is not None or full.get(name) is None}
    return numbers | texts | {"workload": canonical({name: full[name] for name in full if name not in own})}


def place_label(text: str | None, contents: Mapping[str, str]) -> str | None:
    """Name what lies in a file by its last name and the beginning of its content's hash: no page tells of a machine's folders.

    Names of ours, ids of a hub, what others reported, and numbers stand as they are.
    """
    content = next((contents[role] for role in sorted(contents) if role.startswith(_ROLES)), "")
    if text is None or not (_PLACE.match(text) or (content and _SEPARATOR.search(text))):
        return text
    name = _SEPARATOR.split(text.rstrip("/\\"))[-1]
    return f"{name} {content[:6]}" if content else name


def engine_options(spec: MeasureSpec) -> str:
    """Return the engine's options as canonical JSON; of an engine unknown here or of another version what was written."""
    engine = _engine(spec.engine)
    if engine is None or engine.version != spec.engine_version:
        return canonical(spec.engine_options)
    return canonical(_defaults_added(engine.options, spec.engine_options, f"engine {spec.engine}"))


def recipe_options(spec: BuildSpec) -> str:
    """Return the quantizer's options as canonical JSON; of a quantizer unknown here or of another version what was written."""
    quantizer = _quantizer(spec.quantizer)
    if quantizer is None or quantizer.version != spec.version:
        return canonical(spec.options)
    return canonical(_defaults_added(quantizer.options, spec.options, f"quantizer {spec.quantizer}"))


def _full(spec: MeasureSpec) -> Mapping[str, Any]:
    """Add the probe's defaults; a probe unknown here, or of a version that it says nothing of, has defaults that nobody can tell."""
    probe = _probe(spec.probe)
    if probe is None:
        return spec.workload
    options = probe.workload if probe.version == spec.version else probe.earlier.get(spec.version)
    return spec.workload if options is None else _defaults_added(options, spec.workload, f"probe {spec.probe}")


def _defaults_added(options: Any, given: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    try:
        full: Mapping[str, Any] = validated(options, given, what).model_dump(mode="json")
    except HarnessError:
        return given
    return full


@functools.cache
def _probe(name: str) -> Any:
    from harness.probes import PROBES

    return load(PROBES, "probe", name) if name in PROBES else None


@functools.cache
def _engine(name: str) -> Any:
    from harness.engines import ENGINES

    return load(ENGINES, "engine", name) if name in ENGINES else None


@functools.cache
def _quantizer(name: str) -> Any:
    from harness.quantizers import QUANTIZERS

    return load(QUANTIZERS, "quantizer", name) if name in QUANTIZERS else None


def _count(value: Any) -> int | None:
    """Read a count; what is not whole is none."""
    number = _number(value)
    return int(number) if number is not None and abs(number) < _COUNTED and number.is_integer() else None


def _number(value: Any) -> float | None:
    number = (isinstance(value, int | float) and not isinstance(value, bool)) or value == "inf"
    return float(value) if number else None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else canonical(value)
