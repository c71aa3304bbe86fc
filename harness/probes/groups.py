"""Work in groups: what a finished group found outlives a job that is interrupted, and the next attempt goes on from there.

A file a group, whole or not at all; what cannot be kept costs time alone, and two jobs may share a folder: SHA-256 (32 bytes) of what the group is and of all that follows, then an .npz archive.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.files import write_whole
from harness.core.seam import Context
from harness.core.sessions import Session
from harness.core.spec import Note
from harness.probes.windows import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Numbers = Sequence[int] | NDArray[np.int64]

LEAST = 2048
"""Positions from which on a group is closed."""
_ABOUT = "about"
"""Array that says which run measured a group, and what its session had to say by then; JSON as bytes."""
_SHA = 32


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


def numbers_of(ids: Numbers, spans: Sequence[Span]) -> Iterator[Numbers]:
    """Give the whole numbers that tell a group of windows from others: places and token ids of each."""
    for span in spans:
        yield span.begin, span.end, span.first, span.last
        yield ids[span.begin : span.end]


@dataclass
class Finished:
    """Groups of one job that are done, in a folder whose name stands for the job's inputs, options and packages."""

    session: Session
    context: Context
    count: int = 0
    """Groups that were asked for so far."""
    taken: dict[str, list[int]] = field(default_factory=dict)
    """Numbers, from 1, of the groups that were taken from an earlier attempt, by its run."""
    spoilt: list[int] = field(default_factory=list)
    """Numbers of the groups whose file was not whole, or another group's."""
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    """What earlier sessions said of the groups that were taken, by run and code."""

    def __post_init__(self) -> None:
        """Note what the session says before any group: of how it was opened, which it says itself each time."""
        self.opened = {(note.code, note.text) for note in self.session.notes}

    def group(self, numbers: Iterable[Numbers], find: Callable[[], Arrays]) -> Arrays:
        """Give what a group found: from an attempt before, or else from `find`, which then is kept.

        numbers: all that tells this group from another of the same job, as token ids.
        """
        self.count += 1
        folder = self.context.resume
        if folder is None:
            return find()
        path = folder / f"group-{self.count:06d}"
        key = f"{folder.name} {self.count} {_digest(numbers)}".encode()
        found = self._known(path, key)
        if found is None:
            found = find()
            self._keep(path, key, found)
        return found

    def notes(self) -> tuple[Note, ...]:
        """Say which groups an earlier attempt measured, which of its files were of no use, and what its session said."""
        found = []
        if self.taken:
            whose = "; ".join(f"{_listed(numbers)} by run {run}" for run, numbers in self.taken.items())
            count = sum(map(len, self.taken.values()))
            text = f"{count} of {self.count} groups were measured by an attempt that was interrupted: {whose}"
            found.append(Note(code="resumed", text=text))
        if self.spoilt:
            text = (f"what an interrupted attempt had kept of group {_listed(self.spoilt)} was damaged or of something else; "
                    "it was measured again")  # fmt: skip
            found.append(Note(code="kept-spoilt", text=text))
        said = (Note(code=code, text=f"{text} (run {run})") for (run, code), text in self.said.items())
        return (*found, *said)

    def _known(self, path: Path, key: bytes) -> Arrays | None:
        import numpy as np

        try:
            held = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            held = b""
        if hashlib.sha256(key + held[_SHA:]).digest() != held[:_SHA]:
            self.spoilt.append(self.count)
            return None
        with np.load(io.BytesIO(held[_SHA:])) as archive:
            found = {name: archive[name] for name in archive.files}
        about = json.loads(found.pop(_ABOUT).tobytes())
        self.taken.setdefault(about["run"], []).append(self.count)
        notes = [(code, text) for code, text in about["notes"] if (code, text) not in self.opened]
        self.said |= {(about["run"], code): text for code, text in notes}
        return found

    def _keep(self, path: Path, key: bytes, arrays: Arrays) -> None:
        import numpy as np

        about = {"run": self.context.folder.name, "notes": [[note.code, note.text] for note in self.session.notes]}
        buffer = io.BytesIO()
        save: Any = np.savez
        save(buffer, **arrays, **{_ABOUT: np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)})
        with contextlib.suppress(OSError):  # the disk is full, or another process was done and took the folder away
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, hashlib.sha256(key + buffer.getvalue()).digest() + buffer.getvalue(), shared=True)


def _digest(numbers: Iterable[Numbers]) -> str:
    """Hash sequences of whole numbers with their lengths; one that comes again, as a question's context, is hashed once."""
    import numpy as np

    whole = hashlib.sha256()
    seen: dict[int, tuple[object, bytes]] = {}
    for part in numbers:
        known = seen.get(id(part))
        if known is None:
            known = part, hashlib.sha256(np.asarray(part, dtype="<i8").tobytes()).digest()
            seen[id(part)] = known  # held, so that no other object gets its number
        whole.update(known[1])
    return whole.hexdigest()


def _listed(numbers: Sequence[int]) -> str:
    """Write ascending numbers as ranges: `1 to 3, 5`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    return ", ".join(" to ".join(map(str, part)) for part in ranges)
