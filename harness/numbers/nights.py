"""A number over nights as a witness: has tonight's series moved from where it was? Pure; numpy and scipy inside functions.

Each series' newest nights, in windows of several lengths, are held against all its nights before by Student's t (a change point model whose level and
deviation are not known: Hawkins, Qiu and Kang, 2003), after what all series have in common that night is taken out (`night_series`). The windows share a
level equally. Over the series of a night Benjamini and Hochberg's procedure (1995) holds the rate. The rate is one of a night, and expectations
add up whatever nights have to do with one another: over so many nights at most so many times the rate are false, with no end to be planned.

What is shown at a looser level (`IN_VAIN`) is a candidate. It is measured again in the same night, and stands where both measurements together
show it at the gate's rate (`is_confirmed`); the series keeps them `joined`. A change that somebody acknowledged ends its series: the caller hands over what came after.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.numbers.night_evidence import NightEvidence, is_confirmed, is_within, joined
from harness.numbers.night_series import (
    FAR,
    LEAST,
    SHARE,
    WINDOWS,
    NightValue,
    before,
    chance,
    limited_sum,
    medians,
    packed,
    scores,
    table_of,
    weights,
    width,
    without_common,
)

if TYPE_CHECKING:
    from harness.numbers.night_series import Floats, NightTable

__all__ = ["NightEvidence", "NightValue", "SeriesWitness", "is_confirmed", "joined", "nights_needed", "witnesses"]

IN_VAIN, ALONE = 2.0, 0.02
"""A candidate is shown at a level at which chance makes so many a night, and one series one in so many of its nights, at the most: what is
measured again in vain."""
MOST = 4095
"""Nights beyond which nothing is reckoned: eleven years."""
_FARTHEST = 36.0  # beyond, the noncentral t is not computed


@dataclass(frozen=True)
class SeriesWitness:
    """What the nights of a series say of tonight."""

    is_change: bool
    """A candidate: beyond what nights differ by, and not shown to be within the margin; it stands once it `is_confirmed`."""
    since: int | None
    """Index of the night at which it most likely began."""
    size: float
    """Level since then less level before, on the scale of `NightValue`; 0 without a change."""
    p: float
    """Of no change, adjusted over all series of the night; 1 where the series says nothing tonight."""
    night_sd: float | None
    """Standard deviation between nights, with what rounds vary by within a night; None: too few nights."""
    nights_needed: int | None
    """Nights from which a change of the margin is shown with the gate's power; what is larger may show sooner, silence before says nothing.
    None: nights differ by so much more that no number of them shows it."""
    evidence: NightEvidence | None = None
    """For `is_confirmed`; None without a candidate."""


def witnesses(
    series: Mapping[str, Sequence[NightValue | None]],
    *,
    margin: Mapping[str, float | None],
    false_alarms: float,
    power: float,
    groups: Mapping[str, str] | None = None,
) -> dict[str, SeriesWitness]:
    """Judge tonight's series by their nights so far, in order; the last one is tonight. None, or a number that is not finite: not measured.

    A series has one definition, machine and GPU, and begins after the last change that was acknowledged: the caller cuts it. margin: on the scale of
    `NightValue`; None or no entry: every change matters. groups: series by what they may have in common (kind of number); default: all may.
    """
    table = table_of(series)
    rows = _rows(table, [(groups or {}).get(name, "") for name in table.names], [len(one) for one in series.values()])
    drawn = {
        place: one
        for place, one in enumerate(_best(rows))
        if one and rows[place].is_tonight and not rows[place].is_exact
    }
    adjusted = dict(zip(drawn, _adjusted([p for p, _ in drawn.values()]), strict=True))
    found = {}
    for place, name in enumerate(table.names):
        row, limit, p = rows[place], margin.get(name), adjusted.get(place, 1.0)
        change = _exact_change(row)
        if place in drawn and (drawn[place][0] <= min(IN_VAIN / len(drawn), ALONE) or p <= false_alarms):
            needed = _needed([one for other, (one, _) in drawn.items() if other != place], false_alarms)
            change = _change(row, drawn[place][1], needed * SHARE)
        if change and is_within(change.size, change.error, limit):
            change = None
        found[name] = SeriesWitness(
            is_change=change is not None,
            since=change.since if change else None,
            size=change.size if change else 0.0,
            p=0.0 if change and row.is_exact else p,
            night_sd=row.deviation,
            nights_needed=_needed_by(row, limit, false_alarms / max(1, len(drawn)), power),
            evidence=change.evidence if change else None,
        )
    return found


def nights_needed(night_sd: float, margin: float, *, false_alarms: float, power: float) -> int:
    """Count the nights, changed ones included, from which a step of the margin is shown with this power, by the noncentral t; 2 where nights do not differ.

    false_alarms: of this one series, two-sided: the night's rate over the number of its series.
    Raises: ValueError for a margin that is not above 0, or that no `MOST` nights show.
    """
    import numpy as np
    from scipy.special import nctdtr, stdtrit

    if not margin > 0:
        raise ValueError(f"the margin of a witness must be above 0; it is {margin}")
    if night_sd <= 0:
        return 2
    for low, high in ((LEAST + WINDOWS[0], 63), (64, 511), (512, MOST)):
        count = np.arange(low, high + 1)
        shown = np.zeros(len(count), dtype=bool)
        for newest in (*WINDOWS, count // 2):
            known = np.maximum(count - newest, 2)
            degrees = known - 1.0
            edge = -stdtrit(degrees, false_alarms * SHARE / 2)
            away = margin / night_sd / np.sqrt(1 / newest + 1 / known)
            sure = 1 - nctdtr(degrees, np.minimum(away, _FARTHEST), edge)
            shown |= (known >= LEAST) & (count > newest) & np.where(away < _FARTHEST, sure >= power, away > edge)
        if shown.any():
            return int(count[np.argmax(shown)])
    raise ValueError(f"no {MOST} nights show a change of {margin:g} where nights differ by {night_sd:g}")


# ---------------------------------------------------------------- one series


@dataclass(frozen=True)
class _Row:
    values: Floats
    """Of the nights that were measured, less what is common."""
    times: Floats
    """How often each was measured."""
    nights: tuple[int, ...]
    """Their indices."""
    common: float
    """Tonight."""
    within: float
    """Middle of the nights' own errors."""
    is_tonight: bool
    is_exact: bool
    """Counted exactly, with at most one step in all nights."""

    deviation: float | None
    """Between nights; None below `LEAST` of them."""


@dataclass(frozen=True)
class _Change:
    since: int
    size: float
    error: float
    evidence: NightEvidence


def _rows(table: NightTable, groups: Sequence[str], lengths: Sequence[int]) -> list[_Row]:
    import numpy as np

    own, common = without_common(table, groups)
    measured = [np.flatnonzero(np.isfinite(one)) for one in own]
    within = medians(table.errors, 1)
    spread = before(packed(own), within).deviation
    last, found = own.shape[1] - 1, []
    for place, length in enumerate(lengths):
        nights = measured[place]
        values = own[place, nights]
        is_exact = (
            len(nights) > 0 and not np.nan_to_num(table.errors[place]).any() and np.count_nonzero(np.diff(values)) <= 1
        )
        deviation = 0.0 if is_exact else float(spread[place]) if len(nights) >= LEAST else None
        found.append(
            _Row(
                values,
                table.times[place, nights],
                tuple((nights - (last + 1 - length)).tolist()),
                float(common[place, -1]) if last >= 0 else 0.0,
                float(within[place]),
                is_tonight=len(nights) > 0 and int(nights[-1]) == last,
                is_exact=bool(is_exact),
                deviation=deviation,
            )
        )
    return found


def _best(rows: Sequence[_Row]) -> list[tuple[float, int] | None]:
    """Return of each series its least p over windows, adjusted for their number, and the window; None where no window can be looked at."""
    import numpy as np

    counts = np.array([len(row.values) for row in rows], dtype=int)
    most = int(counts.max(initial=0))
    values, times = np.full((2, len(rows), most), np.nan)
    for place, row in enumerate(rows):
        values[place, most - len(row.values) :] = row.values
        times[place, most - len(row.values) :] = row.times
    least = np.array([row.within for row in rows])
    found = np.full((len(rows), 2), np.nan)
    for window in sorted({*WINDOWS, *(counts // 2).tolist()}):
        asked = (counts >= max(2 * window, window + LEAST)) & ((counts // 2 == window) | (window in WINDOWS))
        if window < WINDOWS[0] or not asked.any():
            continue
        score, known = scores(values[asked], times[asked], least[asked], window)
        p = np.minimum(1.0, chance(score, known.nights) / SHARE)
        places = np.flatnonzero(asked)
        better = ~(p >= found[places, 0]) & np.isfinite(p)
        found[places[better]] = np.stack([p[better], np.full(int(better.sum()), window)], axis=1)
    return [None if np.isnan(p) else (float(p), int(window)) for p, window in found]


def _change(row: _Row, window: int, p_needed: float) -> _Change:
    """Describe what a window shows: evidence from it, place and size by the split near it that shows most."""
    import numpy as np

    values, times, least = row.values[None], row.times[None], np.array([row.within])
    splits = range(max(WINDOWS[0], window // 2), min(2 * window, len(row.values) - LEAST) + 1)
    heights = {newest: abs(float(scores(values, times, least, newest)[0][0])) for newest in splits}
    since = max(heights, key=lambda newest: -1.0 if math.isnan(heights[newest]) else heights[newest])
    known, shown = (before(values[:, :-newest], least) for newest in (since, window))
    weight = weights(times[:, -since:], least / known.deviation)
    count = weight.sum(axis=1)
    size = limited_sum((values[:, -since:] - known.level) / known.deviation, weight) / count * known.deviation
    error = width(known.likeness, count, known.nights) / count * known.deviation
    evidence = NightEvidence(
        level=float(shown.level[0]) + row.common,
        deviation=float(shown.deviation[0]),
        before=int(shown.nights[0]),
        likeness=float(shown.likeness[0]),
        newest=tuple(((row.values[-window:] - shown.level[0]) / shown.deviation[0]).tolist()),
        times=tuple(row.times[-window:].tolist()),
        within=row.within / float(shown.deviation[0]),
        p_needed=p_needed,
    )
    return _Change(row.nights[-since], float(size[0]), float(error[0]), evidence)


def _exact_change(row: _Row) -> _Change | None:
    """Return the one step of a series that is counted exactly."""
    import numpy as np

    steps = np.flatnonzero(np.diff(row.values))
    if not (row.is_exact and row.is_tonight and len(steps)):
        return None
    old, new = float(row.values[0]), float(row.values[-1])
    since = int(steps[0]) + 1
    return _Change(row.nights[since], new - old, 0.0, NightEvidence(old, 0.0, since))


def _needed_by(row: _Row, margin: float | None, false_alarms: float, power: float) -> int | None:
    """Return `nights_needed`, of a deviation to two digits; without a margin (as a share of nothing) or a deviation that of the loudest change that counts."""
    if row.deviation == 0:
        return 2
    size = FAR if not margin or row.deviation is None else margin / row.deviation
    return _nights_needed(float(f"{size:.1e}"), false_alarms, power)


@functools.lru_cache(maxsize=4096)
def _nights_needed(size: float, false_alarms: float, power: float) -> int | None:
    try:
        return nights_needed(1.0, size, false_alarms=false_alarms, power=power)
    except ValueError:
        return None


# ---------------------------------------------------------------- all series of a night


def _adjusted(found: Sequence[float]) -> list[float]:
    """Adjust p over a night by Benjamini and Hochberg's procedure."""
    import numpy as np

    p = np.array(found)
    order = np.argsort(p)[::-1]
    raised = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1)) if len(p) else p
    p[order] = np.minimum(raised, 1.0)
    return [float(one) for one in p]


def _needed(others: Sequence[float], rate: float) -> float:
    """Return the p at which one more series is shown at a rate, by the same procedure."""
    count = len(others) + 1
    steps = [place for place, p in enumerate(sorted(others), 2) if p <= rate * place / count]
    return rate * max(steps, default=1) / count
