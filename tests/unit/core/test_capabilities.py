"""Capabilities as open names: what a probe can live on, what an engine lacks, what a session must have."""

from __future__ import annotations

import pytest

from harness.core.capabilities import check_session, fits, lacking
from harness.core.errors import HarnessError
from harness.engines.fake import FakeEngineOptions, FakeSession

SPEED = (frozenset({"generates"}), frozenset({"reports"}))


class Opened:
    """A session that generates, and whose properties nobody may ask before somebody measures."""

    provider, dtype, load_seconds, notes, codec = "cpu", None, 0.0, (), None

    def generate(self) -> None: ...
    @property
    def switches(self) -> tuple[int, ...]:
        raise AssertionError("looked at too early")


@pytest.mark.parametrize("offers", [{"generates"}, {"reports"}, {"reports", "sings"}, {"generates", "scores"}])
def test_one_of_several_sets_is_enough(offers: set[str]) -> None:
    assert fits(SPEED, offers)
    assert lacking("generation", SPEED, "one", frozenset(offers)) is None


def test_what_lacks_is_said_in_plain_words_for_each_way() -> None:
    assert lacking("generation", SPEED, "scorer", frozenset({"scores"})) == (
        "probe 'generation' needs an engine that generates or drives a program that reports; 'scorer' does not: leave one of them out"
    )
    check = (frozenset({"generates", "tells", "scores"}),)
    assert "that scores and tells which tokens it generated; 'x' does not" in str(
        lacking("c", check, "x", frozenset({"generates"}))
    )


def test_a_capability_that_nobody_here_knows_is_a_name_like_any() -> None:
    needs = (frozenset({"sings"}),)
    assert lacking("song", needs, "bird", frozenset({"sings", "flies"})) is None
    assert "needs an engine that offers 'sings'; 'fake' does not" in str(
        lacking("song", needs, "fake", frozenset({"scores"}))
    )
    check_session(
        FakeSession(0.0, FakeEngineOptions(), 0.0), {"sings", "generates", "tells", "scores", "whole"}, "bird"
    )


def test_a_session_without_what_its_engine_declares_is_refused_by_name() -> None:
    check_session(Opened(), {"generates"}, "half")
    with pytest.raises(
        HarnessError,
        match=r"engine 'half' offers 'scores', and what it opened has no score and no logprobs and no greedy",
    ):
        check_session(Opened(), {"generates", "scores"}, "half")
    with pytest.raises(HarnessError, match="has no whole; correct the engine's `offers`"):
        check_session(Opened(), {"whole"}, "half")
