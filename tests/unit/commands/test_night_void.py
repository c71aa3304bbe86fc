"""Rounds of nights before that `harness mark SESSION --void` took out."""

from __future__ import annotations

from pathlib import Path

from harness.commands.night_void import void_rounds
from tests.unit.night.numbers import night
from tests.unit.store.test_marking import VOID, mark, rounds, taken


def test_a_session_is_void_once_none_of_its_runs_counts(tmp_path: Path) -> None:
    one, two = rounds(100.0), rounds(100.0, 101.0, session="s2")
    nights = [night(count=1, sessions={"main": "s1"}), night(count=2, sessions={"main": "s2"}), night(count=3)]
    with taken(tmp_path, *one, *two) as database:
        assert void_rounds(nights, database) == {}
        for outcome in (*one, two[0]):
            mark(database, tmp_path, outcome.job.run, VOID)
        assert void_rounds(nights, database) == {"s1": "the fan stood still"}, "the other half of s2 counts"
        mark(database, tmp_path, two[1].job.run, VOID)
        assert void_rounds(nights, database) == {"s1": "the fan stood still", "s2": "the fan stood still"}
        assert void_rounds(nights[:1], database) == {"s1": "the fan stood still"}
