"""How many tokens a workload reads at most, as a plan has to know it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.probes import kl_options
from harness.probes.streams import StreamOptions


@pytest.mark.parametrize(
    ("parts", "tokens", "most"),
    [(["ab", "ä"], None, 6), (["ab", "ä"], 3, 5), (["ab", "ä"], 9, 6), (["abcd"], 3, 3), (["abcd"], 9, 6)],
)
def test_a_text_has_no_more_tokens_than_bytes(
    monkeypatch: pytest.MonkeyPatch, parts: list[str], tokens: int | None, most: int
) -> None:
    monkeypatch.setattr(kl_options, "from_hub", lambda text, corpus: False)
    monkeypatch.setattr(kl_options, "read", lambda text, corpus: SimpleNamespace(documents=parts))
    assert kl_options.most_tokens(StreamOptions.model_construct(tokens=tokens)) == most


@pytest.mark.parametrize(("tokens", "most"), [(None, 1_310_002), (2000, 67_536), (1_300_000, 1_310_002)])
def test_a_text_of_the_hub_has_a_bound_that_no_copy_is_needed_for(tokens: int | None, most: int) -> None:
    assert kl_options.most_tokens(StreamOptions(text="wikitext-2", tokens=tokens)) == most
