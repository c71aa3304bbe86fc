"""Spans of time that do not overlap."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core import clock
from harness.core.clock import Spans


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Moments that the clock gives, one after another."""
    moments: list[float] = []
    monkeypatch.setattr(clock.time, "monotonic", lambda: moments.pop(0))
    return moments


def test_an_inner_span_is_taken_off_the_outer_one(ticking: list[float]) -> None:
    ticking += [0.0, 1.0, 4.0, 5.0, 7.0, 10.0]
    spans = Spans()
    with spans.span("outer"):
        with spans.span("inner"):
            pass
        with spans.span("inner"):
            pass
    assert spans.seconds == {"inner": 5.0, "outer": 5.0}


def test_a_span_counts_also_when_its_block_fails_and_what_follows_starts_anew(ticking: list[float]) -> None:
    ticking += [0.0, 2.0, 5.0, 6.0]
    spans = Spans()
    with pytest.raises(ValueError, match="no"), spans.span("failed"):
        raise ValueError("no")
    with spans.span("next"):
        pass
    spans.add("next", 0.5)
    assert spans.seconds == {"failed": 2.0, "next": 1.5}


def test_what_was_waited_for_a_processor_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([1.0, 1.5])
    monkeypatch.setattr(clock, "waited_seconds", lambda: next(waits))
    spans = clock.Spans()
    with spans.span("open"):
        pass
    spans.add("open", 2.0)
    assert spans.undisturbed("open") == pytest.approx(1.5, abs=0.1)
    assert spans.undisturbed("else") is None


def test_a_wait_is_no_less_than_nothing() -> None:
    assert 0 <= clock.waited_seconds() <= clock.waited_seconds()


@pytest.mark.parametrize(("told", "seconds"), [
    ("12 5000000000 8\n", 5.0), ("7 1 9\n", 1e-9), ("12\n", 0.0), ("a b c\n", 0.0), (FileNotFoundError("/proc"), 0.0),
])  # fmt: skip
def test_the_second_number_is_the_nanoseconds_waited_and_what_cannot_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, told: str | OSError, seconds: float
) -> None:
    def read_text(path: Path, encoding: str) -> str:
        assert path == Path("/proc/thread-self/schedstat")
        if isinstance(told, OSError):
            raise told
        return told

    monkeypatch.setattr(clock.Path, "read_text", read_text)
    assert clock.waited_seconds() == seconds


def test_waits_of_one_activity_add_up_and_leave_at_least_nothing(
    monkeypatch: pytest.MonkeyPatch, ticking: list[float]
) -> None:
    ticking += [0.0, 3.0, 10.0, 14.0]
    waits = iter([1.0, 1.5, 4.0, 4.25])
    monkeypatch.setattr(clock, "waited_seconds", lambda: next(waits))
    spans = Spans()
    for _ in range(2):
        with spans.span("open"):
            pass
    assert (spans.seconds, spans.waited) == ({"open": 7.0}, {"open": 0.75})
    assert spans.undisturbed("open") == 6.25
    spans.waited["open"] = 9.0
    assert spans.undisturbed("open") == 0.0
    spans.add("told", 2.0)
    assert spans.undisturbed("told") == 2.0
