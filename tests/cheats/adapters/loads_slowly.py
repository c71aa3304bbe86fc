"""Says that it was open at once, and takes its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import fake

SAYS = r"it loads outside its clock"


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[fake.FakeSession]:
    time.sleep(3.2)
    yield fake.FakeSession(0.0, options, 0.001)


ENGINE = replace(fake.ENGINE, name="loads-slowly", open=opened)
