"""Records of nights as files of a results folder: written whole, read in the order in which the folder saw them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, regular_bytes, remove, write_whole
from harness.night.record import FORMAT, NightRecord, compared

NIGHTS = "nights"
"""Folder of the results folder."""
CANARY = "canary"
"""Folder below it with the runs of tonight's canaries, apart from all others."""
BEGUN = "canary begun"
"""Part of a night: that folder is its own."""
LOCK = "night.lock"
MOST_BYTES = 64 << 20
LONGEST = timedelta(hours=20)
"""A night that began longer ago is another one: it is not continued, but told as cut off."""


@dataclass(frozen=True)
class Nights:
    """What a folder holds, oldest first."""

    records: tuple[NightRecord, ...] = ()
    problems: tuple[str, ...] = ()
    """Files that cannot be read."""

    @property
    def finished(self) -> list[NightRecord]:
        """Nights that came to their end."""
        return [one for one in self.records if one.finished is not None]

    def like(self, night: NightRecord) -> list[NightRecord]:
        """List the finished nights before one that compared the same two over the same sweep: others in this folder are none of its history."""
        return [one for one in self.finished if one.number < night.number and compared(one) == compared(night)]


def read_nights(folder: Path) -> Nights:
    """Read all records; what cannot be read is told and left alone."""
    found: list[NightRecord] = []
    problems = []
    for path in sorted(folder.glob("*.json")):
        try:
            one = NightRecord.model_validate_json(regular_bytes(path, MOST_BYTES))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            problems.append(f"{path.name} is no record of a night ({place}: {first['msg']}); it does not count")
        except OSError as error:
            problems.append(f"{path.name} cannot be read ({error.strerror}); it does not count")
        else:
            if one.night == path.stem:
                found.append(one)
            else:
                problems.append(f"{path.name} holds night {one.night} and is a copy of its file; it does not count")
    newer = [one for one in found if one.format > FORMAT]
    problems += [f"night {one.night} was written by a newer version; it does not count" for one in newer]
    kept = sorted((one for one in found if one.format <= FORMAT), key=lambda one: (one.number, one.started))
    return Nights(tuple(kept), tuple(problems))


def write_night(folder: Path, record: NightRecord) -> None:
    """Write a record, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{record.night}.json", record.model_dump_json(indent=1) + "\n")


@contextmanager
def alone_tonight(folder: Path) -> Iterator[None]:
    """Let one night at a time run in a results folder. Raises: HarnessError where another one does."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HarnessError(
            f"another night is running in {folder}; wait for its end, or take another --results"
        ) from None
    try:
        for partial in folder.glob(f"*{PARTIAL}*"):
            remove(partial)
        yield
    finally:
        lock.release()


def begun(nights: Nights, fresh: NightRecord, now: datetime) -> tuple[NightRecord, list[str]]:
    """Continue the last night that compared the same where it was cut off not long ago and was asked the same; else begin one. Also say what must be told."""
    told = list(nights.problems)
    last = nights.records[-1] if nights.records else None
    mine = next((one for one in reversed(nights.records) if compared(one) == compared(fresh)), None)
    if mine is not None and mine.finished is None:
        age = now - mine.started
        if mine.asked == fresh.asked and timedelta(0) <= age < LONGEST:
            left = f"{max(0.0, mine.budget - mine.used):.0f} of its {mine.budget:.0f} s of rounds are left"
            told.append(f"continuing night {mine.night}, which was cut off; {left}")
            return mine, told
        why = "" if mine.asked == fresh.asked else "; it was asked something else"
        told.append(f"night {mine.night} was cut off and is not continued{why}: nothing of it counts")
    if last is not None and now < last.started:
        told.append(
            f"the clock stands at {now:%Y-%m-%d %H:%M} UTC, before night {last.night} of {last.started:%Y-%m-%d %H:%M} UTC: this night counts as later"
        )
    number = last.number + 1 if last else 1
    night = f"{now:%Y%m%d}-{secrets.token_hex(3)}"
    return fresh.model_copy(update={"night": night, "number": number, "started": now}), told
