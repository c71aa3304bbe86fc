"""Processor seconds of five-shot questions: whole prompts with all logits (as 0.1.0), with wanted logits alone, and shared beginnings.

    python -m tests.benchmarks.accuracy --questions ../shared/data/mmlu --subjects 10 --limit 20 --rounds 3 [--peers]

The three take turns on ORT-GenAI fp32 and int4 exports of the reference model, one thread each. What is gained is held against the
operations that `flops.py` counts; `--peers` adds lm-eval's own backends on the same token ids, once a round. Promised are 75 % of the
predicted factor, log-likelihoods within 1e-4 in fp32, and equal choices; those that differ are listed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.core.sessions import Request, Score

SHARE = 0.75
"""Of the predicted factor that has to be reached."""
CLOSE = 1e-4
"""How far log-likelihoods in fp32 may stand from those of whole prompts, nats."""
LETTERS = " A", " B", " C", " D"
KINDS = ("as 0.1.0", "wanted rows", "shared")


def requests_of(folder: Path, subjects: int, limit: int, encode: Callable[[str], list[int]]) -> list[Request]:
    """Write five-shot prompts of the first subjects' first questions; four requests for each question."""
    from harness import questions
    from harness.core.sessions import Request
    from harness.probes.mmlu_modelopt import prompt

    found = []
    for subject in questions.subjects(folder)[:subjects]:
        examples = questions.read_subject(folder, subject, "dev")[:5]
        for question in questions.read_subject(folder, subject, "test")[:limit]:
            text = prompt(subject, examples, question)
            context = tuple(encode(text))
            found += [Request(context, tuple(encode(text + letter)[len(context) :])) for letter in LETTERS]
    return found


def timed(work: Callable[[], list[Score]]) -> tuple[list[Score], float]:
    """Run and return the scores with the processor seconds of this process."""
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def main() -> None:
    """Build fp32 and int4, measure in turns, print factors and the verdict."""
    from tests.benchmarks.facts import headline, result

    asked = _arguments()
    said = [Path(word).name if Path(word).is_dir() else word for word in sys.argv[1:]]
    headline(" ".join(["python -m tests.benchmarks.accuracy", *said]))
    os.environ["HF_HUB_OFFLINE"] = "1"
    holds = []
    with tempfile.TemporaryDirectory() as name:
        for precision in asked.precision:
            with contextlib.redirect_stdout(sys.stderr):
                artifact = _export(Path(name) / precision, precision)
            holds.append(measured(artifact, precision, asked))
    sys.exit(result(all(holds)))


def _arguments() -> argparse.Namespace:
    from harness import reference

    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=Path, default=reference.questions_folder())
    parser.add_argument("--subjects", type=int, default=10)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", nargs="+", default=["fp32", "int4"])
    parser.add_argument("--peers", action="store_true")
    return parser.parse_args()


def _export(folder: Path, precision: str) -> Path:
    from harness import reference
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER
    from tests.unit.probes.genai_export import set_threads

    scratch = folder.with_name(f"{folder.name}-scratch")
    for path in (folder, scratch):
        path.mkdir()
    model = reference.model_folder()
    options = QUANTIZER.options.model_validate({"precision": precision})
    QUANTIZER.build(Base(model, "hf", model), options, folder, Context(folder=scratch))
    set_threads(folder, 1)
    return folder


def measured(artifact: Path, precision: str, asked: argparse.Namespace) -> bool:
    """Measure one artifact; tell whether it does what is promised."""
    import json

    from harness import reference
    from harness.engines import onnx_scores, prefix_tree, scoring
    from harness.engines.ort_genai import ENGINE
    from tests.benchmarks.flops import read_decoder

    config = json.loads((artifact / "genai_config.json").read_text("utf-8"))["model"]
    plain = onnx_scores.open_forward(artifact, config, "cpu", onnx_scores.open_raw(artifact, config, "cpu", {}, 1))
    with ENGINE.open(artifact, ENGINE.options(threads=1)) as session:
        requests = requests_of(asked.questions, asked.subjects, asked.limit, session.codec.encode)
        session.score(requests[:8])
        viewed = session._forward
        works: dict[str, Callable[[], list[Score]]] = {
            KINDS[0]: lambda: scoring.score(plain, requests),
            KINDS[1]: lambda: scoring.score(viewed, requests),
            KINDS[2]: lambda: session.score(requests),
        }
        seconds, scores = _in_turns(works, asked.rounds)
        notes = session.notes
    sequences = sorted({one.context + one.continuation[:-1] for one in requests})
    tree, decoder = prefix_tree.grow(sequences), read_decoder(reference.model_folder())
    tokens = sum(map(len, sequences))
    print(f"\n{precision}: {len(requests) // 4} questions of {asked.subjects} subjects, {tokens:,} prompt tokens, {prefix_tree.tokens(tree):,} with "
          f"shared beginnings once ({tokens / prefix_tree.tokens(tree):.2f} times fewer); notes: {[note.code for note in notes] or 'none'}")  # fmt: skip
    for name in KINDS:
        print(
            f"  {name:12} {median(seconds[name]):7.2f} s of processor ({', '.join(f'{one:.2f}' for one in seconds[name])})"
        )
    work = (
        decoder.of_whole(sequences, every_row=True),
        decoder.of_whole(sequences, every_row=False),
        decoder.of_tree(tree, len(sequences)),
    )
    good = _factors(work, seconds) & _agree(scores, precision)
    if asked.peers:
        _peers(artifact, precision, requests, median(seconds[KINDS[1]]), median(seconds[KINDS[2]]), scores[KINDS[2]])
    return good


def _in_turns(
    works: dict[str, Callable[[], list[Score]]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[Score]]]:
    seconds: dict[str, list[float]] = {name: [] for name in works}
    scores: dict[str, list[Score]] = {}
    for number in range(rounds):
        order = list(works) if number % 2 == 0 else list(works)[::-1]
        for name in order:
            scores[name], took = timed(works[name])
            seconds[name].append(took)
    return seconds, scores


def _factors(work: Sequence[float], seconds: dict[str, list[float]]) -> bool:
    """Print what each step gains beside what arithmetic allows; the verdict is on both steps together."""
    steps = {
        "fewer rows of logits": (0, 1),
        "fewer tokens": (1, 2),
        "both": (0, 2),
    }
    for name, (before, after) in steps.items():
        predicted = work[before] / work[after]
        ratios = [one / other for one, other in zip(seconds[KINDS[before]], seconds[KINDS[after]], strict=True)]
        print(f"  factor from {name:20} {median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f}), by operations {predicted:5.2f}: "
              f"{median(ratios) / predicted:.0%} of it")  # fmt: skip
    return median(ratios) >= SHARE * predicted


def _agree(scores: dict[str, list[Score]], precision: str) -> bool:
    """Hold log-likelihoods and choices against whole prompts with all logits; list the questions whose choice differs."""
    import numpy as np

    before, after = (np.asarray([one.logprob for one in scores[name]]).reshape(-1, 4) for name in (KINDS[0], KINDS[2]))
    furthest = float(np.abs(before - after).max())
    other = np.flatnonzero(before.argmax(axis=1) != after.argmax(axis=1))
    flags = sum(one.greedy != two.greedy for one, two in zip(scores[KINDS[0]], scores[KINDS[2]], strict=True))
    print(
        f"  log-likelihoods within {furthest:.1e} nat, {len(other)} of {len(before)} choices differ, {flags} greedy flags differ"
    )
    for at in other:
        top = np.sort(before[at])
        print(f"    question {at}: the two best stood {top[-1] - top[-2]:.1e} nat apart")
    return not len(other) and (precision != "fp32" or furthest <= CLOSE)


def _peers(
    artifact: Path, precision: str, requests: Sequence[Request], whole: float, shared: float, ours: Sequence[Score]
) -> None:
    """Time lm-eval's own backends on the same token ids; print how much of the factor is the engine's and how much the tokens'."""
    import numpy as np

    mine = np.asarray([one.logprob for one in ours])
    given = [(("", ""), list(one.context), list(one.continuation)) for one in requests]
    for name, lm in _backends(artifact, precision):
        lm._loglikelihood_tokens(given[:4], disable_tqdm=True)  # type: ignore[attr-defined]
        begun = time.process_time()
        with contextlib.redirect_stdout(sys.stderr), contextlib.redirect_stderr(open(os.devnull, "w")):
            found = lm._loglikelihood_tokens(given, disable_tqdm=True)  # type: ignore[attr-defined]
        took = time.process_time() - begun
        furthest = float(np.abs(mine - np.asarray([one[0] for one in found])).max())
        print(f"  lm-eval {name:24} {took:7.2f} s of processor: {took / shared:5.2f} times ours; {took / whole:.2f} from the engine, "
              f"{whole / shared:.2f} from fewer tokens; log-likelihoods within {furthest:.1e}", flush=True)  # fmt: skip


def _backends(artifact: Path, precision: str) -> list[tuple[str, object]]:
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.onnxruntime_genai import ONNXRuntimeGenAILM

    from harness import reference

    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        found: list[tuple[str, object]] = [("onnxruntime-genai", ONNXRuntimeGenAILM(pretrained=str(artifact)))]
        if precision == "fp32":
            for size in (1, 4, 8, 32):
                lm = HFLM(pretrained=str(reference.model_folder()), device="cpu", dtype="float32", batch_size=size)
                found.append((f"hf, batch {size}", lm))
    return found


if __name__ == "__main__":
    main()
