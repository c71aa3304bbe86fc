"""Records of nights in a folder: continued or told, in the order in which the folder saw them, one night at a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from filelock import Timeout

from harness.core.errors import HarnessError
from harness.night.files import Nights, alone_tonight, begun, read_nights, write_night
from tests.unit.night.numbers import START, night, number

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FRESH = night(count=1, night="", number=0, finished=None, numbers=())


def test_a_record_is_read_as_it_was_written_and_nights_are_in_their_order(tmp_path: Path) -> None:
    nights = [night(number("worse"), count=2), night(number(), count=1)]
    for one in nights:
        write_night(tmp_path, one)
    assert read_nights(tmp_path).records == tuple(nights[::-1])
    assert read_nights(tmp_path / "none") == Nights()


@pytest.mark.parametrize(("text", "said"), [
    ("{}", "is no record of a night"),
    ('{"night": "x", "numb', "is no record of a night"),
])  # fmt: skip
def test_what_is_no_record_is_told_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    write_night(tmp_path, night())
    (tmp_path / "a.json").write_text(text, "utf-8")
    found = read_nights(tmp_path)
    assert len(found.records) == 1
    assert said in found.problems[0]
    assert (tmp_path / "a.json").exists()


def test_a_record_with_nan_in_it_and_one_of_a_newer_version_do_not_count(tmp_path: Path) -> None:
    write_night(tmp_path, night(number()))
    (path,) = tmp_path.glob("*.json")
    path.write_text(path.read_text("utf-8").replace('"change": -0.001', '"change": NaN'), "utf-8")
    write_night(tmp_path, night(count=2, format=99))
    found = read_nights(tmp_path)
    assert found.records == ()
    assert "it does not count" in found.problems[0]
    assert "written by a newer version" in found.problems[1]


def test_a_copy_of_a_record_is_no_second_night(tmp_path: Path) -> None:
    write_night(tmp_path, night(number()))
    (path,) = tmp_path.glob("*.json")
    path.with_name(f"{path.stem} (1).json").write_bytes(path.read_bytes())
    found = read_nights(tmp_path)
    assert len(found.records) == 1
    assert "is a copy of its file" in found.problems[0]


def test_the_first_night_of_a_folder_has_number_1_and_nothing_to_tell() -> None:
    record, told = begun(Nights(), FRESH, START)
    assert (record.number, record.night[:9], told) == (1, "20261128-", [])


def test_a_night_that_was_cut_off_is_continued_by_the_same_words() -> None:
    cut = night(count=3, finished=None)
    record, told = begun(Nights((cut,)), FRESH, cut.started + HOUR)
    assert record == cut
    assert told == [f"continuing night {cut.night}, which was cut off; 480 of its 600 s of rounds are left"]


@pytest.mark.parametrize(("later", "words"), [(DAY, "words"), (HOUR, "other words")])
def test_otherwise_the_next_night_tells_that_it_was_cut_off(later: timedelta, words: str) -> None:
    cut = night(count=3, finished=None, asked=words)
    record, told = begun(Nights((cut,)), FRESH, cut.started + later)
    assert record.number == 4
    assert told[0].startswith(f"night {cut.night} was cut off and is not continued")
    assert ("something else" in told[0]) == (words != "words")


def test_a_clock_that_went_back_is_told_and_the_night_counts_as_later() -> None:
    last = night(count=3)
    record, told = begun(Nights((last,)), FRESH, last.started - DAY)
    assert record.number == 4
    assert "this night counts as later" in told[0]
    cut = night(count=3, finished=None)
    record, told = begun(Nights((cut,)), FRESH, cut.started - DAY)
    assert record.number == 4, "of one that lies ahead nobody knows how old it is"
    assert len(told) == 2


def test_two_nights_at_once_are_refused(tmp_path: Path) -> None:
    with (
        alone_tonight(tmp_path),
        pytest.raises(HarnessError, match="another night is running"),
        alone_tonight(tmp_path),
    ):
        pass
    with alone_tonight(tmp_path):
        pass


def test_a_lock_of_another_kind_is_not_told_as_another_night(tmp_path: Path) -> None:
    with pytest.raises(Timeout, match="other"), alone_tonight(tmp_path):
        raise Timeout("other")
    with alone_tonight(tmp_path):
        pass


def test_nights_of_other_sweeps_and_sides_in_the_folder_are_none_of_its_history() -> None:
    mine = [night(number("worse"), count=count) for count in (1, 3)]
    others = [night(number(), count=2, sweep="other"), night(number(), count=4, candidate=mine[0].baseline)]
    cut = night(count=5, finished=None)
    nights = Nights(tuple(sorted([*mine, *others, cut], key=lambda one: one.number)))
    assert nights.like(night(count=6)) == mine
    assert nights.like(night(count=3)) == mine[:1]


def test_a_night_of_another_sweep_between_neither_hides_nor_loses_one_that_was_cut_off() -> None:
    """Another sweep, or another candidate, ran in the folder since."""
    done = {"canary begun": "", "main": "s"}
    cut = night(count=3, finished=None, sessions=done)
    for more in ({"sweep": "other"}, {"candidate": cut.baseline}):
        later = night(count=4, started=cut.started + HOUR, **more)
        record, told = begun(Nights((cut, later)), FRESH, cut.started + 2 * HOUR)
        assert record == cut
        assert told == [f"continuing night {cut.night}, which was cut off; 480 of its 600 s of rounds are left"]
        record, told = begun(Nights((cut, later)), FRESH, cut.started + DAY)
        assert (record.number, len(told)) == (5, 1)
        assert told[0].startswith(f"night {cut.night} was cut off and is not continued")
        _, told = begun(Nights((cut, later)), later.model_copy(update={"finished": None}), cut.started + DAY)
        assert told == [], "it is none of its business"
    assert begun(Nights((cut,)), FRESH, cut.started + HOUR)[0].sessions == done
