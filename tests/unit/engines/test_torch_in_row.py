"""Continuations of one cache in one row of tokens: what each sees, and that it changes no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from harness.core.sessions import Request
from harness.engines import scoring, torch_in_row, torch_loading, transformers
from harness.engines.torch_forward import TorchForward
from tests.tiny_model import write_tokenizer


def test_a_token_sees_what_is_shared_and_its_own_continuation_up_to_itself() -> None:
    import torch

    made = torch_in_row.inputs([[7, 8, 9], [5], [4, 3]], 2, torch.float32, torch.device("cpu"))
    assert made["input_ids"].tolist() == [[7, 8, 9, 5, 4, 3]]
    assert made["position_ids"].tolist() == [[2, 3, 4, 2, 2, 3]]
    assert made["attention_mask"].shape == (1, 1, 6, 8)
    assert (made["attention_mask"][0, 0] == 0).int().tolist() == [
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 0, 1, 1],
    ]


def test_wanted_places_are_those_of_the_row() -> None:
    batch, wanted = torch_in_row.joined([[7, 8, 9], [5], [4, 3]], [np.asarray(at) for at in ([1, 2], [0], [1])])
    assert (batch, [one.tolist() for one in wanted]) == ([[7, 8, 9, 5, 4, 3]], [[1, 2, 3, 5]])


def requests() -> list[Request]:
    draw = np.random.default_rng(2)
    beginning = tuple(draw.integers(2, 320, 300).tolist())
    contexts = [beginning + tuple(draw.integers(2, 320, 3 + 7 * at).tolist()) for at in range(12)]
    return [Request(context, choice) for context in contexts for choice in ((5,), (6,))]


def test_a_row_is_neither_padded_nor_does_it_change_a_score(tiny: Path) -> None:
    seen: list[tuple[int, ...]] = []
    with transformers.open_artifact(tiny / "hf", torch_loading.TransformersOptions(threads=1)) as session:
        forward = session._forward
        assert forward.sharing.in_row == torch_in_row.TOKENS["cpu"]
        whole = scoring.score(forward, requests())
        layer = forward.model.model.layers[0]
        hook = layer.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[:2])))
        found = session.score(requests())
        hook.remove()
    for one, other in zip(found, whole, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert one.greedy == other.greedy
    rests = sum(3 + 7 * at for at in range(12))
    assert sum(count * width for count, width in seen) == 300 + rests
    assert {count for count, _ in seen} == {1}
    assert len(seen) <= 4


def test_a_model_that_takes_no_mask_of_its_own_runs_its_continuations_side_by_side(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("attention_mask must have two dimensions")

    monkeypatch.setattr(torch_in_row, "inputs", refuse)
    with transformers.open_artifact(tiny / "hf", torch_loading.TransformersOptions(threads=1)) as session:
        forward: TorchForward = session._forward
        assert (forward.sharing.batched, forward.sharing.in_row) == (True, 0)
        found = session.score(requests())
        whole = scoring.score(forward, requests())
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in whole], abs=1e-4)


def test_beyond_a_sliding_window_tokens_see_no_more_than_it(tmp_path: Path) -> None:
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(3)
    MistralForCausalLM(MistralConfig(
        vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, sliding_window=64, initializer_range=0.3,
    )).save_pretrained(tmp_path)  # fmt: skip
    write_tokenizer(tmp_path)
    ids = np.random.default_rng(4).integers(2, 320, 600).tolist()
    with transformers.open_artifact(tmp_path, torch_loading.TransformersOptions(threads=1)) as session:
        assert (session._forward.sharing.until, session._forward.sharing.in_row) == (64, 256)
        rows = [tile.logprobs.copy() for tile in session.logprobs(ids, range(600))]
        np.testing.assert_allclose(np.concatenate(rows), session.whole(ids, range(600)), atol=1e-3)
