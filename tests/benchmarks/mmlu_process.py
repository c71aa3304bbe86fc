"""One evaluation of a folder of questions in a process of its own, by whichever checkout of the harness PYTHONPATH names.

    PYTHONPATH=CHECKOUT python -P tests/benchmarks/mmlu_process.py ARTIFACT QUESTIONS OUT

It uses only what 0.1.0 had, too. Seconds are those of the processor for the evaluation: tokenizing, lm-eval's own work, passes and
aggregation; imports and opening are over by then, and a small evaluation has been made. OUT gets log-likelihoods, its own numbers are printed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Counting:
    """A session that remembers how many tokens the distinct prompts have that it is asked."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.tokens = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def score(self, requests: Sequence[Any]) -> Any:
        self.tokens += sum(map(len, {one.context + one.continuation[:-1] for one in requests}))
        return self._session.score(requests)


def main() -> None:
    """Open, warm up, evaluate."""
    import numpy as np

    import harness
    from harness.core.seam import Context
    from harness.engines.ort_genai import ENGINE
    from harness.probes.lm_eval import Workload, measure

    artifact, questions, out = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, ENGINE.open(Path(artifact), ENGINE.options(threads=1)) as session:
        context = Context(folder=Path(name))
        measure(session, Workload(limit=1), context)
        counting: Any = Counting(session)
        begun = time.process_time()
        found = measure(counting, Workload(task="mmlu", questions=questions), context)
        seconds = time.process_time() - begun
    np.save(out, found.arrays["choice_logprobs"])
    said = {"seconds": seconds, "tokens": counting.tokens, "from": str(Path(harness.__file__).parents[1])}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
