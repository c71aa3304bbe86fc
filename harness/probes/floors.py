"""Below which divergence nothing is told: what storing a reference costs, and by how much launches of one model differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from harness.core.errors import HarnessError, Unsupported
from harness.core.sessions import GivesHidden, Scores
from harness.core.spec import Note
from harness.heads.opening import OpenHead
from harness.numbers.divergence import ABSOLUTE, RELATIVE, distances
from harness.probes.kl_store import lowered
from harness.probes.streams import tiles
from harness.probes.windows import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    States = NDArray[np.floating]
    Fresh = Callable[[Sequence[int], Sequence[int]], Rows]

SAMPLED = 512
"""Positions, evenly spread, at which what is stored is held against what the model gave."""
LAUNCHES = 3
"""Fresh processes whose distributions are compared."""
_NOISE_ROWS = 64
"""Positions, the last of a window in the middle, at which launches are compared."""
_CHECKED_ROWS = 64
_CHECKED_TOKENS = 256
"""Tokens of a window that are run to check a head at their last positions: the head does not depend on what is before."""
HEAD_KL = {"float32": 1e-8, "float16": 1e-5, "bfloat16": 1e-3}
"""Mean KL-divergence within which a head on its own gives what the model gives; logits in 16 bits are rounded that much."""


def check_head(session: Scores, head: OpenHead, ids: Sequence[int]) -> float:
    """Hold a head that was cut off against the whole model; return the KL-divergence between them, in nat: mean of a sample plus two standard errors.

    In 16 bits it is at least ABSOLUTE: a likely logit that is rounded the other way is rarer than the sample is large.
    Raises: Unsupported where it gives something else.
    """
    import numpy as np

    assert isinstance(session, GivesHidden)
    ids = ids[:_CHECKED_TOKENS]
    places = np.arange(max(0, len(ids) - _CHECKED_ROWS), len(ids))
    hidden = np.concatenate([tile.hidden for tile in session.hidden(ids, places.tolist())]).astype(np.float32)
    given = np.concatenate([rows.copy() for _, rows in tiles(session, ids, places)])
    alone = head.logits(hidden)
    if alone.shape != given.shape:
        raise Unsupported(f"the head on its own gives {alone.shape[1]} logits, and the model {given.shape[1]}")
    apart = distances(alone, given, wide=True).kl
    mean = float(apart.mean())
    if not mean <= HEAD_KL[head.record.dtype]:
        raise Unsupported(f"the head on its own gives other logits than the model (KL {mean:.1e})")
    least = 0.0 if head.record.dtype == "float32" else ABSOLUTE
    return max(least, mean + 2 * float(apart.std()) / math.sqrt(len(apart)))


def storage(head: OpenHead, raw: States, kept: States) -> NDArray[np.float64]:
    """Give the KL-divergence float64 [n] between what a model gave and what is stored of it, a few rows at a time."""
    import numpy as np

    parts = []
    for begin in range(0, len(raw), _CHECKED_ROWS):
        both = (rows[begin : begin + _CHECKED_ROWS].astype(np.float32) for rows in (raw, kept))
        parts.append(distances(*(head.logits(rows) for rows in both), wide=True).kl)
    return np.concatenate(parts)


def float16_cost(head: OpenHead, raw: States) -> float:
    """Give what float16 would cost a position on average, in nat, of some of these [n, hidden]; infinite where it cannot hold them.

    Raises: HarnessError where they are not finite.
    """
    import numpy as np

    if np.isfinite(raw).all() and np.abs(raw).max(initial=0.0) > np.finfo(np.float16).max:
        return math.inf
    some = raw[:: max(1, len(raw) // _CHECKED_ROWS)]
    return float(storage(head, some, lowered(some, "float16")).mean())


def most_storage(positions: int) -> float:
    """Give the most that storing may cost a position on average, in nat.

    It moves a divergence k of one position by at most 2 sqrt(cost k), up or down (Cauchy and Schwarz). The mean is to stay within ABSOLUTE or RELATIVE
    at two standard errors, which is hardest at k = ABSOLUTE / RELATIVE, and a model against itself within ABSOLUTE.
    """
    return min(ABSOLUTE, ABSOLUTE * RELATIVE * positions / 16)


def float_type(cost: float, positions: int) -> Literal["float16", "float32"]:
    """Choose how hidden states are stored, by what float16 would cost."""
    return "float16" if cost <= most_storage(positions) else "float32"


def rounding(rows: Rows) -> NDArray[np.float64]:
    """Give the KL-divergence float64 [n] between log-probabilities and their neighbours in float32, every other one above, below."""
    import numpy as np

    aside = np.where(np.arange(rows.shape[1]) % 2, np.float32(np.inf), np.float32(-np.inf))
    return np.abs(distances(rows, np.nextafter(rows, aside), wide=True).kl)


def self_noise(
    session: Scores, fresh: Fresh | None, ids: NDArray[np.int64], spans: Sequence[Span]
) -> tuple[float | None, int, tuple[Note, ...]]:
    """Run a model in fresh processes; return the largest mean KL-divergence between two launches, and how many there were.

    None, with a note, where a process could not be started, the model not be opened a second time, or what a launch gave is not finite.
    """
    import numpy as np

    if fresh is None:
        return None, 0, ()
    span = spans[len(spans) // 2]
    window = ids[span.begin : span.end].tolist()
    places = np.arange(max(0, len(window) - _NOISE_ROWS), len(window))
    launches = [np.concatenate([rows.copy() for _, rows in tiles(session, window, places)])]
    try:
        launches += [fresh(window, places.tolist()) for _ in range(LAUNCHES)]
    except HarnessError as error:
        return _not_measured(str(error))
    pairs = [
        float(distances(one, other, wide=True).kl.mean())
        for number, one in enumerate(launches) for other in launches[number + 1 :]
    ]  # fmt: skip
    if not np.isfinite(pairs).all():
        return _not_measured("a launch gave log-probabilities that are not finite")
    return max(0.0, *pairs), LAUNCHES, ()


def _not_measured(reason: str) -> tuple[None, int, tuple[Note, ...]]:
    return None, 0, (Note(code="no-self-noise", text=f"by how much launches differ was not measured: {reason}"),)
