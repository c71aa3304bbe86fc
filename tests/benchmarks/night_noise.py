"""Noise of nights with a standard deviation of one, resampled from what was measured: our A/A rounds, and two nightly series of a database.

An A/A night is the difference of two sides that are the same thing, over `BLOCKS` blocks that ran one after another (a random stretch of a pool; the
sides by a coin). A series of the database is taken less the level of its segment, by the change points marked in tests/golden/change_points.json;
nights keep their order in stretches of ten on average (stationary bootstrap: Politis and Romano, 1994).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from tests.benchmarks import aa_pool
from tests.benchmarks.live_blocks import PoolBlock, own_pool, quieter_pool, stretches
from tests.conftest import ROOT, extra

BLOCKS, STRETCH = 2, 10
MARKS = ROOT / "tests" / "golden" / "change_points.json"
CHAINS = {"chain, correlation 0.3": 0.3, "chain, correlation 0.5": 0.5}
"""Made noise that resembles the night before."""


@cache
def aa_pools() -> Mapping[str, np.ndarray]:
    """Read our A/A rounds as nights with a deviation of 1, to be drawn in any order and sign."""
    return {name: _nights(_apart(blocks)) for name, blocks in _rounds().items()}


@cache
def pools() -> Mapping[str, np.ndarray]:
    """Read all pools, each with a mean of 0, or drawn with either sign, and a deviation of 1."""
    return {**aa_pools(), **{f"database, {path.stem.split('_')[1]} series": _residuals(path) for path in series()}}


def _rounds() -> dict[str, list[PoolBlock]]:
    quieter = {f"A/A, quieter machine, {method}": quieter_pool(method) for method in aa_pool.METHODS}
    return {"A/A, busy machine, int4": own_pool(), **quieter}


def series() -> list[Path]:
    """Name the files of the database's series."""
    return sorted(extra("series").glob("*.json"))


def _apart(blocks: Sequence[PoolBlock]) -> np.ndarray:
    """Return what the sides of each block differ by."""
    return np.array([(sum(one.logs("b")) - sum(one.logs("a"))) / 2 for one in blocks])


def _nights(apart: np.ndarray) -> np.ndarray:
    nights = sum(np.roll(apart, -place) for place in range(BLOCKS)) / BLOCKS
    return np.asarray(nights / np.sqrt((nights**2).mean()))


def kept(blocks: Sequence[PoolBlock]) -> float:
    """Return what share of a night's variance lies between sessions, and would be the same in a second measurement: one-way analysis of variance."""
    some = [_apart(one) for one in stretches(blocks)]
    some = [one for one in some if len(one) > 1]
    count = sum(map(len, some))
    inside = sum(float(((one - one.mean()) ** 2).sum()) for one in some) / (count - len(some))
    middle = float(np.concatenate(some).mean())
    between = sum(len(one) * (float(one.mean()) - middle) ** 2 for one in some) / (len(some) - 1)
    size = (count - sum(len(one) ** 2 for one in some) / count) / (len(some) - 1)
    more = max(0.0, (between - inside) / size)
    return more / (more + inside / BLOCKS)


@cache
def drawn_anew() -> Mapping[str, float]:
    """Return of each pool the share of a night's variance that a second measurement draws anew; nobody measured the database twice: all of it."""
    return dict.fromkeys(pools(), 1.0) | {name: 1 - kept(blocks) for name, blocks in _rounds().items()}


def _residuals(path: Path) -> np.ndarray:
    values = np.array(json.loads(path.read_text("utf-8")), dtype=float)
    values = np.log(values) if (values > 0).all() else values
    marks = json.loads(MARKS.read_text("utf-8"))["series"][path.stem]["sure"]
    rest = np.concatenate([part - np.median(part) for part in np.split(values, marks)])
    return np.asarray((rest - rest.mean()) / rest.std())


def drawn(name: str, count: int, draw: np.random.Generator, *, ordered: bool) -> np.ndarray:
    """Draw one series of nights. ordered: as nights follow one another, where that is known; else each on its own."""
    if name in CHAINS:
        return _chain(CHAINS[name] if ordered else 0.0, count, draw)
    pool = aa_pools()[name] if name in aa_pools() else pools()[name]
    if name in aa_pools():
        return np.asarray(draw.choice(pool, count) * draw.choice([-1.0, 1.0], count))
    if not ordered:
        return np.asarray(draw.choice(pool, count))
    leaps = np.flatnonzero(draw.random(count) < 1 / STRETCH)
    begins = np.unique([0, *leaps])
    starts = draw.integers(0, len(pool), len(begins))
    which = np.searchsorted(begins, np.arange(count), side="right") - 1
    return np.asarray(pool[(starts[which] + np.arange(count) - begins[which]) % len(pool)])


def _chain(likeness: float, count: int, draw: np.random.Generator) -> np.ndarray:
    shocks = draw.normal(size=count + 30) * np.sqrt(1 - likeness**2)
    values = np.zeros(len(shocks))
    for place in range(1, len(shocks)):
        values[place] = likeness * values[place - 1] + shocks[place]
    return values[30:]


def described() -> None:
    """Print what the pools are."""
    for name, pool in pools().items():
        rest = pool - pool.mean()
        alike = float((rest[1:] * rest[:-1]).sum() / (rest**2).sum())
        robust = 1.4826 * float(np.median(np.abs(pool - np.median(pool))))
        how = f"residuals, in order; correlation with the night before {alike:+.2f}"
        if name in aa_pools():
            how = f"nights of {2 * BLOCKS} rounds a side, in any order; {kept(_rounds()[name]):.0%} of their variance lies between sessions"
        print(
            f"{name}: {len(pool)} {how}; of a deviation of 1 the middle has {robust:.2f}, the farthest lies at {np.abs(pool).max():.1f}"
        )
