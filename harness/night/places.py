"""A sweep as a night runs it: all of its jobs in the baseline and in the candidate. Pure."""

from __future__ import annotations

from dataclasses import replace

from harness.plan.sweep import Places, Sweep


def night_sweep(sweep: Sweep, baseline: str, candidate: str) -> Sweep:
    """Let every case run in two environments.

    Where a case names one of them, the other stands beside it in its place; where it names neither, both stand in the place of all that it names.
    """
    cases = []
    for case in sweep.cases:
        found: dict[tuple[tuple[str, str], ...], Places] = {}
        for places in case.places:
            for one in _both(places, baseline, candidate):
                found.setdefault(tuple(sorted(one.names.items())), one)
        cases.append(replace(case, places=tuple(found.values())))
    return replace(sweep, cases=tuple(cases))


def _both(places: Places, baseline: str, candidate: str) -> tuple[Places, Places]:
    there = set(places.names.values()) & {baseline, candidate}
    changed = there or set(places.names.values())
    one, other = (
        replace(places, names={adapter: side if name in changed else name for adapter, name in places.names.items()})
        for side in (baseline, candidate)
    )
    return one, other
