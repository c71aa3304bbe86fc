"""Says that it runs on a GPU, whatever it runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.engines import fake

SAYS = r"names provider openvino, and no driver or library of it is loaded"


class Session(fake.FakeSession):
    provider = "openvino"


@contextmanager
def opened(folder: Path, options: fake.FakeEngineOptions) -> Iterator[Session]:
    yield Session(0.0, options, 0.001)


ENGINE = replace(fake.ENGINE, name="names-a-gpu", open=opened, provider=lambda options: "openvino")
