"""Whether a float export is its model: its log-probabilities, through the engine that measures it, against the model's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import Differs, HarnessError, is_out_of_memory
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.seam import Context, FloatType, MetricValue, Probe, ProbeResult
from harness.core.sessions import Request, Scores
from harness.numbers.divergence import distances
from harness.probes.streams import tiles
from harness.probes.verify_reference import Asked, Sequenced, Truth, open_truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.floating[Any]]

MAX_DLOGP = 1e-3
"""float32: largest difference of any log-probability (nat) that is rounding."""
TIMES_OWN = 4.0
"""16-bit types: KL-divergence from the float32 model, as a multiple of what the model itself has when it computes in that type."""
LEAST_KL: dict[str, float] = {"float16": 1e-5, "bfloat16": 1e-3}
"""16-bit types: KL-divergence (nat) that is always rounding, however near the model itself comes to float32."""
NATIVE_KL: dict[str, float] = {"float16": 2e-3, "bfloat16": 2e-2}
"""16-bit types where the model cannot be run in float32: KL-divergence from the model in the same type."""
_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


class Workload(Options):
    """What is verified."""

    dtype: FloatType = "float32"
    """Float type of the artifact."""
    form: Literal["export", "source"] = "export"
    """export: an artifact made from the model; source: the model's own folder as the engine holds and runs it."""


@dataclass(frozen=True)
class Piece:
    """What one sequence, or the ragged batch (0 tokens), gave: largest difference, mean KL (nat), top-1 share."""

    tokens: int
    positions: int
    max_dlogp: float
    kl: float
    top1: float


@dataclass(frozen=True)
class Limit:
    """What a piece may have; None is no limit."""

    max_dlogp: float | None
    kl: float | None

    def passed(self, piece: Piece) -> bool:
        """Say whether a piece keeps within it."""
        far = self.max_dlogp is not None and piece.max_dlogp > self.max_dlogp
        return not far and (self.kl is None or piece.kl <= self.kl)


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Compare a `Scores` session with what the model itself computed, stored in `context.reference`.

    Raises: Differs where the two are not the same model, with all that was measured and allowed.
    """
    if context.reference is None:
        raise HarnessError("a verification needs what the model itself computes; run it as the plan says")
    truth = open_truth(context.reference)
    native = open_truth(context.native) if context.native else None
    try:
        pieces = list(_pieces(session, truth, context))
    except HarnessError as error:
        if is_out_of_memory(error):
            raise
        raise Differs(f"the {_noun(workload)} cannot be scored: {error}", _protocol(session, truth, [], [])) from error
    limits = [
        _limit(workload.dtype, truth, native, number if piece.tokens else None) for number, piece in enumerate(pieces)
    ]
    protocol = _protocol(session, truth, pieces, limits)
    bad = [piece for piece, limit in zip(pieces, limits, strict=True) if not limit.passed(piece)]
    if bad:
        raise Differs(f"the {_noun(workload)} differs from its model ({_said(bad)})", protocol)
    return ProbeResult(_metric_values(pieces), protocol)


def _noun(workload: Workload) -> str:
    return f"{_SHORT[workload.dtype]} {'export' if workload.form == 'export' else 'model on this engine'}"


def _said(bad: Sequence[Piece]) -> str:
    """Say how far the worst piece is off."""
    worst = max(bad, key=lambda piece: piece.kl)
    if worst.tokens == 0:
        return f"a log-probability in a ragged batch is off by {worst.max_dlogp:.2g}"
    return f"KL {worst.kl:.2g}, top-1 {100 * worst.top1:.0f} %, over {worst.tokens} tokens"


def _pieces(session: Scores, truth: Truth, context: Context) -> Iterator[Piece]:
    fitting = [one for one in truth.sequences if len(one.ids) <= session.context_length]
    for number, one in enumerate(fitting):
        context.progress(number / (len(fitting) + 1), f"comparing {len(one.ids)} tokens with the model")
        yield compare(session, one)
    yield compare_ragged(session, truth.ragged)


def compare(session: Scores, one: Sequenced) -> Piece:
    """Compare tile by tile; a vocabulary that one side pads is cut, and both are normalised again in float64."""
    import numpy as np

    parts = []
    row = 0
    for positions, rows in tiles(session, list(one.ids), np.asarray(one.positions, dtype=np.int64)):
        parts.append(_compared(one.logprobs[row : row + len(positions)], rows))
        row += len(positions)
    far, kl, agrees = (np.concatenate([part[number] for part in parts]) for number in range(3))
    return Piece(len(one.ids), len(kl), float(far.max()), float(kl.mean()), float(agrees.mean()))


def _compared(model: Rows, engine: Rows) -> tuple[Rows, Rows, NDArray[np.uint8]]:
    """Give for each position the largest difference over the vocabulary, the KL-divergence, and whether the first agree."""
    import numpy as np

    width = min(model.shape[1], engine.shape[1])
    left, right = _normal(model[:, :width]), _normal(engine[:, :width])
    found = distances(np.ascontiguousarray(model[:, :width]), np.ascontiguousarray(engine[:, :width]), wide=True)
    with np.errstate(invalid="ignore"):
        far = np.where(left == right, 0.0, np.abs(left - right)).max(axis=1)
    return far, found.kl, found.agrees


def _normal(rows: Rows) -> Rows:
    import numpy as np

    wide: Rows = rows.astype(np.float64)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return wide


def compare_ragged(session: Scores, ragged: Sequence[Asked]) -> Piece:
    """Score requests of different lengths at once; differences are per token of a continuation."""
    asked = [one for one in ragged if len(one.context) + len(one.continuation) <= session.context_length]
    scores = session.score([Request(one.context, one.continuation) for one in asked])
    off = [abs(score.logprob - one.logprob) / len(one.continuation) for score, one in zip(scores, asked, strict=True)]
    return Piece(0, len(off), max(off), 0.0, 1.0)


def _limit(dtype: str, truth: Truth, native: Truth | None, number: int | None) -> Limit:
    """Say what sequence `number` may have; None: the ragged batch."""
    if dtype == "float32":
        return Limit(MAX_DLOGP, None)
    if native is None:
        return Limit(_ragged_limit(NATIVE_KL[dtype]) if number is None else None, NATIVE_KL[dtype])
    if number is None:
        own = max(abs(one.logprob - other.logprob) / len(one.continuation)
                  for one, other in zip(truth.ragged, native.ragged, strict=True))  # fmt: skip
        return Limit(max(TIMES_OWN * own, _ragged_limit(LEAST_KL[dtype])), None)
    one, other = truth.sequences[number], native.sequences[number]
    own = float(_compared(one.logprobs, other.logprobs)[1].mean())
    return Limit(None, max(TIMES_OWN * own, LEAST_KL[dtype]))


def _ragged_limit(kl: float) -> float:
    """Say how far single log-probabilities may be off where their KL-divergence may be `kl`: its mean is half the square."""
    return float(4 * (2 * kl) ** 0.5)


def _protocol(session: Scores, truth: Truth, pieces: Sequence[Piece], limits: Sequence[Limit]) -> Protocol:
    """Write down what was measured and what was allowed, piece by piece."""
    measured = [asdict(piece) | {"allowed": asdict(limit)} for piece, limit in zip(pieces, limits, strict=True)]
    right = bool(pieces) and all(limit.passed(piece) for piece, limit in zip(pieces, limits, strict=True))
    facts = {
        "verdict": "right" if right else "differs", "pieces": measured, "switches": truth.meta["switches"],
        "model_dtype": truth.meta["dtype"], "model_provider": truth.meta["provider"],
        "left_out": [len(one.ids) for one in truth.sequences if len(one.ids) > session.context_length],
    }  # fmt: skip
    scored = sum(piece.positions for piece in pieces)
    return Protocol(name="verify", scored=scored, dtype=session.dtype if pieces else None, facts=facts)


def _metric_values(pieces: Sequence[Piece]) -> tuple[MetricValue, ...]:
    import numpy as np

    whole = [piece for piece in pieces if piece.tokens]
    far = np.asarray([piece.max_dlogp for piece in pieces])
    weights = np.asarray([piece.positions for piece in whole])
    kl, top1 = np.asarray([piece.kl for piece in whole]), np.asarray([piece.top1 for piece in whole])
    n = int(weights.sum())
    return (
        MetricValue("verify_max_dlogp", float(far.max()), far, n=n),
        MetricValue("verify_kl", float(np.average(kl, weights=weights)), kl, n=n),
        MetricValue("verify_top1", float(np.average(top1, weights=weights)), top1, n=n),
    )


PROBE = Probe(
    name="verify",
    version=1,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("verify_max_dlogp", "verify_kl", "verify_top1"),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
)
