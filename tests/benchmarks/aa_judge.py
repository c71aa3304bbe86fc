"""What the pool says: whether the same thing agrees, and whether a slowdown shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.benchmarks.aa_pool import (
    METHODS,
    METRICS,
    POOL,
    SLOWER,
    Round,
    as_numbers,
    default_rounds,
    excludes_one,
    in_sittings,
    pairs,
    ratio,
    rounds,
    sessions,
)


def judge() -> int:
    """Print what the pool says and whether it holds."""
    from tests.benchmarks.facts import headline, result

    headline("python -m tests.benchmarks.aa_speed judge")
    if not POOL.exists():
        sys.exit(
            f"no rounds yet in {POOL.name}; run `python -m tests.benchmarks.aa_speed record` on a quiet machine first"
        )
    pool, size = rounds(), default_rounds()
    parts = [
        _described(pool, size), _same(pool, size), _unbiased(pool), _slower(pool, size), _marked(pool, size),
    ]  # fmt: skip
    return result(all(parts))


def _described(pool: Sequence[Round], size: int, rounds_: int = 120, sittings: int = 6) -> bool:
    """Say what is in the pool, and whether it is enough to judge by."""
    good = True
    for method in METHODS:
        plain = in_sittings(pool, method, "plain")
        print(f"{method}: {sum(map(len, plain))} plain rounds in {len(plain)} sittings")
        for name, at_pace in (("as they passed", False), ("at one pace", True)):
            spreads = ", ".join(f"{metric} {100 * _spread(plain, metric, at_pace):.2f} %" for metric in METRICS)
            print(f"  between processes, seconds {name}: {spreads}")
        good = good and len(plain) >= sittings and sum(map(len, plain)) >= rounds_
    print(f"a session has {size} rounds; wanted are {rounds_} plain rounds in {sittings} sittings")
    return good


def _spread(sittings: Sequence[Sequence[Round]], metric: str, at_pace: bool) -> float:
    """Pool the variance of logarithms within sittings: standard deviation."""
    import numpy as np

    squares, degrees = 0.0, 0
    for sitting in sittings:
        logs = np.log([(each.at_pace if at_pace else each.values)[metric] for each in sitting])
        squares += float(((logs - logs.mean()) ** 2).sum())
        degrees += len(logs) - 1
    return float((squares / degrees) ** 0.5)


def _same(pool: Sequence[Round], size: int, wanted: int = 40, most: int = 4) -> bool:
    """Compare sessions of the same thing: how many intervals exclude 1, and how wide they are."""
    import numpy as np

    from harness.numbers import rounds as numbers
    from harness.numbers.intervals import student_t

    some = pairs(pool, size)[:wanted]
    good = len(some) == wanted
    for metric in METRICS:
        found = [ratio(*pair, metric) for pair in some]
        wrong = sum(map(excludes_one, found))
        widths = []
        for one, pair in zip(found, some, strict=True):
            sittings = in_sittings(pool, pair[0][0].method, "plain")
            sd, degrees = numbers.pooled([as_numbers(each, metric) for each in sittings]), sum(map(len, sittings))
            widths.append(
                np.log(one.high / one.low) / (2 * student_t(degrees - len(sittings)) * sd * (2 / size) ** 0.5)
            )
        width = float(np.median(widths))
        holds = wrong <= most and width <= 1.3
        good = good and holds
        print(
            f"same, {metric}: {wrong} of {len(some)} pairs apart (at most {most}), width {width:.2f} of the pooled t (at most 1.3)"
        )
    return good


def _unbiased(pool: Sequence[Round], most: float = 0.03) -> bool:
    """Compare the methods over the whole pool at one pace and by the seconds that passed: they must say the same."""
    import numpy as np

    good = True
    for metric in METRICS:
        sides = [
            [
                np.log(
                    [
                        (one.at_pace if paced else one.values)[metric]
                        for one in pool
                        if (one.method, one.arm) == (method, "plain")
                    ]
                ).mean()
                for method in reversed(METHODS)
            ]
            for paced in (False, True)
        ]
        seconds, paced = (float(np.exp(one - other)) for one, other in sides)
        holds = abs(np.log(paced / seconds)) <= most
        good = good and holds
        print(
            f"{' / '.join(reversed(METHODS))}, {metric}: {seconds:.3f} by seconds, {paced:.3f} at one pace (apart at most {100 * most:.0f} %)"
        )
    return good


def _slower(pool: Sequence[Round], size: int, wanted: float = 0.9, most: int = 8) -> bool:
    """Find the rounds that show the injected slowdown in nine of ten sessions."""
    import numpy as np

    near = []
    for method in METHODS:
        groups = [in_sittings(pool, method, arm) for arm in ("plain", "slow")]
        apart = [
            np.mean(np.log([one.at_pace["decode_tps"] for one in plain]))
            - np.mean(np.log([one.at_pace["decode_tps"] for one in slow]))
            for plain, slow in zip(*groups, strict=True)
        ]
        longer, error = float(np.mean(apart)), 1.96 * float(np.std(apart, ddof=1)) / len(apart) ** 0.5
        near.append(longer - error <= SLOWER + 0.015 and longer + error >= SLOWER - 0.015)
        print(
            f"injected, {method}: set to {100 * SLOWER:.0f} % within a process; between processes a step takes {100 * longer:.1f} ± "
            f"{100 * error:.1f} % longer, over {len(apart)} sittings (3.5 to 6.5 are wanted)"
        )
    curves = {method: {size_: _power(pool, method, size_) for size_ in range(3, most + 1)} for method in METHODS}
    for method, curve in curves.items():
        print(
            f"found, {method}, by rounds: " + ", ".join(f"{one}: {100 * share:.0f} %" for one, share in curve.items())
        )
    least = [min(curve[size_] for curve in curves.values()) for size_ in range(3, most + 1)]
    enough = next((size_ for size_, share in enumerate(least, 3) if share >= wanted), None)
    print(
        f"rounds for {100 * wanted:.0f} %: {enough or f'more than {most}'}; the default is {size}, {most} at the most"
    )
    return all(near) and (enough or most) <= size <= most


def _power(pool: Sequence[Round], method: str, size: int) -> float:
    """Share of sessions of this size, of all that stand in the pool, in which the slowdown shows."""
    found = []
    slow = {group[0].sitting: group for group in in_sittings(pool, method, "slow")}
    for plain in in_sittings(pool, method, "plain"):
        slowed, normal = slow[plain[0].sitting], plain[::2]
        for start in range(min(len(slowed), len(normal)) - size + 1):
            one = ratio(slowed[start : start + size], normal[start : start + size], "decode_tps")
            found.append(bool(one.high < 1))
    return sum(found) / len(found)


def _marked(pool: Sequence[Round], size: int, wanted: int = 40) -> bool:
    """Count the sessions that say they were disturbed: few of the quiet ones, nearly all beside a busy core."""
    counts = {}
    for arm in ("plain", "busy"):
        some = sessions(pool, arm, size)[:wanted]
        counts[arm] = (sum(any(one.notes for one in session) for session in some), len(some))
        print(f"marked, {arm}: {counts[arm][0]} of {counts[arm][1]} sessions")
    (quiet, of_quiet), (busy, of_busy) = counts["plain"], counts["busy"]
    return of_quiet == of_busy == wanted and quiet <= 2 and busy >= 38
