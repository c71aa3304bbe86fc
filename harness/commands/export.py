"""Write measurements into a file, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.commands.answers import refuse_nothing
from harness.commands.workspace import Workspace, database_for_reading
from harness.store.export import export as write_export
from harness.store.where import ConditionValue


def export(
    workspace: Workspace,
    out: Path,
    where: Mapping[str, list[ConditionValue]],
    chosen: Mapping[str, list[ConditionValue]],
) -> str:
    """Write what meets all conditions; returns how much that was. chosen: conditions that something has to meet.

    Raises: HarnessError where nothing is what was chosen, or the file cannot be written.
    """
    with database_for_reading(workspace) as database:
        frame = database.frame({**where, **chosen})
        if chosen and not len(frame):
            refuse_nothing([database], {**where, **chosen})
    return f"{len(frame)} rows written to {write_export(frame, out)}"
