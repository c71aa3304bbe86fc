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


def compare(artifact: Path, model: Path, precision: str, requests: Sequence[Request], whole: float, ours: Work) -> bool:
    """Time each backend between two runs of ours; print how much of the factor is the engine's and how much the tokens'.

    whole: processor seconds of our ONNX Runtime for whole prompts with wanted logits; ours: its run of shared beginnings. Tells whether each
    backend takes as many times ours as is promised, and in fp32 gives the same log-likelihoods.
    """
    found: dict[str, list[Compared]] = {}
    with contextlib.ExitStack() as stack:
        works = {"onnxruntime-genai": (whole, ours)}
        if precision == "fp32":
            works["hf"] = stack.enter_context(_torch(model, requests))
        for name, lm in _backends(artifact, model, precision):
            kind = name.partition(",")[0]
            found.setdefault(kind, []).append(_compared(name, lm, requests, *works[kind], ours))
    return verdict(found, precision)


def verdict(found: Mapping[str, Sequence[Compared]], precision: str) -> bool:
    """Print each backend at its best batch beside what is promised; tell whether all of it holds."""
    holds = True
    for kind, batches in found.items():
        factor, furthest = min(one.factor for one in batches), max(one.furthest for one in batches)
        print(f"  lm-eval {kind}, at its best: {factor:.2f} times ours, promised {WANTED[kind]:.0f}; "
              f"log-likelihoods within {furthest:.1e}", flush=True)  # fmt: skip
        holds &= factor >= WANTED[kind] and (precision != "fp32" or furthest <= CLOSE)
    return holds


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
    furthest = float(np.abs(np.asarray([one.logprob for one in mine]) - np.asarray([one[0] for one in found])).max())
    print(f"  lm-eval {name:18} {took:7.2f} s of processor, ours {shared:.2f}: {took / shared:5.2f} times; {took / whole:.2f} from the engine, "
          f"{whole / shared:.2f} from fewer tokens{beside}; log-likelihoods within {furthest:.1e}", flush=True)  # fmt: skip
    return Compared(took / shared, furthest)


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
