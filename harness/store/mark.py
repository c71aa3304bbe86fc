"""What a person says of a run that is there: that it does not count, or what its reader must know."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, StringConstraints

from harness.core.spec import Note, Record

MARK_VERSION = 1
VOID = "void"
"""Status of a run in the database that does not count: no question that asks for numbers or failures finds it."""
NOTED = "noted"
"""Code of the note that a person left: a mark like those that the harness gives."""
MarkText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$")]
"""One line of text."""


class RunMark(Record):
    """`results/runs/RUN/mark.json`: what `harness mark` says of a run, beside its outcome, which stays as it was written."""

    schema_version: int = MARK_VERSION
    void: MarkText | None = None
    """Why the run does not count; None where it does."""
    note: MarkText | None = None
    """What stands below every table that shows a number of the run."""
    keep: bool = False
    """Whether `harness clean` leaves its folder, and the artifacts that it used, where they are."""
    marked: AwareDatetime | None = None
    """When it was last said."""

    @property
    def says(self) -> tuple[str | None, str | None]:
        """What it says to the database, whenever it was said."""
        return self.void, self.note

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return not (self.keep or any(self.says))

    @property
    def notes(self) -> tuple[Note, ...]:
        """The note as tables know it."""
        return (Note(code=NOTED, text=self.note),) if self.note else ()


NO_MARK = RunMark()
