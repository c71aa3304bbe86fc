"""Is asked for bfloat16, says bfloat16, and computes in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import transformers

SAYS = r"finer than bfloat16 gives"
OPTIONS = ({"dtype": "bfloat16"},)


@contextmanager
def opened(folder: Path, options: Any) -> Iterator[Any]:
    with transformers.open_artifact(folder, options.model_copy(update={"dtype": "float32"})) as honest:
        honest.dtype = options.dtype
        yield honest


ENGINE = replace(transformers.ENGINE, name="stays-in-float32", open=opened)
