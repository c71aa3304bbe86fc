"""Has a tokenizer of its own, in which another token begins a text; no file says which is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import fake

SAYS = r"takes 7 for BOS, and the artifact's tokenizer says 256"


class Codec(fake.ByteCodec):
    bos = 7

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        return [7] * bos + list(text.encode())


class Session(fake.FakeSession):
    codec = Codec()


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Session]:
    yield Session(0.0, options, 0.001)


ENGINE = replace(fake.ENGINE, name="another-bos", open=opened)
