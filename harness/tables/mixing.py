"""What the cells of a table must share, so that their numbers can be compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.core.errors import ConfigError, Problem
from harness.core.metric import OWN
from harness.plan.keys import exact
from harness.tables.columns import PACKAGES, SAME_COLUMN, SAME_PLACE
from harness.tables.rows import TableRow, matches
from harness.tables.spec import TableSpec

Packages = Callable[[str], Mapping[str, str]]
"""Environment id -> package -> version."""


class WouldMix(ConfigError):
    """Cells of one table or column that differ in something which its spec does not allow."""

    def __init__(self, problems: Sequence[Problem], field: str, values: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.field, self.values = field, values
        """Word for `may_mix`, and what there is of it."""


def check_place(spec: TableSpec, rows: Sequence[TableRow], packages: Packages) -> None:
    """Refuse cells from different machines, environments or package versions that the table does not name.

    Raises: ConfigError that names the field, its values and the word for `may_mix`.
    """
    allowed = spec.may_mix | spec.keyed
    if "gpu" in spec.keyed:
        allowed |= {"machine", "cpu"}  # another GPU model is another machine; its driver is still compared
    for name in SAME_PLACE:
        if name not in allowed:
            _same(spec, name, {row.text(name) for row in rows if _told(row, name)}, "table")
    if "environment" in spec.may_mix:
        return
    for same in _by_environment(rows) if "environment" in spec.keyed else [rows]:
        _check_packages(spec, _places(same), packages)


def _by_environment(rows: Sequence[TableRow]) -> list[list[TableRow]]:
    """Group rows by the environment that a reader can see at their cells; each may have its own versions, but only one."""
    groups: dict[str | None, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.text("environment"), []).append(row)
    return list(groups.values())


def _check_packages(spec: TableSpec, places: Sequence[tuple[str, frozenset[str]]], packages: Packages) -> None:
    exactly = frozenset[str]().union(*(exact(packages(id_)) for id_, _ in places))
    for package in sorted({*PACKAGES, *exactly}):
        if f"environment.{package}" not in spec.may_mix:
            versions = {packages(id_).get(package) for id_, hang_on in places if package in hang_on | exactly}
            _same(spec, f"environment.{package}", versions - {None}, "table")


def _told(row: TableRow, name: str) -> bool:
    """Say whether a row tells its place: what others left out is no evidence of a mix, and the caption shows it."""
    return row.text("origin") in {"measured", None} or row.text(name) not in {None, "unknown"}


def _places(rows: Sequence[TableRow]) -> list[tuple[str, frozenset[str]]]:
    """Return each environment with the packages that could change one of the rows."""
    by_kind = {tuple(row.text(name) for name in ("environment_id", "engine", "probe", "recipe")): row for row in rows}
    return [(place, packages_of(row)) for (place, *_), row in by_kind.items() if place is not None]


def packages_of(row: TableRow) -> frozenset[str]:
    """Return the packages that a number hangs on, as the adapters declare them: its engine's, its probe's, and what opens its artifact."""
    engine = row.text("engine")
    if engine is None:
        return frozenset()
    declared = _declared(engine, row.text("probe"), row.text("recipe"))
    return declared or frozenset(PACKAGES)


def _declared(engine: str, probe: str | None, recipe: str | None) -> frozenset[str]:
    from harness.core.registry import load
    from harness.engines import ENGINES
    from harness.probes import PROBES
    from harness.quantizers import QUANTIZERS

    found = set(load(QUANTIZERS, "quantizer", recipe).runtime if recipe in QUANTIZERS else ())
    for registry, what, name in ((ENGINES, "engine", engine), (PROBES, "probe", probe)):
        if name is not None and name in registry:
            try:
                found.update(load(registry, what, name).packages)
            except (ImportError, AttributeError):
                return frozenset()
    return frozenset(found)


def check_column(
    spec: TableSpec, column: str, rows: Sequence[TableRow], unit_of: Callable[[str], str | None] = lambda name: None
) -> None:
    """Refuse cells of one column that were measured in different ways. Raises: ConfigError naming the values.

    unit_of: unit of a metric of somebody's own, where a published file declares it.
    """
    by_metric: dict[str | None, list[TableRow]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    for metric, same_metric in by_metric.items():
        _one_unit(spec, column, metric or "", same_metric, unit_of)
        for name in SAME_COLUMN:
            if name not in spec.may_mix and name not in spec.keyed:
                _same(spec, name, {row.text(name) for row in same_metric}, f"column '{column}' of table")


def _one_unit(
    spec: TableSpec, column: str, metric: str, rows: Sequence[TableRow], unit_of: Callable[[str], str | None]
) -> None:
    """Refuse numbers of a metric of somebody's own in several units, or in another than is declared: one would be read as the other."""
    numbers = [row for row in rows if metric.startswith(OWN) and row.text("comparison") is None]
    units = {row.text("unit") or "" for row in numbers}
    declared = unit_of(metric) if numbers else None
    if len(units | ({declared} if declared is not None else set())) > 1:
        told = ", ".join(
            f"'{unit}' ({next(r.run for r in numbers if (r.text('unit') or '') == unit)})" for unit in sorted(units)
        )
        known = f", and a published file declares '{declared}'" if declared is not None else ""
        message = (
            f"column '{column}' of table '{spec.name}': numbers of {metric} are in {told}{known}; say `unit` where they are read and "
            "measure them again, or leave the others out with where"
        )
        raise ConfigError([Problem(message, spec.path, spec.line)])


def check_pivot(spec: TableSpec, rows: Iterable[TableRow]) -> None:
    """Refuse a pivot over a dimension that a result of the table lacks: it would have no column and vanish unseen.

    Raises: ConfigError that names the metric and the dimension.
    """
    if spec.pivot is None or spec.pivot.dimension == "metric":
        return
    name = spec.pivot.dimension
    for cell in spec.cells:
        for metric in (cell.metric,) if cell.metric else spec.metrics:
            fit = [row for row in rows if row.ok and row.metric == metric and not row.is_build]
            if any(row.text(name) is None and matches(row, cell.where) for row in fit):
                message = (
                    f"table '{spec.name}': a result of {metric} does not say '{name}', and would have no column in a pivot "
                    "over it; choose with where, or make it a row"
                )
                raise ConfigError([Problem(message, spec.path, spec.line)])


def _same(spec: TableSpec, name: str, values: Iterable[str | None], what: str) -> None:
    found = sorted(value or "none" for value in set(values))
    if len(found) > 1:
        message = (
            f"{what} '{spec.name}' would mix {name}: {', '.join(found)}; choose with where, "
            f"show '{name.partition('.')[0]}' as a row, or allow it with may_mix: [{name}]"
        )
        raise WouldMix([Problem(message, spec.path, spec.line)], name, tuple(found))
