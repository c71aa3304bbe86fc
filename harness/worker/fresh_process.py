"""One scoring of an artifact in a process of its own, so that launches of one model can be compared; or one look at what an engine runs of it.

`python -m harness.worker.fresh_process` reads what to do from its standard input and writes log-probabilities as an .npy file, or what ran as JSON.
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
from harness.core.executed import Executed
from harness.core.identity import files_below
from harness.core.spec import JsonObject, MeasureSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.options import Options
    from harness.core.seam import Engine

    Rows = NDArray[np.float32]

_SECONDS = 1800.0
"""Longest that opening a model and scoring one window may take."""
_TOLD = 300
"""Characters of a failed process's last words that are told."""


def scorer(artifact: str, spec: MeasureSpec) -> Callable[[Sequence[int], Sequence[int]], Rows]:
    """Give a function that scores token ids in a fresh process: log-probabilities float32 [positions, vocabulary]."""

    def score(token_ids: Sequence[int], positions: Sequence[int]) -> Rows:
        import numpy as np

        _refuse_short(Path(artifact))
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.npy"
            _run_apart(
                _asked(artifact, spec, out) | {"ids": list(token_ids), "positions": list(positions)}, "scores once"
            )
            found: Rows = np.load(out)
        return found

    return score


def _refuse_short(artifact: Path) -> None:
    """Raise HarnessError where memory is short for one more copy of the model, so that no system ends what is being measured."""
    import psutil

    needed = 2 * sum(path.stat().st_size for path in files_below(artifact))  # weights in 16 bits may be opened in 32
    free = psutil.virtual_memory().available
    if needed > free:
        raise HarnessError(
            f"one more copy of the model may need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free"
        )


def inspected(artifact: str, spec: MeasureSpec) -> Executed:
    """Let an engine look in a fresh process at what it really runs. Raises: HarnessError where that does not end well."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "executed.json"
        _run_apart(_asked(artifact, spec, out), "looks at what runs")
        return Executed.model_validate_json(out.read_text("utf-8"))


def _asked(artifact: str, spec: MeasureSpec, out: Path) -> JsonObject:
    return {"artifact": artifact, "engine": spec.engine, "options": spec.engine_options, "out": str(out)}


def _run_apart(asked: JsonObject, what: str) -> None:
    """Run this file with what is asked for; it fills the file `out`. Raises: HarnessError naming the process by `what` it does."""
    command = [sys.executable, "-P", "-m", "harness.worker.fresh_process"]
    try:
        ran = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"a process that {what} did not end well ({type(error).__name__})") from error
    sys.stderr.write(ran.stdout + ran.stderr)  # the job's log
    if ran.returncode or not Path(str(asked["out"])).is_file():
        last = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
        raise HarnessError(f"a process that {what} failed: {last[:_TOLD]}")


def main() -> None:
    """Open, score or look, write."""
    from harness.worker.inputs import engine_of

    asked = json.loads(sys.stdin.read())
    engine, options = engine_of(asked["engine"], asked["options"])
    artifact, out = Path(asked["artifact"]), Path(asked["out"])
    if "ids" in asked:
        _score(engine, options, artifact, asked["ids"], asked["positions"], out)
    elif engine.inspect is not None:
        out.write_text(engine.inspect(artifact, options).model_dump_json(), "utf-8")


def _score(
    engine: Engine, options: Options, artifact: Path, ids: Sequence[int], positions: Sequence[int], out: Path
) -> None:
    import numpy as np

    from harness.core.capabilities import scores

    with engine.open(artifact, options) as session:
        tiles = scores(session, engine.name).logprobs(ids, positions)
        rows = np.concatenate([tile.logprobs.copy() for tile in tiles])
    np.save(out, rows)


if __name__ == "__main__":
    main()
