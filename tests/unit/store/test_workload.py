"""Columns of a workload and options in full, and how the write-ahead log is waited for."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.options import Options
from harness.core.spec import BuildSpec, MeasureSpec
from harness.store import opening, workload
from harness.store.workload import place_label, workload_columns

SPEC = MeasureSpec(
    probe="unheard", version=1, engine="e", engine_version=2, engine_options={"given": 1}, artifact="a" * 64
)


class Asked(Options):
    """Options with a default."""

    given: int
    other: str = "usual"


@pytest.mark.parametrize(("known", "added"), [(2, True), (3, False), (None, False)])
def test_defaults_are_added_for_the_version_that_is_here(
    monkeypatch: pytest.MonkeyPatch, known: int | None, added: bool
) -> None:
    found = None if known is None else SimpleNamespace(version=known, options=Asked, workload=Asked, earlier={})
    for name in ("_engine", "_quantizer", "_probe"):
        monkeypatch.setattr(workload, name, lambda name: found)
    whole = {"given": 1, "other": "usual"} if added else {"given": 1}
    build = BuildSpec(quantizer="q", version=2, options={"given": 1}, model="m")
    assert json.loads(workload.engine_options(SPEC)) == json.loads(workload.recipe_options(build)) == whole
    probed = SPEC.model_copy(update={"version": 2, "workload": {"given": 1}})
    assert json.loads(workload_columns(probed)["workload"]) == whole
    odd = SPEC.model_copy(update={"engine_options": {"given": "no number"}})
    assert json.loads(workload.engine_options(odd)) == {"given": "no number"}, (
        "what is refused today stands as it was written"
    )


@pytest.mark.parametrize(("value", "count", "number"), [
    (3, 3, 3.0), (3.0, 3, 3.0), (2.5, None, 2.5), (True, None, None), ("inf", None, float("inf")), ("3", None, None), (None, None, None),
    (2.0**63, None, 2.0**63), (-(2.0**62), -(2**62), -(2.0**62)),
])  # fmt: skip
def test_counts_are_whole_and_fit_into_a_column(value: Any, count: int | None, number: float | None) -> None:
    assert (workload._count(value), workload._number(value)) == (count, number)


def test_what_no_column_holds_is_kept_beside_them() -> None:
    given = {
        "batch": 2,
        "prompt": 1.5,
        "request_rate": "inf",
        "text": "reference",
        "task": ["a", "b"],
        "extra": {"x": 1},
        "stride": None,
    }
    found = workload_columns(SPEC.model_copy(update={"workload": given}))
    assert (found["batch"], found["prompt"], found["request_rate"], found["text"], found["task"]) == (
        2,
        None,
        float("inf"),
        "reference",
        '["a","b"]',
    )
    assert json.loads(found["workload"]) == {"prompt": 1.5, "extra": {"x": 1}}


@pytest.mark.parametrize(("text", "contents", "label"), [
    (None, {}, None), ("reference", {"text": "abcdef123"}, "reference"), ("/home/me/x.txt", {"text": "abcdef123"}, "x.txt abcdef"), ("/home/me/x.txt", {}, "x.txt"),
    ("/home/me/folder/", {"task": "0123456789"}, "folder 012345"), ("org/name", {}, "org/name"), ("org/name", {"text.0": "abcdef123"}, "name abcdef"),
    ("org/name", {"other": "abcdef123"}, "org/name"),
])  # fmt: skip
def test_a_place_is_told_by_its_last_name_and_content(
    text: str | None, contents: dict[str, str], label: str | None
) -> None:
    assert place_label(text, contents) == label


class Connection:
    """A driver's connection of which the first answers fail."""

    def __init__(self, *names: str) -> None:
        self.names, self.asked = list(names), 0

    def execute(self, _: str) -> None:
        self.asked += 1
        if self.names:
            error = sqlite3.OperationalError("said")
            error.sqlite_errorname = self.names.pop(0)
            raise error


def test_who_is_about_to_write_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now = [0.0]
    monkeypatch.setattr(opening.time, "sleep", slept.append)
    monkeypatch.setattr(opening.time, "monotonic", lambda: now[0])
    busy = Connection("SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT")
    opening._log_ahead(busy)
    assert (busy.asked, slept) == (3, [0.05, 0.05])
    with pytest.raises(sqlite3.OperationalError):
        opening._log_ahead(Connection("SQLITE_READONLY"))

    class Late(Connection):
        def execute(self, text: str) -> None:
            now[0] = opening._BUSY_SECONDS + 1
            super().execute(text)

    with pytest.raises(sqlite3.OperationalError):
        opening._log_ahead(Late("SQLITE_BUSY"))
    assert len(slept) == 2
