"""A row that was measured here, among rows that others published: what it was measured on and with, as far as theirs do not say it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.caption import configuration, dates, protocols
from harness.report.coverage import Title
from harness.report.mixing import Packages
from harness.report.rows import Row
from harness.report.spec import TableSpec


def own_note(spec: TableSpec, ours: Sequence[Row], others: Sequence[Row], packages: Packages, title: Title) -> str:
    """Write the footnote of a measured row; what each of the others says as well is left out."""
    said = [_facts([row], packages, title) for row in others]
    own = [fact for fact in _facts(ours, packages, title) if not said or any(fact not in facts for facts in said)]
    how = "; ".join(text.removesuffix(".") for text in protocols(ours, spec.keyed))
    return f"Measured here, {dates(ours)}: {', '.join(own)}{'; ' if own and how else ''}{how}."


def _facts(rows: Sequence[Row], packages: Packages, title: Title) -> list[str]:
    named = [title(name, value) for name in ("engine",) for value in _values(rows, name)]
    named += [f"provider {value}" for value in _values(rows, "provider")]
    return list(dict.fromkeys([*named, *configuration(rows, packages)]))


def _values(rows: Sequence[Row], name: str) -> list[str]:
    return sorted({value for row in rows if (value := row.text(name)) not in {None, "unknown"} and value is not None})
