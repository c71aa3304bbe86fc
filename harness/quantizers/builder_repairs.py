"""What the GenAI model builder reads wrongly in a model's configuration, put right while it runs.

Found in onnxruntime-genai 0.15.2, each shown by a direct call in the tests:
- rotary embeddings of kind linear are ignored for Llama, those of kind yarn wherever `beta_fast` is left at its default;
- Gemma-2's and Gemma-3's sliding layers are guessed from their number, and Qwen's window is given to every layer, whatever
  `layer_types` says; a window that the architecture ignores is built in;
- Gemma's embedding is multiplied by the square root of the width rounded to two decimals;
- the epsilon of layer norms is looked for under one name only;
- OLMo's layer norms are taken for root mean square norms;
- any matrix with as many rows as the vocabulary is taken for the head.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

_COMPUTED = ("linear", "yarn", "llama3", "longrope")
"""Kinds of rotary embeddings whose tables are computed by transformers' own functions, where the builder does nothing of
its own about llama3 and longrope."""
_NO_WINDOW = -1
_FIXED_EPSILON = {"OlmoLayerNorm": 1e-5}
"""Norms whose epsilon stands in transformers' code; they subtract the mean."""


@contextlib.contextmanager
def repaired(config: Any) -> Iterator[None]:
    """Patch the builder's classes for one build. config: the model's configuration as transformers loaded it."""
    from builders import base, gemma  # type: ignore[import-not-found]  # top-level modules of the builder's, there once it is imported

    with contextlib.ExitStack() as stack:
        for cls, name, wrapper in (
            (base.Model, "make_rotary_embedding_caches_from_scratch", _rotary_tables(config)),
            (base.Model, "make_attention", _windows(config)),
            (base.Model, "has_lm_head", _real_head),
            (base.Model, "make_layernorm", _own_norm),
            (gemma.GemmaModel, "__init__", _exact_scale),
            *((getattr(gemma, name), "is_local", _is_local(config)) for name in ("Gemma2Model", "Gemma3Model")),
        ):
            stack.enter_context(_patched(cls, name, wrapper))
        yield


@contextlib.contextmanager
def _patched(cls: Any, name: str, wrapper: Callable[[Any], Any]) -> Iterator[None]:
    own = name in vars(cls)
    before = getattr(cls, name, None)
    if before is None:  # another version of the builder; what it makes is verified all the same
        yield
        return
    setattr(cls, name, functools.wraps(before)(wrapper(before)))
    try:
        yield
    finally:
        if own:
            setattr(cls, name, before)
        else:
            delattr(cls, name)


def _rotary_tables(config: Any) -> Callable[[Any], Any]:
    """Compute cosines and sines as transformers does: frequencies and factor by its function for the kind."""

    def wrapper(before: Any) -> Any:
        def tables(self: Any) -> Any:
            import torch
            from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

            kind = kind_of(config)
            local = hasattr(self, "cos_cache_local_name")  # Gemma-3's sliding layers have plain rotary embeddings
            if local:
                self.rope_attrs["rescale_factors"] = 1
            scaled = kind == "llama3" and "rescale_inv_freq" in self.rope_attrs
            if kind not in _COMPUTED or local or scaled or {"multi_cache", "mrope"} & set(self.rope_attrs):
                return before(self)
            frequencies, factor = ROPE_INIT_FUNCTIONS[kind](
                config, torch.device("cpu")
            )  # of sequences within the border
            places = torch.arange(self.rope_attrs["cache_length"], dtype=torch.int64).type_as(frequencies)
            angles = torch.outer(places, frequencies)
            both = torch.cat((angles, angles), dim=-1)
            return both.cos() * factor, both.sin() * factor

        return tables

    return wrapper


def _windows(config: Any) -> Callable[[Any], Any]:
    """Give each layer the window that its type has."""
    kinds = getattr(config, "layer_types", None)

    def wrapper(before: Any) -> Any:
        def attention(self: Any, layer_id: int, module: Any, *rest: Any, **named: Any) -> Any:
            kept = self.window_size
            if kinds:
                self.window_size = _window(kinds[layer_id], getattr(config, "sliding_window", None), kept)
            elif kept not in {None, _NO_WINDOW} and not _knows_windows(type(module).__module__):
                self.window_size = _NO_WINDOW
            try:
                return before(self, layer_id, module, *rest, **named)
            finally:
                self.window_size = kept

        return attention

    return wrapper


def _window(kind: str, window: int | None, kept: int | None) -> int | None:
    if kind == "sliding_attention" and window is not None:
        return window
    return kept if kept is None else _NO_WINDOW


@functools.cache
def _knows_windows(module: str) -> bool:
    """Whether the model's own code has sliding windows at all."""
    return "sliding_window" in inspect.getsource(sys.modules[module])


def _real_head(before: Any) -> Any:
    def is_head(self: Any, module: Any) -> bool:
        head = self.weights.get_output_embeddings() if hasattr(self.weights, "get_output_embeddings") else None
        return bool(before(self, module)) and (head is None or module is head)

    return is_head


def _own_norm(before: Any) -> Any:
    def layernorm(self: Any, layer_id: int, module: Any, skip: bool, simple: bool, location: str) -> Any:
        fixed = _FIXED_EPSILON.get(type(module).__name__)
        given = getattr(module, "variance_epsilon", getattr(module, "eps", fixed))
        if isinstance(given, float):
            self.layernorm_attrs["epsilon"] = given
        return before(self, layer_id, module, skip, simple and fixed is None, location)

    return layernorm


def _exact_scale(before: Any) -> Any:
    def made(self: Any, *given: Any, **named: Any) -> None:
        before(self, *given, **named)
        self.embed_attrs["scale"] = self.hidden_size**0.5

    return made


def _is_local(config: Any) -> Callable[[Any], Any]:
    kinds = getattr(config, "layer_types", None)

    def wrapper(before: Any) -> Any:
        return (lambda self, layer_id: kinds[layer_id] == "sliding_attention") if kinds else before

    return wrapper


def kind_of(config: Any) -> str:
    """Tell the kind of rotary embeddings of a loaded configuration, in either version's spelling."""
    said = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return str(said.get("rope_type") or said.get("type") or "default")
