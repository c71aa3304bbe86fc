"""Captions made from data: where, when and how the numbers of a table were measured. Nothing here is typed by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from harness.core.metric import METRICS
from harness.core.metric import metric as metric_named
from harness.plan.keys import exact
from harness.tables import sitting
from harness.tables.columns import ALWAYS_TOLD, PACKAGES
from harness.tables.coverage import Title, coverage
from harness.tables.formats import thousands
from harness.tables.mixing import Packages, packages_of
from harness.tables.rows import TableRow, distinct, utc
from harness.tables.spec import TableSpec

_WORKLOAD = (("batch", "batch {}"), ("prompt", "{} prompt tokens"), ("output", "{} output tokens"),
             ("depth", "depth {}"), ("concurrency", "concurrency {}"), ("request_rate", "{} requests/s"), ("task", "task {}"),
             ("shots", "{} shots"), ("limit", "limit {}"), ("text", "text '{}'"), ("window", "window {}"),
             ("stride", "stride {}"))  # fmt: skip
_COUNTS = (("warmups", "{} warm-ups"), ("repetitions", "{} repetitions"), ("prompt_tokens", "{} real prompt tokens"),
           ("scored", "{} scored"), ("truncated", "{} truncated"), ("skipped", "{} skipped"),
           ("beyond_trained", "{} beyond the trained positions"))  # fmt: skip
_ALWAYS = {"scored", "warmups", "repetitions", "prompt_tokens"}
"""Counts that are said also where they are zero."""

_PICKS = {
    "latest": "Each cell shows its latest run.",
    "median_of_runs": "Each cell shows the run with the median value of the latest session.",
}


def captions(spec: TableSpec, taken: Iterable[TableRow], packages: Packages, title: Title) -> tuple[str, ...]:
    """Write a table's caption lines from the rows that its cells took."""
    rows = distinct(taken)
    return (
        *coverage(rows, title),
        *(f"Configuration: {'; '.join(found)}." for found in [_configurations(rows, packages)] if found),
        *_origins(spec, rows),
        *protocols(rows),
    )


def _configurations(rows: Sequence[TableRow], packages: Packages) -> list[str]:
    """Describe each machine and environment once; where no measurement ran, that of the builds."""
    measured = [row for row in rows if not row.is_build] or list(rows)
    places = _by(measured, "environment_id")
    exactly = frozenset[str]().union(*(exact(packages(same[0].text("environment_id") or "")) for same in places))
    described = {", ".join(configuration(same, packages, exactly)): None for same in places}
    return sorted(set(described) - {""})


def _by(rows: Sequence[TableRow], name: str) -> list[list[TableRow]]:
    groups: dict[str | None, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.text(name), []).append(row)
    return list(groups.values())


def configuration(rows: Sequence[TableRow], packages: Packages, exactly: frozenset[str] = frozenset()) -> list[str]:
    """Describe one machine and environment in parts.

    exactly: packages that one of the table's environments has from a file or a source; each tells which it has.
    """
    row = rows[0]
    gpu, count = row.text("gpu"), row.text("gpu_count")
    parts = [f"{count} x {gpu}" if gpu and count and count not in {"0", "1"} else gpu]
    parts += [f"driver {row.text('driver')}" if row.text("driver") else None]
    parts += [f"CUDA {row.text('cuda')}" if row.text("cuda") else None]
    parts += [f"{row.text('cpu')} ({row.text('cores')} cores)" if row.text("cores") else _known(row, "cpu")]
    parts += [_known(row, "system"), f"Python {row.text('python')}" if _known(row, "python") else None]
    versions = packages(row.text("environment_id") or "")
    told = ALWAYS_TOLD.union(*(packages_of(one) for one in rows))
    others = sorted(versions) if row.text("origin") in {"reported", "imported"} else []  # they tell what matters
    names = [name for name in PACKAGES if name in versions and (name in told or name in others)]
    names += [name for name in others if name not in PACKAGES]
    names += sorted(((exactly | exact(versions)) & set(versions)) - set(names))
    parts += [f"{name} {versions[name]}" for name in names]
    return [part for part in parts if part]


def workload(rows: Sequence[TableRow], seen: Collection[str]) -> list[str]:
    """Say what was asked of the engine, as far as a reader does not see it: `seen` are the dimensions of the table."""
    return [text.format(_values(rows, name)) for name, text in _WORKLOAD if name not in seen and _values(rows, name)]


def _known(row: TableRow, name: str) -> str | None:
    """Return what is known of others' machines."""
    return None if row.text(name) == "unknown" else row.text(name)


def dates(rows: Iterable[TableRow]) -> str:
    """Write the days on which rows were measured."""
    days = sorted({utc(row.get("started"))[:10] for row in rows})
    return f"{days[0]} (UTC)" if len(days) == 1 else f"{days[0]} to {days[-1]} (UTC)"


def _origins(spec: TableSpec, rows: Sequence[TableRow]) -> list[str]:
    """Say what was measured and when, and whose numbers the others are."""
    measured = [row for row in rows if row.text("origin") in {"measured", None}]
    sittings = sitting.captions(spec, measured)
    pick = f" {_PICKS[spec.pick]}" if any(not sitting.over_rounds(spec, row) for row in measured) else ""
    said = [f"Measured {dates(measured)}.{pick}", *sittings] if measured else []
    for origin in ("reported", "imported"):
        cited = sorted({row.text("citation") or "unknown" for row in rows if row.text("origin") == origin})
        some = "some of them " if measured else ""
        said += [f"Numbers {some}{origin}, not measured here: {'; '.join(cited)}."] if cited else []
    return said


# ---------------------------------------------------------------- protocols


def protocols(rows: Sequence[TableRow], seen: Collection[str] = ()) -> list[str]:
    """Say for each protocol which metrics it gave, what the workload was and how much was counted.

    seen: dimensions of the workload that a reader sees elsewhere.
    """
    named = _by([row for row in rows if row.text("protocol")], "protocol")
    versions = [version for same in named for version in _by(same, "protocol_version")]
    return sorted(f"{_titles(version)}: {_protocol(version, seen)}." for version in versions)


def _titles(rows: Sequence[TableRow]) -> str:
    known = list(METRICS)
    found = {row.metric for row in rows if row.metric is not None}
    names = sorted(found, key=lambda name: (known.index(name) if name in known else len(known), name))
    titles = list(dict.fromkeys(metric_named(name).title for name in names))
    return ", ".join(
        [titles[0], *(title[0].lower() + title[1:] if title[1:2].islower() else title for title in titles[1:])]
    )


def _protocol(rows: Sequence[TableRow], seen: Collection[str] = ()) -> str:
    version, name = rows[0].text("protocol_version"), rows[0].text("protocol")
    theirs = "protocol not told" if name == "unknown" else f"protocol {name} as its source defines it"
    parts = [theirs if version == "0" else f"protocol {name} v{version}" if version else f"protocol {name}"]
    parts += workload(rows, seen)
    parts += [
        _plural(text, _counts(rows, name)) for name, text in _COUNTS if _counts(rows, name) and not _said(rows, name)
    ]
    parts += _sizes(rows)
    bos = {row.get("bos") for row in rows} - {None}
    parts += [{(True,): "BOS added", (False,): "no BOS"}.get(tuple(bos), "BOS differs")] if bos else []
    sources = sorted({value for row in rows if (value := row.text("source"))})
    parts += [f"memory counted by {', '.join(sources)}"] if sources else []
    intervals = sorted({value for row in rows if (value := row.text("interval")) not in {None, "rounding"}})
    return ", ".join(parts + ([f"intervals: {' / '.join(intervals)}"] if intervals else []))


def _plural(text: str, count: str) -> str:
    said = text.format(count)
    return said.removesuffix("s") if count == "1" and text.endswith(("warm-ups", "repetitions", "tokens")) else said


def _said(rows: Sequence[TableRow], name: str) -> bool:
    """Say whether a count only repeats the workload."""
    return (
        name == "prompt_tokens"
        and all(row.get("prompt") in {None, row.get(name)} for row in rows)
        and any(row.get("prompt") is not None for row in rows)
    )


def _values(rows: Sequence[TableRow], name: str) -> str:
    found = {value for row in rows if (value := row.text(name)) is not None}
    return ", ".join(sorted(found, key=lambda value: (len(value), value)))


def _counts(rows: Sequence[TableRow], name: str) -> str:
    found = {int(value) for row in rows if (value := row.get(name)) is not None}
    return _range(found) if found and (name in _ALWAYS or max(found)) else ""


def _sizes(rows: Sequence[TableRow]) -> list[str]:
    """Say how many items stand behind the parts of a whole, as the questions of a stratum."""
    parts: dict[str, set[int]] = {}
    for row in rows:
        part = row.text("slice")
        if part and row.get("n") is not None:
            parts.setdefault(part.partition(":")[2] or part, set()).add(int(row.get("n")))
    listed = ", ".join(f"{_range(sizes)} of '{name}'" for name, sizes in sorted(parts.items()))
    return [f"{listed}"] if listed else []


def _range(numbers: set[int]) -> str:
    low, high = min(numbers), max(numbers)
    return thousands(low) if low == high else f"{thousands(low)} to {thousands(high)}"
