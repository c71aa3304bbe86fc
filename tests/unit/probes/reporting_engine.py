"""An engine of somebody's own that drives a program, in tests and in the workers that they start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import programs
from harness.core.options import Options
from harness.core.reports import FixedWork, Reported
from harness.core.seam import Engine
from harness.core.spec import Note
from harness.engines.reporting import read_report


class TheirOptions(Options):
    run: str
    """Command line of the program; {out}, {batch}, {prompt}, {output} and {rounds} are filled in."""
    device: str = "cpu"
    dtype: str | None = None


@dataclass(frozen=True)
class TheirSession:
    options: TheirOptions
    dtype: str | None = None
    load_seconds: float = 0.0
    notes: tuple[Note, ...] = ()

    @property
    def provider(self) -> str:
        return self.options.device

    def report(self, work: FixedWork, out: Path, log: Path, progress: Callable[[float], None]) -> Reported:
        progress(0.0)
        numbers = {"batch": work.batch, "prompt": work.prompt, "output": work.output, "rounds": work.repetitions}
        places = {"{out}": out, **{f"{{{name}}}": str(number) for name, number in numbers.items()}}
        return read_report(
            out / "benchmark_report.json", "optimum-benchmark", programs.run(self.options.run, places, log)
        )


@contextmanager
def _open(_folder: Path, options: TheirOptions) -> Iterator[TheirSession]:
    yield TheirSession(options, options.dtype)


ENGINE = Engine(
    name="theirs", version=1, consumes=("fake", "hf"), offers=frozenset({"reports", "sings"}), options=TheirOptions, packages=(),
    open=_open, provider=lambda options: str(options.device),
)  # fmt: skip
