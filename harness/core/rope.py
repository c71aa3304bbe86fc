"""Rotary position embeddings as a model's configuration says them, in the spelling of transformers 4 and of 5."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.core.errors import HarnessError, Unsupported
from harness.core.spec import Note

_NEWER = "use an environment with transformers 5, as genai-latest"
TRANSLATED = Note(
    code="config-translated",
    text="config.json was written by transformers 5 (rope_parameters) and was read in the spelling of transformers 4",
)

_APART = ("rope_type", "type", "rope_theta", "partial_rotary_factor")
"""Keys of `rope_parameters` and `rope_scaling` that have a field of their own."""
_PHI3_KEYS = {"short_factor", "long_factor"}
_LOCAL = ("full_attention", "sliding_attention")


@dataclass(frozen=True)
class Rope:
    """What a configuration says of its rotary embeddings; what it leaves to the class is None."""

    kind: str = "default"
    """default, linear, dynamic, yarn, longrope, llama3 ..."""
    theta: float | None = None
    partial: float | None = None
    """Share of each head that is rotated."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further keys, as factor, beta_fast, short_factor."""
    by_layer: Mapping[str, Any] = field(default_factory=dict)
    """`rope_parameters` as they are where they differ by the type of layer."""

    @property
    def original(self) -> int | None:
        """Positions that the model was first trained on, where the settings say so."""
        return self.settings.get("original_max_position_embeddings")


def read_rope(config: Mapping[str, Any]) -> Rope:
    """Read `rope_parameters` (transformers 5), or `rope_scaling`, `rope_theta` and their like (transformers 4)."""
    written = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(written, Mapping):
        return Rope()
    if _nested(written):
        return Rope(kind="by layer", by_layer=written)
    kind = str(written.get("rope_type") or written.get("type") or "default")
    settings = {key: value for key, value in written.items() if key not in _APART and value is not None}
    return Rope(
        kind="longrope" if kind == "su" else kind,
        theta=_first("rope_theta", written, config),
        partial=_first("partial_rotary_factor", written, config),
        settings=settings,
    )


def lost(written: Rope, loaded: Rope) -> list[str]:
    """Name what a file says of its rotary embeddings and a loaded configuration does not, as `rope_theta 1000000.0`.

    The loaded configuration may hold more, since its class adds defaults.
    """
    if written.by_layer:
        same = loaded.by_layer == written.by_layer
        return [] if same else [f"{name} {value}" for name, value in written.by_layer.items()]
    pairs: list[tuple[str, Any, Any]] = [
        ("rope_theta", written.theta, loaded.theta),
        ("partial_rotary_factor", written.partial, loaded.partial),
    ]
    if written.kind != "default":
        pairs.append(("rope_type", written.kind, loaded.kind))
        pairs += [(key, value, loaded.settings.get(key)) for key, value in written.settings.items()]
    return [f"{name} {said}" for name, said, found in pairs if said is not None and said != found]


def hold_rope(written: Mapping[str, Any], config: Any) -> None:
    """Hold what config.json says of rotary embeddings against a loaded configuration of transformers.

    Raises: Unsupported where the class has no place for a key, HarnessError naming the first key that did not arrive.
    """
    inner = written.get("text_config")
    part = {**written, **inner} if isinstance(inner, Mapping) else written
    loaded = config.get_text_config()
    if part.get("rope_parameters"):
        _hold_places(part, loaded)
    said, found = read_rope(part), read_rope(loaded.to_dict())
    if said.by_layer and not found.by_layer:
        return  # translated: as_version_4 refuses what has no place
    if said.kind == found.kind == "longrope":  # transformers 4 keeps these two elsewhere, or derives them
        kept = {
            key: said.settings[key] for key in ("original_max_position_embeddings", "factor") if key in said.settings
        }
        found = replace(found, settings={**kept, **found.settings})
    missing = lost(said, found)
    if missing:
        raise HarnessError(
            f"config.json says {missing[0]}, which this transformers does not read; the file was written for another "
            f"version: {_NEWER}"
        )


def _hold_places(part: Mapping[str, Any], loaded: Any) -> None:
    """Refuse a class of transformers 4 that would keep `rope_theta` or its like as a word that nothing reads."""
    known = inspect.signature(type(loaded).__init__).parameters
    if "rope_parameters" in known:
        return
    for key, value in as_version_4(part).items():
        if (
            key in {"rope_theta", "rope_scaling", "partial_rotary_factor"}
            and key not in known
            and value is not None
            and value != 1.0
        ):
            raise Unsupported(
                f"config.json was written by transformers 5, and what it says of {key} has no place in the "
                f"{type(loaded).__name__} of transformers 4; {_NEWER}"
            )


def as_version_4(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write a configuration of transformers 5 as transformers 4 reads it; one without `rope_parameters` comes back equal.

    Raises: Unsupported where version 4 has no way to say the same.
    """
    found = dict(config)
    if isinstance(found.get("text_config"), Mapping):
        found["text_config"] = as_version_4(found["text_config"])
    written = found.pop("rope_parameters", None)
    if not isinstance(written, Mapping) or not written:
        return found
    if _nested(written):
        written = _one_of_layers(found, written)
    found.pop("rope_scaling", None)
    rope = read_rope({**found, "rope_parameters": written})
    said = {"rope_theta": rope.theta, "partial_rotary_factor": rope.partial}
    found |= {key: value for key, value in said.items() if value is not None}
    if rope.kind != "default" or rope.settings:
        found["rope_scaling"] = {"rope_type": rope.kind, **rope.settings}
    if rope.kind == "longrope":
        _longrope(found, rope)
    return found


def _nested(written: Mapping[str, Any]) -> bool:
    return bool(written) and all(isinstance(value, Mapping) for value in written.values())


def _one_of_layers(config: dict[str, Any], written: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the one set of parameters that version 4 knows; Gemma 3's local layers have a key of their own."""
    first: Mapping[str, Any] = next(iter(written.values()))
    if all(value == first for value in written.values()):
        return first
    full, local = (written.get(name) for name in _LOCAL)
    known = str(config.get("model_type", "")).startswith("gemma3") and set(written) == set(_LOCAL)
    if not known or full is None or local is None or set(local) - {"rope_type", "rope_theta"}:
        raise Unsupported(
            "rope_parameters in config.json differ by the type of layer, which transformers 4 cannot hold for this model; "
            f"{_NEWER}"
        )
    config["rope_local_base_freq"] = local["rope_theta"]
    return dict(full)


def _longrope(config: dict[str, Any], rope: Rope) -> None:
    """Put what version 4 reads elsewhere in its place: the first context length, and the ratio of lengths."""
    original = rope.original or config.get("original_max_position_embeddings")
    if original is not None:
        config["original_max_position_embeddings"] = original
    context, factor = config.get("max_position_embeddings"), rope.settings.get("factor")
    same = not (factor and original and context) or factor == context / original
    scaling = config["rope_scaling"]
    if config.get("model_type") != "phi3":
        if not same:
            scaling.setdefault("attention_factor", _attention_factor(float(factor or 1.0), int(original or 1)))
        return
    if not same or "attention_factor" in scaling:
        raise Unsupported(
            "rope_parameters in config.json give longrope a factor or attention_factor of its own, which transformers 4 "
            f"cannot hold for phi3; {_NEWER}"
        )
    config["rope_scaling"] = {"type": "longrope", **{key: scaling[key] for key in sorted(_PHI3_KEYS & set(scaling))}}


def _attention_factor(factor: float, original: int) -> float:
    """Compute what transformers derives from `factor` (LongRoPE, arXiv:2402.13753)."""
    import math

    return 1.0 if factor <= 1.0 else math.sqrt(1 + math.log(factor) / math.log(original))


def _first(key: str, *places: Mapping[str, Any]) -> float | None:
    found = next((place[key] for place in places if place.get(key) is not None), None)
    return None if found is None else float(found)
