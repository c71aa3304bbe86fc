"""Changes that are known: read with file and line, by what they cover, and as large as they say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.night.acknowledged import FILE, read_acknowledged
from tests.conftest import ROOT
from tests.unit.night.numbers import known, number

GOOD = (
    "- {metric: decode_tps, covers: {model: tiny, method: int4}, cause: graphs are off by default, since: 2026-11-01}\n"
)


@pytest.mark.parametrize(("text", "said"), [
    ("metric: decode_tps\n", ":1: acknowledged.yaml must be a list"),
    (GOOD + "- {metric: decode_tsp, cause: x, since: 2026-11-01}\n", ":2: unknown metric 'decode_tsp'"),
    (GOOD.replace("model:", "modle:"), ":1: unknown key of covers 'modle'"),
    ("- {metric: decode_tps, since: 2026-11-01}\n", ":1: a known change needs 'cause'"),
    ("- {metric: decode_tps, cause: x, since: tomorrow}\n", "'since' of a known change"),
    ("- {metric: decode_tps, cause: x, since: 20261101}\n", "a day is written as 2026-11-29"),
    ("- {metric: decode_tps, cause: '', since: 2026-11-01}\n", "'cause' of a known change"),
    ("- {metric: decode_tps, change: much, cause: x, since: 2026-11-01}\n", "a change is written as `-6 %`"),
    ("- {metric: decode_tps, change: -100 %, cause: x, since: 2026-11-01}\n", "which is above -100 %"),
    ("- {metric: decode_tps, change: 6 %, cause: x, since: 2026-11-01}\n", ":1: a change of 6 % makes decode_tps better"),
    ("- {metric: artifact_bytes, change: -3.0, cause: x, since: 2026-11-01}\n", "makes artifact_bytes better; a known change is one for the worse"),
])  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        known(tmp_path, text)
    assert said in str(error.value)
    assert FILE in str(error.value)


def test_an_empty_file_and_none_know_nothing(tmp_path: Path) -> None:
    assert read_acknowledged([tmp_path]) == known(tmp_path, "# nothing\n") == []
    assert read_acknowledged([ROOT / "configs"]) == []


@pytest.mark.parametrize(("change", "more", "size"), [
    ("-6 %", {}, math.log(0.94)), ("-6%", {"log": False}, -6.0), ("-6 %", {"log": False, "a": None}, None),
    ("-6", {}, math.log(0.94)), ("-6", {"log": False}, -6.0), ("-6", {"a": None}, None),
])  # fmt: skip
def test_what_is_written_is_on_the_scale_of_the_number(
    tmp_path: Path, change: str, more: dict[str, Any], size: float | None
) -> None:
    (one,) = known(tmp_path, GOOD.replace("cause", f"change: {change}, cause"))
    assert one.written(number("worse", **more)) == (None if size is None else pytest.approx(size))
    (silent,) = known(tmp_path, GOOD)
    assert silent.written(number("worse")) is None
