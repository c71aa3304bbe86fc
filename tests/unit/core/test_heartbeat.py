"""A number that rises while somebody lives."""

from __future__ import annotations

import time
from pathlib import Path

from harness.core.heartbeat import BEAT_SECONDS, GONE_SECONDS, beating


def test_the_number_begins_at_one_rises_by_one_and_goes_with_its_writer(tmp_path: Path) -> None:
    file, seen = tmp_path / "beat", []
    with beating(file, 0.2):
        assert file.read_bytes() == b"0000000001\n"
        while not seen or seen[-1] < 4:
            seen.append(int(file.read_text("utf-8")))
            time.sleep(0.002)
    assert sorted(seen) == seen
    assert len(set(seen)) >= 3, "one by one, unless this process had no processor for long"
    assert not file.exists()


def test_a_beat_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    with beating(tmp_path / "gone" / "beat", 0.01):
        time.sleep(0.03)
    assert not list(tmp_path.iterdir())


def test_two_beats_fit_into_the_wait_for_the_last_one() -> None:
    assert (BEAT_SECONDS, GONE_SECONDS) == (5.0, 10.0)
