"""Rotary embeddings that the builder would write wrongly, and what is done about them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

_LAYER = re.compile(r"Reading (?:decoder )?layer (\d+)")
"""What the builder prints before each layer."""


_ROTATED = 16
"""Heads whose size this divides can be rotated inside ONNX Runtime's attention."""


@contextlib.contextmanager
def _steady_rotation() -> Iterator[None]:
    """Let torch compute cosines and sines in one thread, so that building twice gives the same bytes.

    Seen once in about a thousand builds: in the first call of a process the second thread computed its half of the cosine
    cache to only 1e-4 (torch 2.13 with MKL); the sines that followed were right.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    steadied = {torch.cos, torch.sin, torch.Tensor.cos, torch.Tensor.sin}

    class Steady(TorchFunctionMode):  # type: ignore[misc]  # torch does not type it
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func not in steadied:
                return func(*args, **(kwargs or {}))
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                return func(*args, **(kwargs or {}))
            finally:
                torch.set_num_threads(threads)

    with Steady():
        yield


@contextlib.contextmanager
def _separate_rotation() -> Iterator[None]:
    """Let the builder put rotary embeddings into nodes of their own, as it does for DirectML."""
    from builders.base import Model  # type: ignore[import-not-found]  # a top-level module of the builder's, there once the builder is imported

    fused = Model.is_fused_rope_supported
    Model.is_fused_rope_supported = lambda self: False
    try:
        yield
    finally:
        Model.is_fused_rope_supported = fused
