"""An engine that is worse than a real one by a known size: a gate that does not find it cannot bite. No sweep can name it.

It opens the real engine and does real work more: each timed call of generation takes a share longer, spent on additions; each
prediction loses a known part of what it should say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import Field

from harness.core.options import Options, validated
from harness.core.registry import load
from harness.core.seam import Engine
from harness.core.sessions import GivesLogits, LogitTile, Session, Tile
from harness.core.spec import JsonObject
from harness.engines import CANARY, ENGINES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import GenerationWorkload, Trace

    Rows = NDArray[np.floating]

_BETWEEN = 64
"""Additions between two looks at the clock."""
_SEED = 20


class CanaryOptions(Options):
    """Which engine is made worse, and by how much."""

    engine: str
    options: JsonObject = Field(default_factory=dict)
    """Of that engine."""
    slower: float = 0.0
    """Share by which each timed call of generation takes longer."""
    lost: float = 0.0
    """Nats that the log-probability of the token that follows loses on average."""
    moved: float = 0.0
    """Nats by which a divergence from what it says grows on average: likelihood moves from all tokens to the least likely one."""


def canary_engine(given: Mapping[str, object]) -> tuple[Engine, CanaryOptions]:
    """Make the worse engine. Raises: ConfigError for options that it or the real engine do not have."""
    options = validated(CanaryOptions, given, f"engine {CANARY}")
    real: Engine = load(ENGINES, "engine", options.engine)
    asked = validated(real.options, options.options, f"engine {options.engine}")

    @contextmanager
    def opened(folder: Path, _: object) -> Iterator[Session]:
        with real.open(folder, asked) as session, slowed(options.engine, options.slower):
            yield worse(session, options)

    engine = replace(
        real,
        name=CANARY,
        options=CanaryOptions,
        open=opened,
        provider=lambda _: real.provider(asked),
        floats=lambda _: real.floats(asked),
        inspect=None,  # what a real engine runs is no matter of a canary, and nothing of it is kept
    )
    return engine, options


# ---------------------------------------------------------------- slower


def slowed(engine: str, share: float) -> AbstractContextManager[None]:
    """Make an engine's timed calls take a share longer, for as long as the context lasts."""
    return SLOWED[engine](share) if share else nullcontext()


def work(seconds: float) -> int:
    """Add numbers up for so many seconds."""
    end, total = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        for number in range(_BETWEEN):
            total += number
    return total


@contextmanager
def _genai(share: float) -> Iterator[None]:
    import onnxruntime_genai as og

    real = og.Generator

    class Slowed(real):  # type: ignore[misc,valid-type]
        def append_tokens(self, ids: object) -> None:
            begun = time.perf_counter()
            super().append_tokens(ids)
            work(share * (time.perf_counter() - begun))

        def generate_next_token(self) -> None:
            begun = time.perf_counter()
            super().generate_next_token()
            work(share * (time.perf_counter() - begun))

    og.Generator = Slowed
    try:
        yield
    finally:
        og.Generator = real


@contextmanager
def _torch(share: float) -> Iterator[None]:
    from harness.engines import torch_generation

    real = torch_generation.finish
    since = [time.perf_counter()]

    def finish(device: object) -> None:
        real(device)
        passed = time.perf_counter() - since[0]
        work(share * passed)
        since[0] = time.perf_counter()

    torch_generation.finish = finish
    try:
        yield
    finally:
        torch_generation.finish = real


@contextmanager
def _optimum(share: float) -> Iterator[None]:
    """Have the program told, since it times its model in a process of its own."""
    from harness.engines import optimum_benchmark

    real = optimum_benchmark.asked_of

    def asked_of(*given: Any, **named: Any) -> dict[str, dict[str, object]]:
        return {**real(*given, **named), "canary": {"slower": share}}

    optimum_benchmark.asked_of = asked_of
    try:
        yield
    finally:
        optimum_benchmark.asked_of = real


@contextmanager
def _fake(share: float) -> Iterator[None]:
    from harness.engines import fake

    real = fake.FakeSession.generate

    def generate(self: fake.FakeSession, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        asked = self._options
        self._options = asked.model_copy(update={"step_seconds": asked.step_seconds * (1 + share)})
        try:
            return real(self, workload, progress)
        finally:
            self._options = asked

    fake.FakeSession.generate = generate  # type: ignore[method-assign]
    try:
        yield
    finally:
        fake.FakeSession.generate = real  # type: ignore[method-assign]


SLOWED: Mapping[str, Callable[[float], AbstractContextManager[None]]] = {
    "ort-genai": _genai,
    "transformers": _torch,
    "optimum-benchmark": _optimum,
    "fake": _fake,
}
"""Engines whose timed calls can be made longer from outside; other programs cannot."""

# ---------------------------------------------------------------- wrong


class _Scoring(Protocol):
    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]: ...


def worse(session: Session, options: CanaryOptions) -> Session:
    """Damage what a session says of the next token, as log-probabilities and as logits; a session without them stays as it is."""
    if not (options.lost or options.moved):
        return session
    if hasattr(session, "logprobs"):
        honest = cast("_Scoring", session).logprobs

        def logprobs(token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
            for tile in honest(token_ids, positions):
                yield Tile(tile.positions, damaged(tile.logprobs, tile.positions, token_ids, options))

        session.__dict__["logprobs"] = logprobs
    if isinstance(session, GivesLogits):
        raw = session.logits

        def logits(token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
            for tile in raw(token_ids, positions):
                rows = damaged(normalized(tile.logits), tile.positions, token_ids, options)
                yield LogitTile(tile.positions, rows.astype(tile.logits.dtype))

        session.__dict__["logits"] = logits
    return session


def normalized(logits: Rows) -> Rows:
    """Return log-probabilities in float64."""
    import numpy as np

    rows = logits.astype(np.float64)
    return np.asarray(rows - np.logaddexp.reduce(rows, axis=1, keepdims=True))


def damaged(rows: Rows, positions: NDArray[np.int64], ids: Sequence[int], options: CanaryOptions) -> Rows:
    """Take from each distribution what it should say; the same positions lose the same. rows: [positions, vocabulary], natural log."""
    import numpy as np

    found = np.array(rows, dtype=np.float64)
    for row, position in zip(found, map(int, positions), strict=True):
        if options.moved:
            _move(row, options.moved * _drawn(position, int(ids[position]) if position < len(ids) else 0))
        if options.lost and position + 1 < len(ids):
            following = int(ids[position + 1])
            _take(row, following, options.lost * _drawn(position, following))
    return found.astype(rows.dtype)


def _drawn(position: int, token: int) -> float:
    """Draw how much a position loses of the mean, so that positions differ as those of a damaged model do: exponential, of mean 1."""
    import numpy as np

    return float(np.random.default_rng([_SEED, position, token]).exponential())


def _move(row: Rows, nats: float) -> None:
    """Lower all log-probabilities alike, and give what they had to the least likely token: a divergence from the row grows by so much.

    What that token itself has of the true distribution is next to nothing.
    """
    least = int(row.argmin())
    row -= nats
    row[least] = math.log(math.exp(row[least]) - math.expm1(-nats))


def _take(row: Rows, token: int, lost: float) -> None:
    """Lower one log-probability, and give what it had to all others in proportion."""
    before = min(float(row[token]), -1e-12)
    after = before - lost
    row += math.log(-math.expm1(after)) - math.log(-math.expm1(before))
    row[token] = after
