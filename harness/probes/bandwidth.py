"""Decoding against the memory's bandwidth: what a step must read, over its seconds, over how fast the device copies.

A step multiplies one token of each sequence with all weights and reads the keys and values of all tokens before; so it lasts at least as long as reading
these takes. Activations, the logits and what is written are left out, so that the bound is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.seam import Context, MetricValue
from harness.core.sessions import Session
from harness.core.spec import JsonObject, Note
from harness.probes.copying import Copied, copied
from harness.probes.speed import Work

_WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}
_KEPT = "copied"


@dataclass(frozen=True)
class BandwidthShare:
    """What was found, as parts of a result."""

    values: tuple[MetricValue, ...] = ()
    facts: JsonObject = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


NOT_ASKED = BandwidthShare()


def share_of(session: Session, step_seconds: float | None, work: Work, context: Context) -> BandwidthShare:
    """Time copies where the session computes, once in a process, and set a decode step against them.

    step_seconds: of a typical step, which makes a token of each sequence; None where there is none. A note says why where copies cannot be
    timed, or nobody knows what a step reads.
    """
    device = "cpu" if session.provider.startswith("cpu") else "cuda"
    found = _copied(device, context)
    if isinstance(found, str):
        return _unknown(f"no copies could be timed on {device}: {found}")
    speeds = found.bandwidths
    values = [_value("copy_bandwidth", max(speeds), speeds)]
    facts: JsonObject = {"copied_bytes": found.bytes, "copied_by": found.by}
    weights, dtype = context.weights_read(session.dtype), session.dtype or ""
    cache = cache_bytes(shape_of(context.artifact), dtype, work) if context.artifact else None
    if weights is None or cache is None or not step_seconds:
        text = "what a decode step of this artifact reads is not known here, so its share of the memory bound is not either"
        return BandwidthShare(tuple(values), facts, (Note(code="bound-unknown", text=text),))
    share = (weights + cache) / step_seconds / max(speeds)
    return BandwidthShare(
        (*values, _value("bandwidth_share", share, [share])), facts | {"weights_read": weights, "cache_read": cache}
    )


def _copied(device: str, context: Context) -> Copied | str:
    """Time copies, or say why they cannot be timed; either way once in a process."""
    found = context.shared.get(_KEPT)
    if found is None:
        try:
            found = copied(device)
        except HarnessError as error:
            found = str(error)
        context.shared[_KEPT] = found
    assert isinstance(found, Copied | str)
    return found


def _unknown(text: str) -> BandwidthShare:
    return BandwidthShare(notes=(Note(code="bound-unknown", text=text),))


def _value(metric: str, value: float, samples: list[float]) -> MetricValue:
    import numpy as np

    return MetricValue(metric, value, np.asarray(samples, dtype=np.float64))


def shape_of(artifact: Path) -> tuple[int, int, int] | None:
    """Read layers, heads of keys and values, and a head's width from an artifact's configuration.

    None where it has none that is known, or where not every layer reads all tokens before (windows, linear attention).
    """
    for name, within in (("genai_config.json", ("model", "decoder")), ("config.json", ())):
        if (artifact / name).is_file():
            said: Any = json.loads((artifact / name).read_text("utf-8"))
            for key in within:
                said = said.get(key) or {}
            return _shape(said.get("text_config") or said)
    return None


def _shape(said: Mapping[str, Any]) -> tuple[int, int, int] | None:
    windowed = said.get("sliding_window") and said.get("use_sliding_window") is not False
    if windowed or {"full_attention", *(said.get("layer_types") or ())} != {"full_attention"}:
        return None
    layers, heads = said.get("num_hidden_layers"), said.get("num_attention_heads")
    groups = said.get("num_key_value_heads") or heads
    hidden = said.get("hidden_size")
    width = said.get("head_size") or said.get("head_dim") or (hidden // heads if hidden and heads else None)
    return (int(layers), int(groups), int(width)) if layers and groups and width else None


def cache_bytes(shape: tuple[int, int, int] | None, dtype: str, work: Work) -> int | None:
    """Count the keys and values that a decode step reads, on average over the steps. shape: layers, heads, width of a head."""
    if shape is None or dtype not in _WIDTHS:
        return None
    layers, heads, width = shape
    tokens = work.batch * (work.prompt + work.output / 2)
    return round(2 * layers * heads * width * _WIDTHS[dtype] * tokens)
