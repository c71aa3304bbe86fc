"""What was worse at first is measured again, with fresh rounds, before anybody is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.commands.night_before import changed_numbers, scored
from harness.commands.night_main import MainNight
from harness.commands.night_quality import RunByJob, jobs_behind, quality_numbers, run_quality
from harness.commands.night_rounds import RoundsAsked, found_of, numbers_of, run_rounds
from harness.night.judging import NightFound, Suspect, confirmed, value_of
from harness.night.record import NightNumber
from harness.numbers.blocks import LOOKS
from harness.runner.live import LivePair


def measure_again(
    night: MainNight,
    order: Sequence[LivePair],
    numbers: list[NightNumber],
    runs: RunByJob,
    budget: float,
    suspects: Mapping[str, Suspect],
) -> tuple[list[NightNumber], str]:
    """Measure again what is worse, tonight or by the nights before; return all numbers, and the session of fresh rounds, empty where there are none."""
    worse = [one for one in numbers if (one.word == "worse" and one.confirmed is None) or one.series in suspects]
    if not worse:
        return numbers, ""
    names = {pair.name for pair in order}
    timed = {one.pair for one in worse if one.pair in names}
    again = _scored_again(night, [one for one in worse if one.pair not in names], runs)
    rounds, why, session = _timed_again(night, [pair for pair in order if pair.name in timed], worse, budget)
    values = {one.series: value_of(one.number) for one in (*again, *rounds)}
    series = {one.series for one in worse}
    again_found = [
        confirmed(one, values.get(one.series), suspects.get(one.series), why.get(one.pair, "it has no number"))
        if one.series in series
        else one
        for one in numbers
    ]
    return again_found, session


def _scored_again(night: MainNight, worse: Sequence[NightNumber], runs: RunByJob) -> list[NightFound]:
    jobs = jobs_behind(night.plan, night.sides, worse)
    if not jobs:
        return []
    ids = [job.id for job in jobs]
    more = run_quality(replace(night.plan, live=night.live), night.opened, night.console, ids)
    found = quality_numbers(night.plan, night.sides, {**runs, **more}, night.opened, ids)
    mine = scored(night.plan, night.baseline.side, {**runs, **more}, night.opened, frozenset(ids))
    changed = changed_numbers(night.baseline, mine, night.opened, night.reading)
    return [*found_of("", found.numbers, night.opened, night.reading), *changed]


def _timed_again(
    night: MainNight, pairs: Sequence[LivePair], worse: Sequence[NightNumber], budget: float
) -> tuple[list[NightFound], dict[str, str], str]:
    if not pairs:
        return [], {}, ""
    before = {
        pair.name: max([one.blocks for one in worse if one.pair == pair.name], default=LOOKS[0]) for pair in pairs
    }
    asked = RoundsAsked(pairs, f"{night.live}, again", max(before.values()), budget, night.seed, spent=night.spent())
    session, stop = run_rounds(
        night.plan, asked, night.opened, night.console,
        lambda _, pair, blocks: "as many as before" if blocks >= before[pair] else "",
    )  # fmt: skip
    found: list[NightFound] = []
    why = {}
    for pair in pairs:
        if pair.name in stop.broken:
            why[pair.name] = stop.broken[pair.name]
        elif stop.blocks(pair.name) < LOOKS[0]:
            why[pair.name] = "the budget was used"
        else:
            numbers = numbers_of(pair, session, night.opened, night.reading)
            why[pair.name] = next((one.why for one in numbers if one.disturbed), "it has no number")
            found += found_of(pair.name, numbers, night.opened, night.reading)
    return found, why, session
