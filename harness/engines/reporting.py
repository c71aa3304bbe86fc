"""What an engine hands back that drives a program: the program's report, read as `import` reads it."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.reports import Reported
from harness.core.spec import Note


def read_report(path: Path, format_: str, notes: tuple[Note, ...] = ()) -> Reported:
    """Read the report of one measurement in a format that `import` knows.

    Raises: HarnessError where there is none, or it holds another number of results than one; ConfigError where it is damaged.
    """
    from harness.formats.reading import read_contents, recognized
    from harness.formats.records import metric_value_of
    from harness.formats.source import read_source

    if not path.is_file():
        left = ", ".join(
            one.relative_to(path.parent).as_posix() for one in sorted(path.parent.rglob("*")) if one.is_file()
        )
        raise HarnessError(
            f"the program left no {path.name}; it left {left or 'nothing'}, and log.txt has what it printed"
        )
    source = read_source(path)
    runs = read_contents(recognized(source, format_), source).runs
    if len(runs) != 1:
        raise HarnessError(
            f"{source.name} holds {len(runs)} results, and one was asked for; let the program measure one workload at a time"
        )
    (found,) = runs
    lost = tuple(Note(code="left-out", text=f"left out of {source.name}: {name}") for name in source.lost)
    return Reported(
        report=path,
        workload={name: value for name, value in found.workload.items() if isinstance(value, int)},
        summary=tuple(map(metric_value_of, found.numbers)),
        protocol=found.protocol,
        provider=found.provider,
        started=found.started,
        notes=(*notes, *found.notes, *lost),
    )
