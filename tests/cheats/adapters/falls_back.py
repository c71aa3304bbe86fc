"""Is asked for a GPU, finds none, and goes on quietly on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.engines import fake

SAYS = r"was asked for provider cuda and fell back to cpu"
OPTIONS = ({"provider": "cuda"},)


class Options(fake.FakeEngineOptions):
    provider: str = "cpu"


@contextmanager
def opened(folder: Path, options: Options) -> Iterator[fake.FakeSession]:
    yield fake.FakeSession(0.0, options, 0.001)


ENGINE = replace(
    fake.ENGINE, name="falls-back", open=opened, options=Options, provider=lambda options: options.provider
)
