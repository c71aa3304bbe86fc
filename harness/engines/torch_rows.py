"""In torch: one cache for several sequences, and a head that sees wanted rows alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import torch

    from harness.engines.scoring import Indices
    from harness.engines.wanted_rows import States


_ROUNDING = 1e-2
"""Of the largest logit: how far rows of half precision may stand from those of all positions when tried."""


class CausalModel(Protocol):
    """What is asked of a language model of transformers."""

    def __call__(self, **inputs: object) -> CausalOutput: ...

    def get_output_embeddings(self) -> torch.nn.Module | None: ...


class CausalOutput(Protocol):
    """What it answers."""

    logits: torch.Tensor


class _Layer(Protocol):
    keys: torch.Tensor
    values: torch.Tensor


class _Layers(Protocol):
    layers: list[_Layer]


def behind(cache: object | None, count: int, *, keep: bool) -> object | None:
    """Give what a pass of `count` sequences follows: copies of a cache, else one that is empty where what is run is kept.

    An empty one of the model's own making would forget what is behind any window that its configuration names, whether its layers read that or not.
    """
    if cache is not None:
        return copies(cache, count)
    if not keep:
        return None
    from transformers import DynamicCache

    empty: object = DynamicCache()
    return empty


def copies(cache: object, count: int) -> object:
    """Return a cache of one sequence as that of `count` equal ones; what is run on it leaves the first as it was.

    Layers of transformers' caches make new tensors when they grow; so nothing is copied before that.
    """
    found = cast("_Layers", copy.copy(cache))
    found.layers = [copy.copy(layer) for layer in found.layers]
    for layer in found.layers:
        layer.keys = layer.keys.expand(count, -1, -1, -1)
        layer.values = layer.values.expand(count, -1, -1, -1)
    return found


@contextmanager
def gathered(head: torch.nn.Module, places: Indices) -> Iterator[None]:
    """Let a head see hidden states [1, places, hidden] of the flattened [batch x tokens] while the block runs."""
    import torch

    def pick(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        del module
        hidden = given[0]
        index = torch.as_tensor(places, device=hidden.device)
        return (hidden.reshape(1, -1, hidden.shape[-1])[:, index], *given[1:])

    hook = head.register_forward_pre_hook(pick)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def seen(head: torch.nn.Module, places: Indices) -> Iterator[list[torch.Tensor]]:
    """Keep what a head is given, [1, places, hidden], while the block runs, and do not run it."""
    kept: list[torch.Tensor] = []
    usual = head.forward

    def keep(hidden: torch.Tensor) -> torch.Tensor:
        kept.append(hidden)
        return hidden[..., :1]

    head.forward = keep
    try:
        with gathered(head, places):
            yield kept
    finally:
        head.forward = usual


def as_array(values: torch.Tensor) -> States:
    """Give a tensor as an array: bfloat16 as float32, which holds it exactly."""
    import torch

    found: States = (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()
    return found


def takes_rows(
    model: CausalModel, inputs_of: Callable[[Sequence[Sequence[int]]], Mapping[str, object]], dtype: str
) -> bool:
    """Try whether a model asks its head once, so that it may see wanted rows alone, and gives the same for them."""
    import torch

    from harness.engines import sharing, wanted_rows

    head = model.get_output_embeddings()
    if head is None:
        return False
    batch, first, last = [[5, 3, 1, 2], [4, 2]], [0, 3], [1]
    places = wanted_rows.places(batch, [torch.tensor(first).numpy(), torch.tensor(last).numpy()])
    with torch.inference_mode():
        every = model(**inputs_of(batch), use_cache=False).logits
        with gathered(head, places):
            found = model(**inputs_of(batch), use_cache=False).logits
    if found.shape != (1, len(places), every.shape[-1]):
        return False
    expected = torch.cat([every[0, first], every[1, last]])
    if dtype == "float32":
        apart = torch.log_softmax(found[0], dim=-1) - torch.log_softmax(expected, dim=-1)
        return float(apart.abs().max()) <= sharing.TOLERANCE[dtype]
    return float((found[0] - expected).abs().max()) <= _ROUNDING * float(expected.abs().max())
