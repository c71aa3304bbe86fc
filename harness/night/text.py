"""A night as Markdown: what to look at first, then the proof that the gate can bite, then every number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.markdown.rows import Align, literal, table_lines, unaddressed
from harness.night.judging import CREEPS
from harness.night.record import (
    VERDICTS,
    NightCanary,
    NightNumber,
    NightRecord,
    OpenAlarm,
    change_text,
    judged_of,
    said_of,
)

_HEAD = ("Number", "A", "B", "B against A, 95 %", "Verdict", "Again", "p", "Nights (the last before)")
_ALIGNS: tuple[Align, ...] = ("left", "right", "right", "right", "left", "right", "right", "right")
_TINY = 0.001
NUMBERS_ONLY = "numbers only: the injection was made to the numbers, not in an engine"
_NAMED = 12
"""Names that are told of those that share a reason."""


def headline(record: NightRecord) -> str:
    """Say in one line what came of a night."""
    if record.is_missed:
        return "the gate cannot bite: a known change for the worse was not found"
    counts = [
        (len(record.alarms), "worse"),
        (sum(one.is_worse and bool(one.cause) for one in record.numbers), "known to be worse"),
        (sum(one.word == "worse" and one.confirmed is False for one in record.numbers), "worse at first and not again"),
        *((len(record.of(word)), word) for word in ("better", "same", "cannot tell", "missing", "skipped", "not reached")),
    ]  # fmt: skip
    counts += [(record.unchanged, "unchanged")]
    told = [f"{count} {word}" for count, word in counts if count]
    skipped = [f"canary of {one.kind} skipped" for one in record.canaries if one.skipped]
    return "; ".join([", ".join(told) or "nothing to compare", *skipped, *unproved_texts(record)])


def to_markdown(record: NightRecord) -> str:
    """Write a night."""
    parts = [
        f"# Night {literal(record.night)}: {literal(record.sweep)}",
        f"**{headline(record)}**",
        f"A, the baseline: {literal(_side(record, 0))}  \nB, the candidate: {literal(_side(record, 1))}",
        *_alarms(record),
        *_canaries(record),
        *_table(record),
        *(["\n\n".join(["## Tables, of the same rounds\n", *record.tables])] if record.tables else ()),
        *_reasons(record),
        *_resolved(record),
        "\n".join(f"- {literal(line)}" for line in (*record.told, *_how(record))),
    ]
    return unaddressed("\n\n".join(part for part in parts if part)) + "\n"


def _side(record: NightRecord, place: int) -> str:
    side = (record.baseline, record.candidate)[place]
    packages = [f"{name} {version}" for name, version in sorted(side.packages.items())]
    more = f" and {len(packages) - _NAMED} more" if len(packages) > _NAMED else ""
    return side.name + (f" ({', '.join(packages[:_NAMED])}{more})" if packages else "")


def _alarms(record: NightRecord) -> Iterator[str]:
    tonight = {one.series for one in record.alarms}
    lines = [f"- {literal(one.name)}: {literal(alarm_text(one, record))}" for one in record.alarms]
    lines += [
        f"- {literal(one.name)}: {literal(open_text(one, record))}" for one in record.open if one.series not in tonight
    ]
    if lines:
        yield "\n".join(["## Worse\n", *lines])
    known = [one for one in record.numbers if one.is_worse and one.cause]
    if known:
        yield "\n".join(
            [
                "## Known to be worse\n",
                *(f"- {literal(one.name)}: {literal(said_of(one))}. {literal(one.cause)}" for one in known),
            ]
        )


def open_text(alarm: OpenAlarm, record: NightRecord) -> str:
    """Say of an alarm of before that this night neither calls nor closes why it is open."""
    found = judged_of(alarm, record.of(*VERDICTS))
    unclear = "; ".join(f"night {record.night}: {word_of(one)}, {said_of(one)}" for one in found)
    return f"{alarm.said}, since night {alarm.since}; {unclear or f'not judged in night {record.night}'}"


def alarm_text(one: NightNumber, record: NightRecord) -> str:
    """Say of a number that is worse by how much, and since when."""
    first = next((known.since for known in record.open if known.series == one.series), record.night)
    since = "" if first == record.night else f", since night {first}"
    history = f"; the history shows it since night number {one.since}" if one.since is not None else ""
    return f"{said_of(one)}{since}{history}"


def _canaries(record: NightRecord) -> Iterator[str]:
    lines = [*map(canary_text, record.canaries), *unproved_texts(record)]
    if lines:
        yield "\n".join(
            [
                "## Canaries\n",
                *(f"- {literal(line)}" for line in lines),
            ]
        )


def unproved_texts(record: NightRecord) -> list[str]:
    """Say which canaries of before no night has found since."""
    return [
        f"a known loss of {kind} was not found in night {night}, nor since"
        for kind, night in record.unproved.items()
        if night != record.night
    ]


def canary_text(one: NightCanary) -> str:
    """Say of a canary what it was and whether it was found."""
    what = f"a known loss of {one.kind}" + (f" ({one.size}) on {one.name}" if one.name else "")
    word = "found" if one.found else "skipped" if one.skipped else "NOT FOUND"
    numbers = f"; {NUMBERS_ONLY}" if one.injected == "numbers" and one.name else ""
    return f"{what}: {word}, {one.said}{numbers}"


def _table(record: NightRecord) -> Iterator[str]:
    judged = record.of(*VERDICTS)
    if judged:
        order = sorted(
            judged, key=lambda one: (not one.is_worse, VERDICTS.index(one.word) if one.word in VERDICTS else 9)
        )
        yield "\n".join(["## All numbers\n", *table_lines(_HEAD, _ALIGNS, [_row(one) for one in order])])


def _row(one: NightNumber) -> tuple[str, ...]:
    assert one.change is not None
    interval = (
        ""
        if one.exact or one.low is None or one.high is None
        else f" [{change_text(one, one.low)}, {change_text(one, one.high)}]"
    )
    again = change_text(one, one.again.change) if one.again else "-"
    p = "-" if one.exact or one.p is None else f"< {_TINY}" if one.p < _TINY else f"{one.p:.2g}"
    return (
        literal(one.name),
        _value(one.a),
        _value(one.b),
        change_text(one, one.change) + interval,
        word_of(one),
        again,
        p,
        _nights(one),
    )


def _nights(one: NightNumber) -> str:
    """Count the nights of a series, and say what the last ones before were."""
    recent = ", ".join("-" if value is None else change_text(one, value) for value in one.recent)
    return f"{one.nights} ({recent})" if recent else str(one.nights)


def word_of(one: NightNumber) -> str:
    """Say what a number is called after all."""
    if one.cause and one.is_worse:
        return "known to be worse"
    if one.is_worse:
        return "**worse**"
    return "worse at first, not again" if one.word == "worse" else one.word


def _value(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"


def _reasons(record: NightRecord) -> Iterator[str]:
    for word, head in (
        ("missing", "Missing"),
        ("skipped", "Skipped"),
        ("not reached", "Not reached: neither passing nor failing"),
    ):
        by_reason: dict[str, list[str]] = {}
        for one in record.numbers:
            if one.word == word:
                by_reason.setdefault(one.why, []).append(one.name)
        lines = [f"- {literal(_few(names))}: {literal(why)}" for why, names in by_reason.items()]
        if lines:
            yield "\n".join([f"## {head}\n", *lines])


def _few(names: Sequence[str]) -> str:
    more = f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more


def _resolved(record: NightRecord) -> Iterator[str]:
    mended = [f"- {literal(one.name)}: was {literal(one.said)}" for one in record.closed if not one.cause]
    if mended:
        yield "\n".join(["## No longer worse\n", *mended])
    known = [
        f"- {literal(one.name)}: {literal(one.said)}; acknowledged: {literal(one.cause)}"
        for one in record.closed
        if one.cause
    ]
    if known:
        yield "\n".join(["## Acknowledged, and still worse\n", *known])


def _how(record: NightRecord) -> Iterator[str]:
    judged = [one for one in record.of(*VERDICTS) if not one.exact]
    if judged:
        yield (
            f"Of all that this night calls worse or better at most {record.false_alarms:.3g} are not (false discovery rate over {len(judged)} "
            "comparisons, Benjamini and Hochberg). What is worse was measured again with fresh rounds and is called only where it is worse again."
        )
        hows = dict.fromkeys(one.how for one in judged)
        yield f"Intervals: {'; '.join(hows)}."
    few = [one for one in judged if one.nights_needed is not None and one.nights < one.nights_needed]
    if few:
        most = max(one.nights_needed or 0 for one in few)
        yield f"History: {few[0].nights} nights; from {most} on it shows a change of 1/{CREEPS} of the margin by itself, and larger ones sooner."
    if record.unchanged:
        yield f"Unchanged: {record.unchanged} builds and jobs of quality are the same for both, since nothing that they depend on differs."
    if session := record.sessions.get("main"):
        yield f"Session of the rounds: {session}; compare and report read them again with --where session={session}."
    yield f"Seed {record.seed}; rounds took {record.used:.0f} of {record.budget:.0f} s."
