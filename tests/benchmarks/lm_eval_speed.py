"""Time of 200 five-shot questions through our model against lm-eval's own onnxruntime-genai backend, taken in turns.

    python -m tests.benchmarks.lm_eval_speed --rounds 3 --threads 1

Both read the reference model's fp32 export and the same questions with as many threads; log-likelihoods must agree. Wall and
processor seconds are printed; the verdict is taken on the median of the rounds' ratios of wall seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PER_SUBJECT = 25
RATIO = 3.0


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Run and return the result with wall and processor seconds."""
    wall, processor = time.monotonic(), time.process_time()
    found = work()
    return found, time.monotonic() - wall, time.process_time() - processor


def main() -> None:
    """Build once, then measure both in turns."""
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    rounds, threads = asked.rounds, asked.threads
    headline(f"python -m tests.benchmarks.lm_eval_speed --rounds {rounds} --threads {threads}")
    os.environ["HF_HUB_OFFLINE"] = "1"

    import numpy as np
    from lm_eval.models.onnxruntime_genai import ONNXRuntimeGenAILM

    from harness import reference
    from harness.core.seam import Context
    from harness.engines.ort_genai import ENGINE
    from harness.probes.lm_eval import Workload, measure
    from tests.unit.probes.genai_export import reference_export, set_threads
    from tests.unit.probes.test_lm_eval import theirs

    questions = str(reference.questions_folder())
    with tempfile.TemporaryDirectory() as name:
        with contextlib.redirect_stdout(sys.stderr):
            artifact = reference_export(Path(name) / "fp32")
            set_threads(artifact, threads)
            lm = ONNXRuntimeGenAILM(pretrained=str(artifact))
        ratios = []
        with ENGINE.open(artifact, ENGINE.options(threads=threads)) as session:
            context = Context(folder=Path(name))
            workload = Workload(limit=PER_SUBJECT, bos=False)
            measure(session, Workload(limit=1), context)
            for number in range(rounds):
                found, ours, our_cpu = timed(lambda: measure(session, workload, context))
                expected, backend, their_cpu = timed(lambda: theirs(lm, questions, PER_SUBJECT))
                table = found.arrays["choice_logprobs"]
                furthest = float(np.abs(table - expected).max())
                same = bool((table.argmax(axis=1) == expected.argmax(axis=1)).all())
                ratios.append(backend / ours)
                print(f"round {number + 1}: {len(table)} questions, ours {ours:.1f} s ({our_cpu:.1f} s of processor), "
                      f"backend {backend:.1f} s ({their_cpu:.1f} s), ratio {ratios[-1]:.1f}, "
                      f"log-likelihoods within {furthest:.0e}, choices {'equal' if same else 'DIFFER'}", flush=True)  # fmt: skip
    median = statistics.median(ratios)
    print(f"median ratio {median:.1f}, wanted {RATIO:.0f}")
    sys.exit(result(median >= RATIO and same and furthest < 1e-4))


if __name__ == "__main__":
    main()
