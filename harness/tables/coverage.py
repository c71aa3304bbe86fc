"""Which weights the methods of a table quantize: said below a table that compares methods of different coverage. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.tables.rows import TableRow

Title = Callable[[str, str], str]
"""Dimension and name to what tables call it."""
_ENDS = ("head", "embedding")


@dataclass(frozen=True)
class _Covered:
    """What a recipe of a method quantizes in one model."""

    method: str
    recipe: str
    parts: tuple[str, ...]
    """Of layers, head and embedding; none where all weights are floats."""
    bits: str


def coverage(rows: Iterable[TableRow], title: Title) -> list[str]:
    """Say per model what each method quantizes where its quantized methods differ in head or embedding."""
    by_model: dict[str, dict[_Covered, None]] = {}
    for row in rows:
        if row.text("scheme") is not None:
            by_model.setdefault(row.text("model") or "", {})[_covered(row)] = None
    said = {model: _said([one for one in found if one.parts], title) for model, found in by_model.items()}
    told = {model: text for model, text in said.items() if text}
    if len(told) < 2:
        return [f"Not all methods quantize the same weights (bits per weight): {text}." for text in told.values()]
    return [
        f"Not all methods quantize the same weights of {title('model', model)} (bits per weight): {text}."
        for model, text in told.items()
    ]


def _covered(row: TableRow) -> _Covered:
    parts = quantized_parts(row.text("scheme") or "")
    bits = row.get("bits_per_weight")
    return _Covered(row.text("method") or "", row.text("recipe") or "", parts, "" if bits is None else f"{bits:.2f}")


def quantized_parts(scheme: str) -> tuple[str, ...]:
    """Read which parts a scheme quantizes: `layers`, `head`, `embedding`."""
    body, *ends = scheme.split("; ")
    kinds = {"layers": body} | {word: text for word, _, text in (end.partition(" ") for end in ends) if word in _ENDS}
    return tuple(name for name, text in kinds.items() if any(not _is_float(kind) for kind in text.split(" + ")))


def _is_float(kind: str) -> bool:
    return kind.partition(" ")[0] in {"float", "float16", "bfloat16", "float32", "float64", ""}


def _said(found: Sequence[_Covered], title: Title) -> str:
    """Write what is quantized by which methods; nothing where all quantize the same parts."""
    parts = sorted({one.parts for one in found}, key=len, reverse=True)
    if len(parts) < 2:
        return ""
    return "; ".join(f"{_parts(part)} in {', '.join(_names(part, found, title))}" for part in parts)


def _names(parts: tuple[str, ...], found: Sequence[_Covered], title: Title) -> list[str]:
    named = ((_name(one, found, title), one.bits) for one in found if one.parts == parts)
    return [f"{name} ({bits})" if bits else name for name, bits in named]


def _name(one: _Covered, found: Sequence[_Covered], title: Title) -> str:
    name = title("method", one.method)
    others = {other.recipe for other in found if title("method", other.method) == name}
    return f"{name} of {one.recipe}" if len(others) > 1 else name


def _parts(parts: tuple[str, ...]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else f"{last} alone"
