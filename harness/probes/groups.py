"""Windows in groups: what a finished group found outlives a job that is interrupted, and the next one goes on from there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.files import write_whole
from harness.core.spec import Note
from harness.probes.windows import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

LEAST = 2048
"""Positions from which on a group is closed."""


def grouped(spans: Sequence[Span]) -> list[list[Span]]:
    """Cut windows into groups of LEAST positions or a little more, in order."""
    found: list[list[Span]] = [[]]
    held = 0
    for span in spans:
        if held >= LEAST:
            found.append([])
            held = 0
        found[-1].append(span)
        held += span.last - span.first
    return [group for group in found if group]


@dataclass
class Finished:
    """Groups that are done, each a file in a folder that belongs to one job's inputs, options and packages."""

    folder: Path | None
    taken: int = 0
    """Groups that were taken from an interrupted run."""

    def known(self, number: int) -> Arrays | None:
        """Give what a group found, or None where it has to be computed: it is not there, or not whole."""
        import numpy as np

        path = self._path(number)
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as opened, np.load(opened) as held:
                found = {name: held[name] for name in held.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        self.taken += 1
        return found

    def keep(self, number: int, arrays: Arrays) -> None:
        """Write a group's file, whole or not at all."""
        import numpy as np

        path = self._path(number)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        save: Any = np.savez
        save(buffer, **arrays)
        write_whole(path, buffer.getvalue())

    def notes(self, total: int) -> tuple[Note, ...]:
        """Say that some groups were measured by an earlier run."""
        if not self.taken:
            return ()
        text = f"{self.taken} of {total} groups of windows were measured by a run that was interrupted"
        return (Note(code="resumed", text=text),)

    def _path(self, number: int) -> Path | None:
        return None if self.folder is None else self.folder / f"group-{number:06d}.npz"
