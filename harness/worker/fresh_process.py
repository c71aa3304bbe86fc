"""One scoring of an artifact in a process of its own, so that launches of one model can be compared.

`python -m harness.worker.fresh_process` reads what to do from its standard input and writes log-probabilities as an .npy file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.spec import MeasureSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

_SECONDS = 1800.0
"""Longest that opening a model and scoring one window may take."""
_TOLD = 300
"""Characters of a failed process's last words that are told."""


def scorer(artifact: str, spec: MeasureSpec) -> Callable[[Sequence[int], Sequence[int]], Rows]:
    """Give a function that scores token ids in a fresh process: log-probabilities float32 [positions, vocabulary]."""

    def score(token_ids: Sequence[int], positions: Sequence[int]) -> Rows:
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.npy"
            asked = {
                "artifact": artifact, "engine": spec.engine, "options": spec.engine_options, "ids": list(token_ids),
                "positions": list(positions), "out": str(out),
            }  # fmt: skip
            command = [sys.executable, "-P", "-m", "harness.worker.fresh_process"]
            try:
                ran = subprocess.run(
                    command, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=_SECONDS
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise HarnessError(f"a process that scores once did not end well ({type(error).__name__})") from error
            if ran.returncode or not out.is_file():
                last = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
                raise HarnessError(f"a process that scores once failed: {last[:_TOLD]}")
            found: Rows = np.load(out)
        return found

    return score


def main() -> None:
    """Open, score, write."""
    import numpy as np

    from harness.core.capabilities import scores
    from harness.worker.inputs import engine_of

    asked = json.loads(sys.stdin.read())
    engine, options = engine_of(asked["engine"], asked["options"])
    with engine.open(Path(asked["artifact"]), options) as session:
        tiles = scores(session, engine.name).logprobs(asked["ids"], asked["positions"])
        rows = np.concatenate([tile.logprobs.copy() for tile in tiles])
    np.save(asked["out"], rows)


if __name__ == "__main__":
    main()
