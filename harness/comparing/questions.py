"""The words of questions that a database knows by their order alone."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.questions import questions_folder, read_subject, subjects
from harness.texts import REFERENCE

QuestionText = tuple[str, str, str]
"""Name, question with its choices, right answer."""


def texts_of(task: str | None, counts: Sequence[int] | None, size: int) -> list[QuestionText]:
    """Return the shipped questions in the order of their answers; nothing for other tasks, or where the counts do not fit.

    counts: questions of each subject, in order.
    """
    if task != REFERENCE or counts is None:
        return []
    try:
        folder = questions_folder(REFERENCE)
        names = subjects(folder)
        found = [
            (f"{name} {number}", f"{one.text} ({'; '.join(one.choices)})", one.choices[one.answer])
            for name, count in zip(names, counts, strict=True)
            for number, one in enumerate(read_subject(folder, name, "test")[:count])
        ]
    except (HarnessError, ValueError):
        return []
    return found if len(found) == size else []
