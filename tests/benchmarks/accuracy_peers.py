"""lm-eval's own backends on the token ids of the accuracy benchmark, in turns with ours on the same runtime.

`onnxruntime-genai` is held against our engine of that name, `hf` against our `transformers`: the same weights in the same library, so that
what is left is fewer tokens and what each does around its passes. What our ONNX Runtime takes stands beside both.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import Request, Score

    Work = Callable[[], list[Score]]

WANTED = {"onnxruntime-genai": 12.0, "hf": 4.0}
"""How many times our processor seconds each backend is to take at the least, at its best batch."""
BATCHES = (1, 4, 8, 32)
CLOSE = 1e-4
"""How far a backend's log-likelihoods in fp32 may stand from ours, nats."""


@dataclass(frozen=True)
class Compared:
    """One backend at one batch."""

    factor: float
    """Its processor seconds in ours."""
    furthest: float
    """Largest difference of a log-likelihood, nats."""
    choices: tuple[float, ...] = ()
    """Of each question that the backend answers otherwise: how far its two best choices stand apart, nats."""
    logs: NDArray[np.float64] | None = None
    """Its log-likelihoods."""


def compare(
    artifact: Path, model: Path, precision: str, requests: Sequence[Request], whole: float, ours: Work, noise: float
) -> bool:
    """Time each backend between two runs of ours; print how much of the factor is the engine's and how much the tokens'.

    whole: processor seconds of our ONNX Runtime for whole prompts with wanted logits; ours: its run of shared beginnings; noise: of its own
    batches, nats. Tells whether each backend takes as many times ours as is promised, answers alike, and in fp32 gives the same log-likelihoods.
    """
    found: dict[str, list[Compared]] = {}
    with contextlib.ExitStack() as stack:
        works = {"onnxruntime-genai": (whole, ours)}
        if precision == "fp32":
            works["hf"] = stack.enter_context(_torch(model, requests))
        for name, lm in _backends(artifact, model, precision):
            kind = name.partition(",")[0]
            found.setdefault(kind, []).append(_compared(name, lm, requests, *works[kind], ours))
    return verdict(found, precision, noise)


def verdict(found: Mapping[str, Sequence[Compared]], precision: str, noise: float) -> bool:
    """Print each backend at its best batch beside what is promised; tell whether all of it holds.

    noise: of our engine's own batches, nats; of a backend with several batches theirs counts, where it is more. A choice may differ where the
    two best stand no further apart.
    """
    holds = True
    for kind, batches in found.items():
        factor, furthest = min(one.factor for one in batches), max(one.furthest for one in batches)
        own, gaps = max(noise, _between(batches)), [gap for one in batches for gap in one.choices]
        told = f"{len(gaps)} choices differ (two best at most {max(gaps, default=0.0):.1e} apart, batches {own:.1e})"
        print(f"  lm-eval {kind}, at its best: {factor:.2f} times ours, promised {WANTED[kind]:.0f}; "
              f"log-likelihoods within {furthest:.1e}; {told}", flush=True)  # fmt: skip
        holds &= factor >= WANTED[kind] and max(gaps, default=0.0) <= own and (precision != "fp32" or furthest <= CLOSE)
    return holds


def _between(batches: Sequence[Compared]) -> float:
    """Give how far a backend's log-likelihoods stand apart between its batches, nats."""
    import numpy as np

    logs = [one.logs for one in batches if one.logs is not None]
    return float(np.ptp(np.stack(logs), axis=0).max()) if len(logs) > 1 else 0.0


@contextlib.contextmanager
def _torch(model: Path, requests: Sequence[Request]) -> Iterator[tuple[float, Work]]:
    """Open our `transformers` engine; give its processor seconds for whole prompts, and its run of shared beginnings."""
    from harness.engines import scoring, torch_loading, transformers

    with contextlib.redirect_stdout(sys.stderr):
        opened = transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1))
    with opened as session:
        session.score(requests[:8])
        begun = time.process_time()
        scoring.score(session._forward, requests)
        whole = time.process_time() - begun
        print(f"  our transformers, whole prompts: {whole:.2f} s of processor", flush=True)
        yield whole, lambda: session.score(requests)


def _compared(name: str, lm: object, requests: Sequence[Request], whole: float, ours: Work, onnx: Work) -> Compared:
    import numpy as np

    given = [(("", ""), list(one.context), list(one.continuation)) for one in requests]
    lm._loglikelihood_tokens(given[:4], disable_tqdm=True)  # type: ignore[attr-defined]
    mine, before = _timed(ours)
    begun = time.process_time()
    with open(os.devnull, "w") as silent, contextlib.redirect_stdout(sys.stderr), contextlib.redirect_stderr(silent):
        found = lm._loglikelihood_tokens(given, disable_tqdm=True)  # type: ignore[attr-defined]
    took = time.process_time() - begun
    shared = (before + _timed(ours)[1]) / 2
    beside = f"; {took / _timed(onnx)[1]:.2f} times our onnxruntime" if onnx is not ours else ""
    here, logs = np.asarray([one.logprob for one in mine]), np.asarray([float(one[0]) for one in found])
    furthest, four = float(np.abs(here - logs).max()), logs.reshape(-1, 4)
    other = np.flatnonzero(four.argmax(axis=1) != here.reshape(-1, 4).argmax(axis=1))
    gaps = np.diff(np.sort(four[other], axis=1)[:, -2:], axis=1)[:, 0]
    print(f"  lm-eval {name:18} {took:7.2f} s of processor, ours {shared:.2f}: {took / shared:5.2f} times; {took / whole:.2f} from the engine, "
          f"{whole / shared:.2f} from fewer tokens{beside}; log-likelihoods within {furthest:.1e}, {len(other)} choices differ", flush=True)  # fmt: skip
    for at, gap in zip(other, gaps, strict=True):
        print(f"    question {at}: its two best stand {gap:.1e} nat apart")
    return Compared(took / shared, furthest, tuple(gaps.tolist()), logs)


def _timed(work: Work) -> tuple[list[Score], float]:
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def _backends(artifact: Path, model: Path, precision: str) -> list[tuple[str, object]]:
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.onnxruntime_genai import ONNXRuntimeGenAILM

    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        found: list[tuple[str, object]] = [("onnxruntime-genai", ONNXRuntimeGenAILM(pretrained=str(artifact)))]
        if precision == "fp32":
            for size in BATCHES:
                lm = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=size)
                found.append((f"hf, batch {size}", lm))
    return found
