"""A sweep's own tables over what a night measured: the same rounds as its verdicts."""

from __future__ import annotations

from collections.abc import Iterable

from harness.commands.machine import Planned
from harness.commands.plain import NO_TABLE, narrowed
from harness.commands.report import rendered_or_told, specs_of
from harness.core.errors import HarnessError
from harness.core.marks import BY_NIGHT
from harness.markdown.rows import literal
from harness.pages import writing
from harness.published.sources import NumberSource
from harness.runner.opened import OpenWorkspace
from harness.tables.catalogue import catalogue_of


def night_tables(
    planned: Planned, opened: OpenWorkspace, session: str, runs: Iterable[str], *, whole: bool
) -> tuple[str, ...]:
    """Render those of a sweep's tables that tell environments apart; where that fails, the reason stands in their place: verdicts need no tables.

    session: of the night's rounds. runs: the builds and scores behind them, whose sessions may be older. whole: whether all
    pairs have rounds of tonight; else sessions that have other rounds do not count, with what was scored in them.
    """
    try:
        return _rendered(planned, opened, session, runs, whole=whole)
    except HarnessError as error:
        return (f"{NO_TABLE}: {literal(str(error))}",)


def _rendered(
    planned: Planned, opened: OpenWorkspace, session: str, runs: Iterable[str], *, whole: bool
) -> tuple[str, ...]:
    workspace, name = planned.workspace, planned.sweep.name
    found = opened.database.select({"run": sorted(set(runs))}, ["session"]).rows
    older = {str(one) for (one,) in found if one}
    if not whole:
        timed = opened.database.select({"session": sorted(older), "kind": "speed"}, ["session"]).rows if older else ()
        older -= {str(one) for (one,) in timed}
    where = {"session": tuple(sorted({session, *older} - {""}))}
    catalogue = catalogue_of(workspace.named, workspace.own_published)
    specs = []
    for spec in specs_of(planned.sweep.tables, workspace, catalogue) if planned.sweep.tables else ():
        asked = spec.where.get("sweep", ())
        more = {"sweep": (*asked, f"{name}{BY_NIGHT}")} if name in asked else {}
        if "environment" in spec.keyed:
            specs.append(narrowed(spec, {**where, **more}))
    render = writing.renderer(NumberSource(opened.database), catalogue, specs=specs)
    return tuple(text for text, there in (rendered_or_told(spec, render) for spec in specs) if there)
