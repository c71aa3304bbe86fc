"""A program's report as evidence: whether it is new, and of the device that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.core.errors import HarnessError

REPORT = "report"
"""Folder of a run in which a program leaves its report."""
_EARLIER_SECONDS = 120.0
"""By how much a report's own date may lie before the job's begin: clocks that are read to the minute."""
_LATER_SECONDS = 120.0
"""By how much they may lie after now."""
_ZONES_SECONDS = 14 * 3600.0
"""How far a date without a zone may be off, if it is that of another one."""
_WRITTEN_SECONDS = 2.0
"""By how much its file may be older than the job's begin: a disk's clock that counts whole seconds."""


def refuse_old(path: Path, said: datetime | None, begun: datetime) -> None:
    """Refuse a report that was there before the program ran, or that is dated after it. said: its own date. Raises: HarnessError."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    dated = said.astimezone(UTC) if said is not None else None  # without a zone it is this machine's own time
    for moment, what, earlier in (
        (written, "was written", _WRITTEN_SECONDS),
        (dated, "says that it was measured", _EARLIER_SECONDS),
    ):
        if moment is not None and (begun - moment).total_seconds() > earlier:
            raise HarnessError(
                f"{path.name} {what} at {moment:%Y-%m-%d %H:%M:%S} UTC, before this job began: an older report; let the command measure"
            )
    slack = _LATER_SECONDS + (_ZONES_SECONDS if said is not None and said.tzinfo is None else 0)
    for moment, what, later in (
        (written, "was written", _LATER_SECONDS),
        (dated, "says that it was measured", slack),
    ):
        if moment is not None and (moment - datetime.now(UTC)).total_seconds() > later:
            raise HarnessError(
                f"{path.name} {what} at {moment:%Y-%m-%d %H:%M:%S} UTC, which is not yet; set the clock right, or let the command measure"
            )


def refuse_other_provider(name: str, said: str | None, asked: str) -> None:
    """Refuse a report that says that it ran on something else. Raises: HarnessError."""
    if said and not asked.lower().startswith(_device(said)):
        raise HarnessError(
            f"{name} says that it ran on {said}, and the sweep asks for {asked}; correct `provider`, or the program"
        )


def _device(provider: str) -> str:
    """Give the device in the words of other tools, as `cuda:0` or `CUDAExecutionProvider`."""
    text = provider.lower()
    text = "nvtensorrtrtx" if "tensorrt" in text and "rtx" in text else text
    return next((name for name in ("cuda", "dml", "cpu") if text.startswith(name)), text.split(":")[0])
