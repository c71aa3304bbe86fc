"""Multiple choice by two greedy tokens, as in the accuracy scripts that NVIDIA publishes with ModelOpt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.core.errors import ConfigError, HarnessError
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, MetricValue, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.probes.continuations import continued_or_kept
from harness.probes.groups import Finished
from harness.probes.pandas_csv import as_pandas_reads
from harness.questions import (
    LETTERS,
    Question,
    Split,
    question_files,
    questions_folder,
    questions_refusal,
    read_subject,
    subjects,
)
from harness.texts import REFERENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NEW_TOKENS = 2
_MOST = {"skip": 4096, "drop_shots": 2048}
"""Lengths beyond which the two published loops treat a question as too long."""


class Workload(Options):
    """Which questions are asked, and the switches in which the published runs differ."""

    questions: str = REFERENCE
    """`reference` (the shipped synthetic questions), `cais/mmlu` (hub), or a folder in Hendrycks' layout."""
    shots: int = Field(default=5, ge=0)
    csv_na: Literal["clean", "pandas"] = "clean"
    """pandas: choices like "None", "NA" and empty ones become "nan", and columns of numbers lose their written form, as
    where the questions are read with pandas' defaults."""
    too_long: Literal["skip", "drop_shots"] = "skip"
    """skip: a question whose prompt and two new tokens are too long is left out of the average, and end of sequence is
    never an answer (the GenAI loop); drop_shots: examples are dropped from the end until the prompt fits (the
    transformers loop), and only what the context cannot hold at all is left out."""
    max_seq_length: int | None = Field(default=None, ge=8)
    """What too long means, in tokens; None: 4096 with skip, 2048 with drop_shots; never more than the context."""
    limit: int | None = Field(default=None, ge=1)
    """Questions per subject, the first ones."""
    bos: bool | None = None
    """Whether BOS stands before each prompt; None leaves it to the model's tokenizer. The published GenAI runs did so up
    to version 0.7 and not since."""


@dataclass(frozen=True)
class _Exam:
    session: Scores
    workload: Workload
    folder: Path
    room: int
    """Longest prompt that is asked: new tokens included with skip, without them with drop_shots."""
    never: tuple[int, ...]
    bos: bool
    trained: int | None
    finished: Finished


@dataclass
class _Answers:
    right: dict[str, list[int]] = field(default_factory=dict)
    skipped: int = 0
    truncated: int = 0
    longest: int = 0
    beyond: int = 0
    limited: bool = False
    items: dict[str, list[str]] = field(default_factory=dict)


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Ask every question and compare the stripped beginning of two greedy tokens with the right letter.

    The value is the micro average over all questions that were asked; subjects are parts.
    Raises: HarnessError where no question fits the context; ConfigError for broken question files.
    Source: NVIDIA Model-Optimizer, examples/windows/accuracy_benchmark, release 0.27.
    """
    bos = session.codec.adds_bos if workload.bos is None else workload.bos
    folder = questions_folder(workload.questions)
    never = session.codec.ends if workload.too_long == "skip" else ()  # its min_length is the prompt's and two
    finished = Finished(session, context)
    exam = _Exam(session, workload, folder, _room(session, workload), never, bos, context.trained_positions, finished)
    names = subjects(folder)
    answers = _Answers()
    for number, subject in enumerate(names):
        context.progress(number / len(names), subject)
        _ask_subject(exam, subject, answers)
    scored = sum(len(right) for right in answers.right.values())
    if not scored:
        raise HarnessError(
            f"none of the {answers.skipped} questions fits {exam.room} tokens; give fewer shots, or "
            "too_long: drop_shots"
        )
    protocol = Protocol(
        name=protocol_name(workload), scored=scored, skipped=answers.skipped, truncated=answers.truncated,
        limit=workload.limit if answers.limited else None, dtype=session.dtype, bos=bos, prompt_tokens=answers.longest,
        beyond_trained=answers.beyond,
        facts={"subjects": len(names), "csv_na": workload.csv_na, "too_long": workload.too_long,
               "max_seq_length": exam.room},
    )  # fmt: skip
    return ProbeResult(tuple(_metric_values(answers)), protocol, finished.notes(), _sizes(answers))


def protocol_name(workload: Workload) -> str:
    """Name the procedure and its switches; the synthetic questions are named for what they are."""
    parts = [f"mmlu-modelopt-0.27-{workload.shots}shot"]
    parts += ["drop-shots"] if workload.too_long == "drop_shots" else []
    parts += ["pandas-na"] if workload.csv_na == "pandas" else []
    return "-".join(parts) + (" on reference" if workload.questions == REFERENCE else "")


def prompt(subject: str, examples: Sequence[Question], question: Question) -> str:
    """Write a prompt; the two spaces before the subject's name are the published ones."""
    header = f"The following are multiple choice questions (with answers) about  {subject.replace('_', ' ')}.\n\n"
    shown = "".join(f"{_asked(example)} {example.letter}\n\n" for example in examples)
    return f"{header}{shown}{_asked(question)}"


def _asked(question: Question) -> str:
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, question.choices, strict=True)]
    return "\n".join([question.text, *lines, "Answer:"])


def _ask_subject(exam: _Exam, subject: str, answers: _Answers) -> None:
    workload, session = exam.workload, exam.session
    examples = _read(workload, exam.folder, subject, "dev")[: workload.shots] if workload.shots else []
    if len(examples) < workload.shots:
        raise ConfigError(
            f"{subject} has {len(examples)} dev questions, fewer than {workload.shots} shots; ask for fewer"
        )
    questions = _read(workload, exam.folder, subject, "test")
    answers.limited |= workload.limit is not None and workload.limit < len(questions)
    right = answers.right.setdefault(subject, [])
    asked: list[tuple[Question, list[int]]] = []
    for question in questions[: workload.limit]:
        ids, shown = _fitting(exam, subject, examples, question)
        if len(ids) > exam.room - _NEW_TOKENS * (workload.too_long == "skip"):
            answers.skipped += 1
            continue
        answers.truncated += shown < len(examples)
        answers.longest = max(answers.longest, len(ids))
        answers.beyond += exam.trained is not None and len(ids) > exam.trained
        asked.append((question, ids))
    made = continued_or_kept(exam.finished, session, [ids for _, ids in asked], _NEW_TOKENS, exam.never)
    for (question, _), tokens in zip(asked, made, strict=True):
        said = session.codec.decode(tokens)
        right.append(int(said.strip().startswith(question.letter)))
        answers.items.setdefault(subject, []).append("\x1f".join([question.text, *question.choices, question.letter]))


def _read(workload: Workload, folder: Path, subject: str, split: Split) -> list[Question]:
    found = read_subject(folder, subject, split)
    return as_pandas_reads(found) if workload.csv_na == "pandas" else found


def _room(session: Scores, workload: Workload) -> int:
    most = workload.max_seq_length or _MOST[workload.too_long]
    held = int(session.context_length)
    return min(most, held if workload.too_long == "skip" else held - _NEW_TOKENS)


def _fitting(exam: _Exam, subject: str, examples: Sequence[Question], question: Question) -> tuple[list[int], int]:
    """Give the prompt's ids and how many examples are in it."""
    encode = exam.session.codec.encode
    shown = len(examples)
    ids = list(encode(prompt(subject, examples, question), bos=exam.bos))
    while exam.workload.too_long == "drop_shots" and len(ids) > exam.room and shown:
        shown -= 1
        ids = list(encode(prompt(subject, examples[:shown], question), bos=exam.bos))
    return ids, shown


def _metric_values(answers: _Answers) -> list[MetricValue]:
    import numpy as np

    there = {subject: np.array(right, dtype=np.uint8) for subject, right in answers.right.items() if right}
    found = [_share(list(there.values()), "", [item for rows in answers.items.values() for item in rows])]
    found += [_share([right], f"subject:{subject}", answers.items[subject]) for subject, right in there.items()]
    return found


def _share(strata: list[NDArray[np.uint8]], part: str, items: Sequence[str]) -> MetricValue:
    """Give a share with Wilson's interval; several subjects are combined as strata."""
    import numpy as np

    from harness.numbers.proportions import WILSON, wilson
    from harness.numbers.strata import STRATIFIED_WILSON, stratified_share

    right = np.concatenate(strata)
    alone = len(strata) == 1
    share, low, high = (
        wilson(int(right.sum()), len(right)) if alone else stratified_share(right, [len(part) for part in strata])
    )
    name = "correct" if not part else f"correct.{part.replace(':', '.')}"
    return MetricValue(
        "mmlu_acc", share, right, slice=part, low=low, high=high, interval=WILSON if alone else STRATIFIED_WILSON,
        items=hashlib.sha256("\x1e".join(items).encode()).hexdigest(), array=name,
    )  # fmt: skip


def _sizes(answers: _Answers) -> dict[str, NDArray[np.int32]]:
    """Say how many questions each subject has, beside the array of all of them."""
    import numpy as np

    from harness.numbers.strata import SUFFIX

    counts = [len(right) for right in answers.right.values() if right]
    return {f"correct{SUFFIX}": np.array(counts, dtype=np.int32)} if len(counts) > 1 else {}


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return questions_refusal(workload.questions, facts.packages)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return question_files(workload.questions)


PROBE = Probe(
    name="mmlu_modelopt",
    version=2,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("mmlu_acc",),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
    refuse=_refuse,
    contents=_contents,
    located=("questions",),
)
