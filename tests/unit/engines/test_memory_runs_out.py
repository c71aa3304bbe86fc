"""Engines whose memory runs out in the middle of a pass go on with smaller ones, and say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.sessions import Request
from harness.engines import ort_genai, ort_genai_opening, torch_loading, transformers

HOLDS = 90


def requests() -> list[Request]:
    draw = np.random.default_rng(0)
    beginning = tuple(draw.integers(2, 320, 150).tolist())
    found = [Request(beginning + tuple(draw.integers(2, 320, 20 + at).tolist()), (3, 4)) for at in range(6)]
    return found + [Request(tuple(draw.integers(2, 320, 40 + at).tolist()), (5,)) for at in range(5)]


def hold(session: Any, fails: Any) -> None:
    asked = requests()
    expected = session.score(asked)
    rows = [tile.logprobs.copy() for tile in session.logprobs(asked[0].context, range(100, 120))]
    assert session.notes == ()
    fails()
    found = session.score(asked)
    assert [one.greedy for one in found] == [one.greedy for one in expected]
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-4)
    again = [tile.logprobs.copy() for tile in session.logprobs(asked[0].context, range(100, 120))]
    np.testing.assert_allclose(np.concatenate(again), np.concatenate(rows), atol=1e-4)
    [note] = session.notes
    assert note.code == "smaller-passes"
    assert session._forward.room.halved >= 1


def test_torch_goes_on_when_a_layer_finds_no_memory_though_the_cache_had_grown_before_it(tiny: Path) -> None:
    import torch

    def refuse(module: Any, given: Any, made: Any) -> None:
        hidden = given[0] if given else None
        if hidden is not None and hidden.shape[0] * hidden.shape[1] > HOLDS:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with transformers.open_artifact(tiny / "hf", torch_loading.TransformersOptions(threads=1)) as session:
        hold(session, lambda: session._forward.model.model.layers[1].mlp.register_forward_hook(refuse))


class Tight:
    """An ONNX Runtime session on a device that holds little."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def io_binding(self) -> Any:
        return Binding(self.session.io_binding())

    def run_with_iobinding(self, binding: Any, *settings: Any) -> None:
        if binding.tokens > HOLDS:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1073741824")
        self.session.run_with_iobinding(binding.binding, *settings)


class Binding:
    """Notes how many tokens are bound."""

    def __init__(self, binding: Any) -> None:
        self.binding = binding
        self.tokens = 0

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self.tokens = array.size if name == "input_ids" else self.tokens
        self.binding.bind_cpu_input(name, array)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.binding, name)


def test_onnxruntime_goes_on_when_an_allocation_fails(tiny: Path) -> None:
    with ort_genai.open_artifact(tiny / "fp32", ort_genai_opening.OrtGenaiEngineOptions(threads=1)) as session:

        def fails() -> None:
            session._forward.session = Tight(session._forward.session)

        hold(session, fails)
