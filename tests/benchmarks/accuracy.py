"""Processor seconds of five-shot questions: whole prompts with all logits (as 0.1.0), with wanted logits alone, and shared beginnings.

    python -m tests.benchmarks.accuracy --questions ../shared/data/mmlu --subjects 10 --limit 20 --rounds 3 [--peers]

The three take turns on ORT-GenAI fp32 and int4 exports of the reference model, one thread each; `--model FOLDER` takes another. With `--smollm2`
two subjects of 50 questions of SmolLM2 follow, as sweep `smollm2` fetches it: hours of a processor for 0.1.0's way. What is gained is held against the operations that `flops.py`
counts; `--peers` adds lm-eval's own backends on the same token ids, in turns with ours. Promised are 75 % of the predicted factor,
log-likelihoods within 1e-4 in fp32, equal choices but for those whose two best stand closer than the engine's own batch noise (each is
listed), and a third of the unpaired rule's seconds (`accuracy_power.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import Request, Score

SHARE = 0.75
"""Of the predicted factor that has to be reached."""
CLOSE = 1e-4
"""How far log-likelihoods in fp32 may stand from those of whole prompts, nats."""
LETTERS = " A", " B", " C", " D"
KINDS = ("as 0.1.0", "wanted rows", "shared")
NOISE_ON = 100
"""Questions that are scored alone, too, to see how much an engine's results depend on what else is in a pass."""


@dataclass(frozen=True)
class Case:
    """A model and the questions that it is asked."""

    name: str
    model: Path
    subjects: int
    limit: int
    rounds: int


@dataclass(frozen=True)
class Answered:
    """What one precision of a model answered, and what that took."""

    right: NDArray[np.bool_]
    seconds: float
    holds: bool


def requests_of(
    folder: Path, subjects: int, limit: int, encode: Callable[[str], list[int]]
) -> tuple[list[Request], list[int]]:
    """Write five-shot prompts of the first subjects' first questions: four requests for each question, and the right choices."""
    from harness import questions
    from harness.core.sessions import Request
    from harness.probes.mmlu_modelopt import prompt

    found, gold = [], []
    for subject in questions.subjects(folder)[:subjects]:
        examples = questions.read_subject(folder, subject, "dev")[:5]
        for question in questions.read_subject(folder, subject, "test")[:limit]:
            text = prompt(subject, examples, question)
            context = tuple(encode(text))
            found += [Request(context, tuple(encode(text + letter)[len(context) :])) for letter in LETTERS]
            gold.append(question.answer)
    return found, gold


def timed(work: Callable[[], list[Score]]) -> tuple[list[Score], float]:
    """Run and return the scores with the processor seconds of this process."""
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def main() -> None:
    """Build fp32 and int4, measure in turns, print factors, qualities and the verdict."""
    from tests.benchmarks.accuracy_power import quality_table
    from tests.benchmarks.facts import headline, result

    asked = _arguments()
    said = [Path(word).name if Path(word).is_dir() else word for word in sys.argv[1:]]
    headline(" ".join(["python -m tests.benchmarks.accuracy", *said]))
    os.environ["HF_HUB_OFFLINE"] = "1"
    holds = []
    for case in _cases(asked):
        answered: dict[str, Answered] = {}
        with tempfile.TemporaryDirectory() as name:
            for precision in asked.precision:
                with contextlib.redirect_stdout(sys.stderr):
                    artifact = export(case.model, Path(name) / precision, precision)
                answered[precision] = measured(artifact, precision, case, asked)
        holds += [one.holds for one in answered.values()]
        if len(answered) > 1:
            seconds = {precision: one.seconds for precision, one in answered.items()}
            holds.append(quality_table({precision: one.right for precision, one in answered.items()}, seconds))
    sys.exit(result(all(holds)))


def _arguments() -> argparse.Namespace:
    from harness import reference

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--questions", type=Path, default=reference.questions_folder())
    parser.add_argument("--subjects", type=int, default=10)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", nargs="+", default=["fp32", "int4"])
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--smollm2", action="store_true")
    return parser.parse_args()


def _cases(asked: argparse.Namespace) -> list[Case]:
    from harness import reference

    model = asked.model or reference.model_folder()
    name = model.name if asked.model else "the reference model"
    cases = [Case(name, model, asked.subjects, asked.limit, asked.rounds)]
    return [*cases, Case("SmolLM2", _smollm2(), 2, 50, 1)] if asked.smollm2 else cases


def _smollm2() -> Path:
    """Give the folder of the catalogue's SmolLM2."""
    from harness.plan.catalogue import load_catalogue
    from harness.plan.gguf import place

    entry = load_catalogue().models["smollm2-135m-q4"].entry.gguf
    assert entry is not None
    folder = place(entry)
    if not folder.is_dir():
        raise SystemExit(f"there is no {folder}; `harness run smollm2` fetches it")
    return folder


def export(model: Path, folder: Path, precision: str) -> Path:
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER
    from tests.unit.probes.genai_export import set_threads

    scratch = folder.with_name(f"{folder.name}-scratch")
    for path in (folder, scratch):
        path.mkdir()
    options = QUANTIZER.options.model_validate({"precision": precision})
    QUANTIZER.build(Base(model, "hf", model), options, folder, Context(folder=scratch))
    set_threads(folder, 1)
    return folder


def measured(artifact: Path, precision: str, case: Case, asked: argparse.Namespace) -> Answered:
    """Measure one artifact; tell what it answers, and whether it does what is promised."""
    import json

    import numpy as np

    from harness.engines import onnx_scores, scoring
    from harness.engines.ort_genai import ENGINE
    from tests.benchmarks import accuracy_peers

    config = json.loads((artifact / "genai_config.json").read_text("utf-8"))["model"]
    plain = onnx_scores.open_forward(artifact, config, "cpu", onnx_scores.open_raw(artifact, config, "cpu", {}, 1))
    with ENGINE.open(artifact, ENGINE.options(threads=1)) as session:
        requests, gold = requests_of(asked.questions, case.subjects, case.limit, session.codec.encode)
        session.score(requests[:8])
        viewed = session._forward
        works: dict[str, Callable[[], list[Score]]] = {
            KINDS[0]: lambda: scoring.score(plain, requests),
            KINDS[1]: lambda: scoring.score(viewed, requests),
            KINDS[2]: lambda: session.score(requests),
        }
        seconds, scores = _in_turns(works, case.rounds)
        work = _predicted(case, precision, requests, session.notes)
        for name in KINDS:
            took = ", ".join(f"{one:.2f}" for one in seconds[name])
            print(f"  {name:12} {median(seconds[name]):7.2f} s of processor ({took})")
        noise = _batch_noise(plain, requests, scores[KINDS[0]], NOISE_ON if case.name != "SmolLM2" else NOISE_ON // 10)
        holds = _factors(work, seconds) & _agree(scores, precision, noise)
        if asked.peers and case.name != "SmolLM2":
            whole = median(seconds[KINDS[1]])
            holds &= accuracy_peers.compare(artifact, case.model, precision, requests, whole, works[KINDS[2]], noise)
    logs = np.asarray([one.logprob for one in scores[KINDS[2]]]).reshape(-1, 4)
    return Answered(logs.argmax(axis=1) == np.asarray(gold), median(seconds[KINDS[2]]), holds)


def _predicted(case: Case, precision: str, requests: Sequence[Request], notes: Sequence[Any]) -> tuple[float, ...]:
    """Print what is asked; give the operations of each kind of work."""
    from harness.engines import prefix_tree
    from tests.benchmarks.flops import read_decoder

    sequences = sorted({one.context + one.continuation[:-1] for one in requests})
    tree, decoder = prefix_tree.grow(sequences), read_decoder(case.model)
    tokens, fewer = sum(map(len, sequences)), prefix_tree.tokens(tree)
    print(f"\n{case.name}, {precision}: {len(requests) // 4} questions of {case.subjects} subjects, {tokens:,} prompt tokens, {fewer:,} with "
          f"shared beginnings once ({tokens / fewer:.2f} times fewer); notes: {[note.code for note in notes] or 'none'}")  # fmt: skip
    return (
        decoder.of_whole(sequences, every_row=True),
        decoder.of_whole(sequences, every_row=False),
        decoder.of_tree(tree, len(sequences)),
    )


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


def _batch_noise(forward: Any, requests: Sequence[Request], together: Sequence[Score], questions: int) -> float:
    """Give how far log-likelihoods of whole prompts stand from those of the same question alone in its pass, nats at most, on so many."""
    from harness.engines import scoring

    step = max(1, len(requests) // 4 // questions)
    chosen = range(0, len(requests) // 4, step)
    apart = [scoring.score(forward, requests[4 * at : 4 * at + 4]) for at in chosen]
    pairs = zip(chosen, apart, strict=True)
    return max(
        abs(one.logprob - together[4 * at + place].logprob) for at, four in pairs for place, one in enumerate(four)
    )


def _agree(scores: dict[str, list[Score]], precision: str, noise: float) -> bool:
    """Hold log-likelihoods and choices against whole prompts with all logits; list the questions whose choice differs.

    noise: of the engine's own batches, nats; a choice may differ where its two best stand no further apart.
    """
    import numpy as np

    before, after = (np.asarray([one.logprob for one in scores[name]]).reshape(-1, 4) for name in (KINDS[0], KINDS[2]))
    furthest = float(np.abs(before - after).max())
    other = np.flatnonzero(before.argmax(axis=1) != after.argmax(axis=1))
    flags = sum(one.greedy != two.greedy for one, two in zip(scores[KINDS[0]], scores[KINDS[2]], strict=True))
    print(
        f"  log-likelihoods within {furthest:.1e} nat (the engine's own batches: {noise:.1e}), {len(other)} of {len(before)} choices differ, "
        f"{flags} greedy flags differ"
    )
    gaps = np.diff(np.sort(before, axis=1)[:, -2:], axis=1)[:, 0]
    for at in other:
        print(f"    question {at}: the two best stood {gaps[at]:.1e} nat apart")
    return bool((gaps[other] <= noise).all()) and (precision != "fp32" or furthest <= CLOSE)


if __name__ == "__main__":
    main()
