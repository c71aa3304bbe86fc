"""A night as one issue that opens, updates and closes itself: a file whose first lines say title and state to whoever has a token."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Literal

from harness.markdown.rows import literal, unaddressed
from harness.night.record import VERDICTS, NightRecord, OpenAlarm
from harness.night.text import alarm_text, canary_text, headline, open_text, to_markdown, unproved_texts

_LETTERS, _LINES = 40_000, 40
"""Of a report, and of alarms, that a body takes: issues end at 65,536 characters, and one that is longer is refused whole."""
_LISTED, _TITLE = 20_000, 250
"""Characters of alarms that a body takes, and of a title."""
IssueState = Literal["open", "closed"]


def issue_state(record: NightRecord) -> IssueState:
    """Say whether the issue is open: where something is worse, or the gate cannot bite, and no night since has shown that it can."""
    return "open" if record.open or record.is_missed or record.unproved else "closed"


def issue_title(record: NightRecord) -> str:
    """Name the issue, the same every night."""
    return f"Nightly {record.sweep}: {record.candidate.name} against {record.baseline.name}"


def to_issue(record: NightRecord) -> str:
    """Write the file: title and state as comments, which no reader of the body sees, and the body."""
    state = issue_state(record)
    tonight = {one.series: one for one in record.alarms}
    lines = [
        f"- {literal(one.name)}: {literal(alarm_text(tonight[one.series], record) if one.series in tonight else open_text(one, record))}"
        for one in record.open
    ]
    lines += [
        f"- {literal(canary_text(one))}; what this gate says counts for nothing until it is found"
        for one in record.canaries
        if one.is_missed
    ]
    lines += [
        f"- {literal(one)}; what this gate says counts for nothing until it is found" for one in unproved_texts(record)
    ]
    lines += [_closed(one, record) for one in record.closed]
    lines = lines or [_quiet(record)]
    kept = [line for line, end in zip(lines[:_LINES], accumulate(map(len, lines)), strict=False) if end <= _LISTED]
    if more := len(lines) - len(kept):
        lines = [*kept, f"- and {more} more"]
    head = [f"<!-- title: {_plain(issue_title(record))[:_TITLE]} -->", f"<!-- state: {state} -->", ""]
    told = f"Left out here, since an issue ends at 65,536 characters: {len(record.tables)}. `harness night --summary FILE` keeps them."
    texts = (to_markdown(record), to_markdown(record.model_copy(update={"tables": (told,)})))
    report = re.sub("^# ", "## ", texts[len(texts[0]) > _LETTERS], flags=re.MULTILINE)
    if len(report) > _LETTERS:
        report = (
            f"The report has {len(report):,} characters, which no issue holds: `harness night --summary FILE` keeps it."
        )
    body = [*lines, "", f"<details><summary>Night {literal(record.night)}</summary>", "", report, "</details>", ""]
    return "\n".join([*head, unaddressed("\n".join(body))])


def _closed(one: OpenAlarm, record: NightRecord) -> str:
    night, name, said = (literal(text) for text in (record.night, one.name, one.said))
    if one.cause:
        return f"- acknowledged in night {night}, and still worse: {name} ({said}): {literal(one.cause)}"
    return f"- resolved in night {night}: {name} (was {said})"


def _quiet(record: NightRecord) -> str:
    """Say of a night without alarms whether it saw anything."""
    night = literal(record.night)
    if not (record.of(*VERDICTS) or record.unchanged):
        return f"Night {night} judged nothing: {literal(headline(record))}."
    if not record.is_proved:
        return f"Night {night} calls nothing worse, and did not prove that it could: {literal(headline(record))}."
    is_known = any(one.is_worse and one.cause for one in record.numbers)
    return f"Resolved: nothing is worse in night {night}{' but what is acknowledged' if is_known else ''}."


def _plain(text: str) -> str:
    """Keep a text from ending the comment that it stands in."""
    return " ".join(re.sub("-{2,}", "-", text).replace(">", "").split())
