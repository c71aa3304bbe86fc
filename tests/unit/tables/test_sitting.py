"""Which session a cell shows, and what marks it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from harness.core.spec import Note, Status
from harness.tables.markdown import to_markdown
from tests.unit.store.outcomes import BEGIN, failed
from tests.unit.tables.frames import row
from tests.unit.tables.sittings import FP32, INT4, SPEED, row_of, sitting


def test_the_newest_session_counts_and_a_clock_set_back_inside_it_changes_nothing(shown: Any) -> None:
    back = sitting(INT4, session="s-2")
    back[2] = back[2].model_copy(update={"started": BEGIN - timedelta(days=900)})
    made = shown(SPEED, *sitting(FP32, session="s-1"), *back)
    assert row_of(made)[1].startswith("251.6 ±")


def test_sides_of_two_sessions_have_no_interval_and_a_mark(shown: Any) -> None:
    made = shown(SPEED, *sitting(FP32), *sitting(INT4, "int4_rtn", session="s-2"))
    cell = made.sections[0].rows[1][2]
    assert cell.text == "2.507x"
    assert made.notes[cell.notes[0] - 1].startswith("other session: ")


def test_a_mark_of_any_round_stands_at_the_cell_and_once_below(shown: Any) -> None:
    noted = [Note(code="unstable", text=f"steps varied by {share} %") for share in (11, 12, 13, 14)]
    slow = [one.model_copy(update={"notes": (note,)}) for one, note in zip(sitting(FP32), noted, strict=False)]
    made = shown(SPEED, *slow, *sitting(FP32[4:], session="s-1", first=4), *sitting(INT4, "int4_rtn"))
    rows = made.sections[0].rows
    assert [cell.notes for cell in (*rows[0][1:], *rows[1][1:])] == [(1,), (1,), (), (1,)]
    assert made.notes == ("unstable: steps varied by 11 to 14 %",)
    text = to_markdown(made).markdown
    assert "<sup>1</sup> |" in text
    assert text.count("steps varied by 11 to 14 %") == 1


def test_memory_is_not_marked_by_what_only_slows(shown: Any) -> None:
    spec = "t: {where: {sweep: any}, rows: [method], cells: {A: {metric: peak_rss_bytes, unit: B, format: 0}}}"
    notes = (Note(code="unstable", text="steps varied"), Note(code="unverified", text="needs 280 GB"))
    made = shown(spec, *sitting((8.0, 9.0, 10.0), metric="peak_rss_bytes", notes=notes))
    assert made.notes == ("unverified: needs 280 GB",)


def test_slices_within_their_floors_are_marked_in_their_own_cells_alone(table: Any) -> None:
    spec = (
        "t: {where: {sweep: any}, rows: [method], cells: {KL: {metric: kl_divergence, unit: nat, format: 3}, "
        "Sure: {metric: kl_divergence, slice: 'confidence:0.99-1', unit: nat, format: 3}}}"
    )
    note = Note(code="slices-under-floor", text="cannot be told from none: confidence:0.99-1 (1.0e-09 nat)")
    given = {"kind": "quality", "notes": json.dumps([note.model_dump()]), "run": "one"}
    rows = [
        row("kl_divergence", 1e-3, **given),
        row("kl_divergence", 1e-9, slice="confidence:0.99-1", measurement_id="one#1", **given),
    ]
    made = table(spec, *rows)
    assert [cell.notes for cell in made.sections[0].rows[0][1:]] == [(), (1,)]
    assert made.notes == (f"slices within their floors: {note.text}",)


def test_rounds_that_failed_for_good_mark_the_mean_of_the_others(shown: Any) -> None:
    dead = sitting((0.0,) * 5)[4]
    lost = failed(7, Status.OOM, job=dead.job, started=dead.started)
    made = shown(SPEED, *sitting(FP32[:4]), lost)
    cell = made.sections[0].rows[0][1]
    assert cell.text.startswith("100.7 ±")
    assert made.notes[cell.notes[0] - 1] == "incomplete: 1 of 5 rounds gave no number (oom: killed for memory)"


def test_a_session_that_only_failed_shows_its_failure(shown: Any) -> None:
    dead = sitting((0.0,), session="s-2")[0]
    lost = failed(7, Status.OOM, job=dead.job, started=dead.started)
    made = shown(SPEED, *sitting(FP32), lost)
    assert row_of(made)[1] == "oom"
