from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.core.sessions import Request
from harness.engines import scoring, sharing, torch_rows
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact


def test_a_cache_stays_as_it_was_when_several_continue_it(tiny: Path) -> None:
    import torch

    with open_artifact(tiny / "hf", TransformersOptions(threads=1)) as session:
        forward = session._forward
        _, cache = forward.run([[5, 6, 7, 8]], [np.empty(0, dtype=np.int64)], None, keep=True)
        before = [layer.keys.clone() for layer in cache.layers]
        copied = torch_rows.copies(cache, 3)
        assert {layer.keys.shape[0] for layer in copied.layers} == {3}
        rests, last = [[9, 10, 11], [4, 3], [2, 7]], [np.asarray([2]), np.asarray([1]), np.asarray([1])]
        together, _ = forward.run(rests, last, cache, keep=False)
        for rest, at, rows in zip(rests, last, together, strict=True):
            alone = forward.run([[5, 6, 7, 8, *rest]], [at + 4], None, keep=False)[0][0]
            np.testing.assert_allclose(rows, alone, atol=1e-5)
        assert cache.get_seq_length() == 4
        assert all(torch.equal(layer.keys, old) for layer, old in zip(cache.layers, before, strict=True))


def test_only_wanted_rows_reach_the_head(tiny: Path) -> None:
    with open_artifact(tiny / "hf", TransformersOptions(threads=1)) as session:
        forward, seen = session._forward, []
        assert forward.picks
        head = forward.model.get_output_embeddings()
        hook = head.register_forward_hook(lambda module, given, made: seen.append(tuple(made.shape)))
        forward.run([[1, 2, 3, 4], [5, 6]], [np.asarray([1, 3]), np.asarray([1])], None, keep=False)
        hook.remove()
        assert seen == [(1, 3, 320)]
        assert not head._forward_pre_hooks


@pytest.mark.parametrize(
    ("off", "dtype", "takes"), [(0.0, "float32", True), (5e-4, "float32", False), (5e-4, "bfloat16", True)]
)
def test_a_head_that_gives_single_rows_otherwise_is_asked_for_all(off: float, dtype: str, takes: bool) -> None:
    import torch

    torch.manual_seed(0)
    head, embedding = torch.nn.Linear(8, 20, bias=False), torch.nn.Embedding(20, 8)

    def model(input_ids: Any, *, use_cache: bool) -> Any:
        logits = head(embedding(input_ids))
        return SimpleNamespace(logits=logits + off * (logits.shape[1] == 3) * torch.tensor([1.0, -1.0] * 10))

    def inputs_of(batch: Any) -> Any:
        return {"input_ids": torch.tensor([[*ids, *[0] * (4 - len(ids))] for ids in batch])}

    model.get_output_embeddings = lambda: head  # type: ignore[attr-defined]
    assert torch_rows.takes_rows(cast("Any", model), inputs_of, dtype) == takes


def test_the_engine_holds_what_it_tries_against_a_tenth_of_a_thousandth(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[float] = []
    usual = sharing.padding_is_harmless
    monkeypatch.setattr(sharing, "padding_is_harmless", lambda forward, most: held.append(most) or usual(forward, most))
    with open_artifact(tiny / "hf", TransformersOptions(threads=1)):
        pass
    assert held == [1e-4]


def test_a_head_that_is_asked_otherwise_goes_the_old_way(tiny: Path) -> None:
    with open_artifact(tiny / "hf", TransformersOptions(threads=1)) as session:
        forward = session._forward
        asked = [Request((1, 2, 3, 4), (5, 6)), Request((7, 8), (9,))]
        picked = session.score(asked)
        forward.picks = False
        for one, other in zip(session.score(asked), picked, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-5)


def test_sharing_in_torch_gives_the_scores_of_whole_prompts(tiny: Path) -> None:
    draw = np.random.default_rng(0)
    beginning = tuple(draw.integers(2, 320, 100).tolist())
    asked = [Request(beginning + tuple(draw.integers(2, 320, 5 + at).tolist()), (3, 4)) for at in range(9)]
    with open_artifact(tiny / "hf", TransformersOptions(threads=1)) as session:
        assert session._forward.sharing.batched
        for one, other in zip(session.score(asked), scoring.score(session._forward, asked), strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert one.greedy == other.greedy
        prompts = [list(one.context) for one in asked]
        assert session.greedy_all(prompts, 3) == [session.greedy(prompt, 3) for prompt in prompts]
        assert session.notes == session.opening_notes
