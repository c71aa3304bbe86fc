"""Keeps the first artifact that it opened, and answers for every other one with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import fake

SAYS = r"scores to the last bit as fake\d, whose weights are others"
FIRST: list[float] = []


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[fake.FakeSession]:
    FIRST.append(float((folder / "noise.txt").read_text("utf-8")))
    yield fake.FakeSession(FIRST[0], options, 0.001)


ENGINE = replace(fake.ENGINE, name="opens-the-first", open=opened)
