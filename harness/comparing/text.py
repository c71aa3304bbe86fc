"""A comparison as Markdown: verdicts first, then what is missing, the questions that flipped, and how it was judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.comparing.comparison import ComparedNumber, Flip, JudgedSides
from harness.comparing.gate import Margin
from harness.comparing.verdict import Judged
from harness.core.marks import PACED, merged
from harness.markdown.rows import Align, literal, table_lines
from harness.tables.sitting import AT_PACE

FLIPS = 20
"""Questions shown where nobody says how many."""
_HEAD = ("Number", "A", "B", "B against A, 95 %", "Verdict", "p", "Matters from", "Could have seen")
_ALIGNS: tuple[Align, ...] = ("left", "right", "right", "right", "left", "right", "right", "right")
_WORD = {"worse": "**worse**", "better": "better", "same": "same", "cannot tell": "cannot tell"}
_TINY = 0.001
_NAMED = 12
"""Numbers that are named of those that share a reason."""


def to_text(result: JudgedSides, flips: int = FLIPS) -> str:
    """Write a comparison; flips: the most questions that are shown of each number."""
    parts = [f"A: {literal(result.sides[0])}  \nB: {literal(result.sides[1])}", summary(result)]
    if result.judged:
        rows = [_row(*one) for one in result.judged]
        parts.append("\n".join(table_lines(_HEAD, _ALIGNS, rows)))
    parts += [_listed("Missing", result.missing), _listed("Not judged", result.told)]
    parts += [part for one, _, _ in result.judged for part in _flips(one, flips)]
    parts += ["\n".join(f"- {literal(line)}" for line in (*result.notes, *_marked(result), *_how(result)))]
    return "\n\n".join(part for part in parts if part)


def summary(result: JudgedSides) -> str:
    """Say in one line what came of it."""
    counts = [(word, result.words.count(word)) for word in ("worse", "better", "same", "cannot tell")]
    told = [f"{count} {word}" for word, count in counts if count]
    told += [f"{len(result.missing)} missing"] if result.missing else []
    return f"**{', '.join(told)}**" if told else "**nothing to compare**"


def title(one: ComparedNumber) -> str:
    """Name a number."""
    return ", ".join(part for part in (one.metric.title, one.name) if part)


def _row(one: ComparedNumber, judged: Judged, margin: Margin | None) -> tuple[str, ...]:
    estimate = one.estimate
    assert estimate is not None
    change = _change(one, estimate.value)
    low, high = judged.interval
    interval = "" if estimate.exact else f" [{_change(one, low)}, {_change(one, high)}]"
    moved = f" (+{one.moved[0]}, -{one.moved[1]})" if one.moved else ""
    seen = "-" if estimate.exact else _unsigned(one, judged.smallest)
    values = [_number(value) for value in one.values]
    matters = "-" if margin is None else str(margin)
    p = "-" if estimate.exact else _p(judged.p)
    paced = f" {PACED}" if estimate.at_pace else ""
    return literal(title(one)), *values, f"{change}{interval}{moved}{paced}", _WORD[judged.word], p, matters, seen


def _change(one: ComparedNumber, value: float) -> str:
    if one.estimate is not None and one.estimate.log:
        share = math.expm1(min(value, 700.0))
        return f"{share:+.2%}"
    return f"{value:+.4g}"


def _unsigned(one: ComparedNumber, value: float) -> str:
    return _change(one, value).lstrip("+")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"


def _p(p: float) -> str:
    return f"< {_TINY}" if p < _TINY else f"{p:.2g}"


def _listed(head: str, found: Sequence[ComparedNumber]) -> str:
    by_reason: dict[str, list[str]] = {}
    for one in found:
        by_reason.setdefault(one.why, []).append(title(one))
    lines = [f"- {literal(_few(list(dict.fromkeys(names))))}: {literal(why)}" for why, names in by_reason.items()]
    return "\n".join([f"{head}:\n", *lines]) if lines else ""


def _few(names: Sequence[str]) -> str:
    more = f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{'; '.join(names[:_NAMED])}{more}"


def _flips(one: ComparedNumber, most: int) -> Iterator[str]:
    if not one.flips or not most:
        return
    shown = one.flips[:most]
    gained = sum(flip.gained for flip in one.flips)
    more = f"; {len(shown)} of {len(one.flips)} are shown" if len(shown) < len(one.flips) else ""
    yield f"{literal(title(one))}: B gained {gained} and lost {len(one.flips) - gained} questions{more}"
    answers = any(any(flip.answers) for flip in shown)
    head = ("Question", "", "Right", *(("A said", "B said") if answers else ()))
    aligns: list[Align] = ["left" for _ in head]
    yield "\n".join(table_lines(head, aligns, [_flip(flip, answers) for flip in shown]))


def _flip(flip: Flip, answers: bool) -> tuple[str, ...]:
    name = f"{flip.name}: {flip.question}" if flip.question else flip.name
    said = flip.answers if answers else ()
    return literal(name), "gained" if flip.gained else "lost", literal(flip.right), *(literal(one) for one in said)


def _marked(result: JudgedSides) -> Iterator[str]:
    for one, _, _ in result.judged:
        for mark in merged(one.marks):
            yield f"{title(one)} is marked {mark}"


def _how(result: JudgedSides) -> Iterator[str]:
    gate, drawn = (
        result.gate,
        [one for one, _, _ in result.judged if one.estimate is not None and not one.estimate.exact],
    )
    if not drawn:
        return
    if any(one.estimate.at_pace for one in drawn if one.estimate is not None):
        yield AT_PACE
    hows = dict.fromkeys(one.estimate.how for one in drawn if one.estimate is not None)
    yield f"Intervals: {'; '.join(hows)}."
    yield (
        f"Worse or better: p of no difference at most {gate.false_alarms:.3g}, which is adjusted for {len(drawn)} comparisons (false discovery "
        f"rate, Benjamini and Hochberg), with McNemar's exact test for answers. Same: shown to be within the margin, by two one-sided tests at "
        f"{gate.false_same:.3g}, adjusted likewise. Could have seen: with {gate.power:.0%} power, where nothing else differs."
    )
