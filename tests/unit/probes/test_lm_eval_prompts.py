"""Prompts as token ids where tokenizers make it hard: merges across the border of context and continuation, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import Request
from harness.engines import scoring, shared_scoring
from harness.probes.lm_eval_prompts import Encoder, Tally, fit
from tests.unit.engines.sharing_fake import Shares
from tests.unit.probes.table_scores import ByteCodec

MERGES = {b"x y": 3, b": ": 1, b" A": 2}


class Merging(ByteCodec):
    """Bytes, but `: ` and ` A`, and the whole of `x y`, are one token each: what stands at a border decides."""

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        content, found = text.encode(), [256] * bos
        while content:
            merge = next((one for one in MERGES if content.startswith(one)), b"")
            found.append(MERGES[merge] if merge else content[0])
            content = content[len(merge) or 1 :]
        return found


class Wide(Shares):
    """The forward pass with a vocabulary that bytes fit."""

    vocabulary = 257


def theirs(context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Split as lm-eval's own models do."""
    pytest.importorskip("lm_eval")
    from lm_eval.api.model import TemplateLM

    class Model(TemplateLM):  # type: ignore[misc]
        backend = "causal"
        eot_token_id = loglikelihood_rolling = generate_until = _loglikelihood_tokens = None

        def tok_encode(self, string: str, add_special_tokens: Any = None, **_: Any) -> list[int]:
            return Merging().encode(string)

    before, after = Model()._encode_pair(context, continuation)
    return list(before), list(after)


@pytest.mark.parametrize(
    ("context", "continuation"),
    [("Answer:", " A"), ("Answer: ", "A"), ("Answer", ": no"), ("A", "nswer"), ("Answer: x", " yes"), ("so x", " y A")],
)
def test_what_merges_across_the_border_is_split_as_lm_eval_splits_it(context: str, continuation: str) -> None:
    before, after = Encoder(Merging(), bos=False).pair(context, continuation)
    assert (list(before), list(after)) == theirs(context, continuation)


def test_a_merge_that_swallows_the_continuation_is_an_error_that_names_it() -> None:
    before, after = Encoder(Merging(), bos=False).pair("x", " y")
    assert after == ()
    with pytest.raises(HarnessError, match=r"the continuation \('x', ' y'\) has no token of its own after its context"):
        fit(100, Tally(), ("x", " y"), before, after)


def test_choices_of_which_one_merges_are_scored_as_each_alone() -> None:
    """Of each question one choice merges with its context's last token."""
    encoder = Encoder(Merging(), bos=True)
    beginning = "One long example. " * 5
    pairs = [encoder.pair(f"{beginning}{number} x", choice) for number in range(4) for choice in (" y A", " A", " B")]
    requests = [fit(4000, Tally(), None, *pair) for pair in pairs]
    found = shared_scoring.score(Wide(), requests)
    expected = [scoring.score(Wide(), [request])[0] for request in requests]
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-5)
    assert {len(request.continuation) for request in requests} == {1, 2}


def test_a_context_that_does_not_fit_is_cut_on_the_left_and_counted_once_a_prompt() -> None:
    tally = Tally(trained=8)
    context: Sequence[int] = range(20)
    for wanted in ((1,), (2,), (3, 4)):
        request = fit(10, tally, ("prompt", ""), context, wanted)
        assert request == Request(tuple(range(20))[-(11 - len(wanted)) :], wanted)
    assert (tally.truncated, tally.beyond, tally.longest) == ({"prompt"}, {"prompt"}, 10)
    with pytest.raises(HarnessError, match="a continuation of 12 tokens does not fit the context of 10 tokens"):
        fit(10, tally, None, context, tuple(range(12)))
