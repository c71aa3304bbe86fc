"""Begins a text with the token that ends one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import transformers

SAYS = r"takes 1 for BOS, and the artifact's tokenizer says 0"


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options) as honest:
        honest.codec = replace(honest.codec, bos=honest.codec.eos)
        yield honest


ENGINE = replace(transformers.ENGINE, name="wrong-bos", open=opened)
