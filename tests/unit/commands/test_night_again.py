"""Nobody is called before it was worse twice, and both measurements are on record."""

from __future__ import annotations

from typing import Any

import pytest

from harness.commands import night as command
from harness.commands.night_again import measure_again
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import SLOW, candidate, last_night, night, night_bench

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280), pytest.mark.usefixtures("found"), pytest.mark.slow]


def test_three_nights_the_same_a_slowdown_and_mended_again(bench: Bench, say: Say) -> None:
    night_bench(bench)
    slow = candidate(bench, SLOW)
    issue = bench.configs.parent / "issue.md"
    slow.unlink()
    codes, heads = [], []
    for number in range(3):
        if number == 1:
            slow.write_text("8", "utf-8")
        codes.append(night(say, bench, "--issue", str(issue)).code)
        heads.append(issue.read_text("utf-8").splitlines()[:2])
        slow.unlink(missing_ok=True)
        if number == 1:
            (worse,) = last_night(bench).alarms
            assert worse.again is not None
            assert worse.change is not None
            assert max(worse.change, worse.again.change) < -1.0, "both measurements are on record"
    assert codes == [0, 1, 0]
    assert [head[1] for head in heads] == ["<!-- state: closed -->", "<!-- state: open -->", "<!-- state: closed -->"]
    assert len({head[0] for head in heads}) == 1
    record = last_night(bench)
    assert [one.name for one in record.closed] == [worse.name]
    assert [one.nights for one in record.numbers if one.metric == "decode_tps"] == [3]
    assert "quality" not in {one.pair for one in record.numbers}
    assert record.unchanged or any(one.metric == "perplexity" for one in record.numbers)


def test_what_is_worse_once_and_not_again_calls_nobody(bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    night_bench(bench)
    slow = candidate(bench, SLOW)

    def mended(*given: Any) -> Any:
        slow.write_text(
            "0.5", "utf-8"
        )  # faster: chance alone makes what is equal worse again, too, as often as is granted
        return measure_again(*given)

    monkeypatch.setattr(command, "measure_again", mended)
    said = night(say, bench)
    (one,) = [one for one in last_night(bench).numbers if one.metric == "decode_tps"]
    assert said.code == 0
    assert (one.word, one.confirmed) == ("worse", False)
    assert one.again is not None
    assert "worse at first, not again" in said.out
