"""Changes that are known: read with file and line, they keep numbers from being called, and are told where nothing of them is seen."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.night.acknowledged import FILE, acknowledged, read_acknowledged
from harness.night.record import exit_code
from tests.conftest import ROOT
from tests.unit.night.numbers import night, number

GOOD = (
    "- {metric: decode_tps, covers: {model: tiny, method: int4}, cause: graphs are off by default, since: 2026-11-01}\n"
)
NIGHT = date(2026, 11, 28)


def known(folder: Path, text: str) -> list:
    (folder / FILE).write_text(text, "utf-8")
    return read_acknowledged([folder])


def test_a_known_change_is_not_called_and_keeps_its_cause(tmp_path: Path) -> None:
    numbers, told = acknowledged([number("worse")], known(tmp_path, GOOD), NIGHT)
    assert [one.cause for one in numbers] == ["graphs are off by default"]
    assert told == []
    assert exit_code(night(*numbers)) == 0


@pytest.mark.parametrize("more", [{"metric": "prefill_tps"}, {"covers": {"model": "tiny", "method": "int8"}}])
def test_it_covers_nothing_else(tmp_path: Path, more: dict) -> None:
    numbers, told = acknowledged([number("worse", **more)], known(tmp_path, GOOD), NIGHT)
    assert numbers[0].alarms
    assert "no number of this night is a decode_tps that it covers" in told[0]


def test_one_that_never_happened_is_told_where_every_number_was_judged(tmp_path: Path) -> None:
    some = known(tmp_path, GOOD)
    _, told = acknowledged([number("same")], some, NIGHT)
    assert told == [
        f"{tmp_path / FILE}:1: this change of decode_tps is not seen in 1 numbers that it covers (graphs are off by default); remove it"
    ]
    assert acknowledged([number("skipped")], some, NIGHT)[1] == [], "nobody looked"


def test_one_of_a_later_day_does_not_count_yet(tmp_path: Path) -> None:
    numbers, told = acknowledged([number("worse")], known(tmp_path, GOOD.replace("2026-11-01", "2026-12-24")), NIGHT)
    assert numbers[0].alarms
    assert "after this night" in told[0]


@pytest.mark.parametrize(("text", "said"), [
    ("metric: decode_tps\n", ":1: acknowledged.yaml must be a list"),
    (GOOD + "- {metric: decode_tsp, cause: x, since: 2026-11-01}\n", ":2: unknown metric 'decode_tsp'"),
    (GOOD.replace("model:", "modle:"), ":1: unknown key of covers 'modle'"),
    ("- {metric: decode_tps, since: 2026-11-01}\n", ":1: a known change needs 'cause'"),
    ("- {metric: decode_tps, cause: x, since: tomorrow}\n", "'since' of a known change"),
    ("- {metric: decode_tps, cause: x, since: 20261101}\n", "a day is written as 2026-11-29"),
    ("- {metric: decode_tps, cause: '', since: 2026-11-01}\n", "'cause' of a known change"),
])  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        known(tmp_path, text)
    assert said in str(error.value)
    assert FILE in str(error.value)


def test_an_empty_file_and_none_know_nothing(tmp_path: Path) -> None:
    assert read_acknowledged([tmp_path]) == known(tmp_path, "# nothing\n") == []
    assert read_acknowledged([ROOT / "configs"]) == []


def test_one_that_was_seen_on_an_earlier_night_has_happened(tmp_path: Path) -> None:
    before = [night(number("worse"), count=1)]
    assert acknowledged([number("same")], known(tmp_path, GOOD), NIGHT, before)[1] == []
