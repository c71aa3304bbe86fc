"""A night as JUnit XML: a number is a test case; worse is a failure, a missed canary an error, what has no verdict is skipped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from harness.night.record import NightNumber, NightRecord, said_of
from harness.night.text import alarm_text, canary_text, word_of

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold."""


def to_junit(record: NightRecord) -> str:
    """Write a night."""
    cases = [_canary(record, place) for place in range(len(record.canaries))] + [
        _case(one, record) for one in record.numbers
    ]
    counts = {kind: sum(one.find(kind) is not None for one in cases) for kind in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite", name=_text(f"night {record.sweep}"), tests=str(len(cases)), failures=str(counts["failure"]),
        errors=str(counts["error"]), skipped=str(counts["skipped"]), timestamp=f"{record.started:%Y-%m-%dT%H:%M:%S}", time=f"{record.used:.1f}",
    )  # fmt: skip
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _canary(record: NightRecord, place: int) -> ET.Element:
    one = record.canaries[place]
    case = ET.Element("testcase", classname="canary", name=_text(f"{one.kind} {one.name}".strip()))
    _said(case, "system-out" if one.found else "skipped" if one.skipped else "error", canary_text(one))
    return case


def _case(one: NightNumber, record: NightRecord) -> ET.Element:
    case = ET.Element("testcase", classname=_text(one.pair or one.metric or "night"), name=_text(one.name))
    if one.alarms:
        _said(case, "failure", alarm_text(one, record))
    elif one.change is None or one.word == "not reached":
        _said(case, "skipped", f"{one.word}: {one.why}")
    elif one.word == "cannot tell":
        _said(case, "skipped", f"cannot tell: {said_of(one)}")
    else:
        _said(case, "system-out", f"{word_of(one)}: {said_of(one)}" + (f"; {one.cause}" if one.cause else ""))
    return case


def _said(case: ET.Element, kind: str, text: str) -> None:
    child = ET.SubElement(case, kind)
    if kind == "system-out":
        child.text = _text(text)
    else:
        child.set("message", _text(text))


def _text(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
