"""Two files of lm-eval's answers, question by question: no sweep, no database."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.comparing.comparison import ComparedNumber, Flip
from harness.comparing.evidence import of_items
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.metric import Direction, lm_eval_metric
from harness.formats.source import read_source
from harness.numbers import pairing
from harness.numbers.pairing import Items

SUFFIXES = (".jsonl", ".json")
_NAME = re.compile(r"samples_(?P<task>.+)_\d{4}-\d\d-\d\dT[\d.:-]+")
_RESULTS = re.compile(r"results_(?P<stamp>\d{4}-\d\d-\d\dT[\d.:-]+)")
_LONG = 300
"""Characters of a question that are shown."""

_BY_LENGTH = "acc_norm"
AnswerRow = Mapping[str, Any]
AnswerKey = tuple[str, str]
"""Filter, and the question's number."""


@dataclass(frozen=True)
class AnswersFile:
    """The rows of one task."""

    path: Path
    task: str
    """As the file's name says; empty where it does not."""
    rows: Mapping[AnswerKey, AnswerRow]
    ways: Mapping[str, object]
    """Which way metrics are better, as the results beside it say: true where higher is."""

    def wrong(self, message: str) -> ConfigError:
        """Make the error that names the file."""
        return ConfigError([Problem(message, self.path)])


FilePair = tuple[AnswersFile, AnswersFile]


def answers_of(path: Path) -> list[AnswersFile]:
    """Read a file of answers, or those of every task beside a `results_DATE.json`.

    Raises: ConfigError for one that is empty, is none of lm-eval's, or has a question twice.
    """
    found = _RESULTS.fullmatch(path.stem)
    if path.suffix == ".jsonl" or found is None:
        return [_read(path)]
    tasks = _tasks(path)
    paths = [path.with_name(f"samples_{task}_{found['stamp']}.jsonl") for task in tasks]
    return [_read(one) for one in paths if one.is_file()]


def _tasks(path: Path) -> list[str]:
    data = read_source(path).data
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, dict):
        raise ConfigError([Problem("is no results file of lm-eval: it has no 'results'", path)])
    return sorted(map(str, results))


def _read(path: Path) -> AnswersFile:
    source, name = read_source(path), _NAME.fullmatch(path.stem)
    rows: dict[AnswerKey, AnswerRow] = {}
    task = name["task"] if name else ""
    file = AnswersFile(path, task, rows, _ways(path, task))
    if not source.records or any("doc_id" not in row for row in source.records):
        raise file.wrong(
            "holds no answers of lm-eval; run lm_eval with --log_samples, and give its samples_TASK_DATE.jsonl"
        )
    for row in source.records:
        key = (str(row.get("filter", "none")), str(row["doc_id"]))
        if key in rows:
            raise file.wrong(f"question {row['doc_id']} stands there twice{_of(key[0])}; keep one run's answers")
        rows[key] = row
    return file


def _ways(path: Path, task: str) -> Mapping[str, object]:
    """Read which way a task's metrics are better from the results beside its answers; nothing where these are not there."""
    beside = path.with_name(f"results_{path.stem.removeprefix(f'samples_{task}_')}.json")
    data = read_source(beside).data if task and beside.is_file() else None
    ways = data.get("higher_is_better") if isinstance(data, dict) else None
    found = ways.get(task) if isinstance(ways, dict) else None
    return found if isinstance(found, dict) else {}


def better_way(file: AnswersFile, label: str, name: str) -> Direction:
    """Say which way a metric is better: as the results say, else as lm-eval registers it."""
    known = lm_eval_metric(label).better
    own = known if known != "none" else lm_eval_metric(name).better
    said = file.ways.get(name)
    if not isinstance(said, bool):
        return own
    return "higher" if said else "lower"


def _of(chosen: str) -> str:
    return "" if chosen == "none" else f" with filter {chosen}"


def paired_files(one: Path, other: Path) -> tuple[list[ComparedNumber], list[str], list[FilePair]]:
    """Compare the answers of two runs; also return what must be told, and the files of each task.

    Raises: ConfigError for files of other tasks or questions, or with a number that is none.
    """
    sides = answers_of(one), answers_of(other)
    for path, files in zip((one, other), sides, strict=True):
        if not files:
            remedy = "nothing pairs without them; run lm_eval with --log_samples, and keep its files together"
            return [], [f"{path.name}: no answers question by question beside it; {remedy}"], []
    pairs, notes = _tasks_paired(*sides)
    found = [compared for before, after in pairs for compared in _task(before, after)]
    return found, [*notes, *(note for pair in pairs for note in _prompts(*pair))], pairs


def _tasks_paired(
    before: Sequence[AnswersFile], after: Sequence[AnswersFile]
) -> tuple[list[tuple[AnswersFile, AnswersFile]], list[str]]:
    if len(before) == len(after) == 1:
        first, second = before[0], after[0]
        if first.task and second.task and first.task != second.task:
            raise second.wrong(
                f"holds answers to {second.task}, and {first.path.name} to {first.task}; compare files of one task"
            )
        return [(first, second)], []
    ours, theirs = ({file.task: file for file in side} for side in (before, after))
    shared = [(ours[task], theirs[task]) for task in sorted(ours.keys() & theirs.keys())]
    if not shared:
        raise after[0].wrong(f"answers none of the tasks of {before[0].path.name}; compare files of the same tasks")
    return shared, [f"only one side has answers to {task}" for task in sorted(ours.keys() ^ theirs.keys())]


def _task(before: AnswersFile, after: AnswersFile) -> Iterator[ComparedNumber]:
    """Compare every metric that both files have for every question."""
    _same_questions(before, after)
    filters = dict.fromkeys(chosen for chosen, _ in before.rows)
    for chosen in filters:
        keys = sorted((key for key in before.rows if key[0] == chosen), key=lambda key: (len(key[1]), key[1]))
        sides = tuple([file.rows[key] for key in keys] for file in (before, after))
        named = [metrics_of(side) for side in sides]
        for name in dict.fromkeys([*named[0], *named[1]]):
            label = name if chosen == "none" else f"{name}_{chosen}"
            if all(name in side for side in named):
                yield _metric(before, after, label, name, sides)
            else:
                lacking = (before if name in named[1] else after).path.name
                yield _missing(before.task, label, f"{lacking} does not have it")


def _same_questions(before: AnswersFile, after: AnswersFile) -> None:
    """Refuse files of other questions. Raises: ConfigError saying how many, and one of them."""
    apart = sorted(before.rows.keys() ^ after.rows.keys())
    if apart:
        chosen, number = apart[0]
        here = before if apart[0] in before.rows else after
        raise after.wrong(
            f"does not hold the questions of {before.path.name}: {len(apart)} stand in one of them alone, as {number}{_of(chosen)} in "
            f"{here.path.name}; run both with the same task and --limit"
        )
    for name, what in (("doc_hash", "question"), ("target_hash", "right answer")):
        other = [key for key, row in before.rows.items() if row.get(name) != after.rows[key].get(name)]
        if other:
            raise after.wrong(
                f"{len(other)} of {len(before.rows)} have another {what} than in {before.path.name}, as {other[0][1]}; run both with "
                "one version of the task and its data"
            )


def metrics_of(rows: Sequence[AnswerRow]) -> list[str]:
    """Name what lm-eval scored for every question: what it lists, else the numbers that are metrics of its own."""
    listed = rows[0].get("metrics")
    known = (
        [str(name) for name in listed]
        if isinstance(listed, list)
        else [name for name in rows[0] if lm_eval_metric(name).better != "none"]
    )
    return [name for name in known if all(name in row for row in rows)]


def _metric(
    before: AnswersFile, after: AnswersFile, label: str, name: str, sides: tuple[Sequence[AnswerRow], ...]
) -> ComparedNumber:
    metric = lm_eval_metric(label)
    better = better_way(before, label, name)
    values = [[row[name] for row in side] for side in sides]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for side in values for value in side):
        why = "no single number for each question, so that nothing pairs"
        return ComparedNumber(before.task, metric, better, (None, None), why=why, weight="told")
    for file, side, rows in zip((before, after), values, sides, strict=True):
        bad = [row["doc_id"] for row, value in zip(rows, side, strict=True) if not math.isfinite(value)]
        if bad:
            raise file.wrong(
                f"{name} of question {bad[0]} is not a finite number ({len(bad)} of {len(side)}); run it again"
            )
    means = tuple(math.fsum(side) / len(side) for side in values)
    if better == "none":
        why = "nobody says which way it is better"
        return ComparedNumber(before.task, metric, better, (means[0], means[1]), why=why, weight="told")
    items = tuple(Items(samples=side) for side in values)
    moved = pairing.discordant(items[1], items[0])
    flips = tuple(_flips(name, sides, values)) if moved is not None else ()
    try:
        estimate = of_items(metric.name, (items[0], items[1]), (means[0], means[1]))
    except HarnessError as error:
        return ComparedNumber(before.task, metric, better, (means[0], means[1]), why=str(error), weight="missing")
    return ComparedNumber(before.task, metric, better, (means[0], means[1]), estimate, flips=flips, moved=moved)


def _missing(task: str, label: str, why: str) -> ComparedNumber:
    metric = lm_eval_metric(label)
    return ComparedNumber(task, metric, metric.better, (None, None), why=why, weight="missing")


def _prompts(before: AnswersFile, after: AnswersFile) -> list[str]:
    """Tell prompts that differ where the questions do not: other shots, another template, or another tokenizer's."""
    keys = [key for key in before.rows if "prompt_hash" in before.rows[key]]
    other = [key for key in keys if before.rows[key]["prompt_hash"] != after.rows[key].get("prompt_hash")]
    if not other:
        return []
    asked = f"{len(other)} of {len(keys)} questions were asked with another prompt (shots, template or instruction)"
    return [f"{before.task or before.path.name}: {asked}; the difference is that of models and prompts together"]


def _flips(name: str, sides: tuple[Sequence[AnswerRow], ...], values: Sequence[Sequence[float]]) -> Iterator[Flip]:
    """Show the questions that only one side answered rightly."""
    for before, after, old, new in zip(*sides, *values, strict=True):
        if old != new:
            said = (answered(before, name), answered(after, name))
            yield Flip(str(before["doc_id"]), new > old, _question(before), _right(before), said)


def _question(row: AnswerRow) -> str:
    """Give the question as its data set has it, else the end of the prompt."""
    doc = row.get("doc")
    if isinstance(doc, dict):
        own = next(
            (doc[name] for name in ("question", "query", "text", "sentence", "ctx", "problem") if name in doc), None
        )
        return _text(own if own is not None else doc)
    return _text(doc)


def _right(row: AnswerRow) -> str:
    """Give the right answer: of choices its words."""
    target, choices = row.get("target"), _choices(row)
    place = int(target) if isinstance(target, int) or (isinstance(target, str) and target.isdigit()) else -1
    return choices[place] if 0 <= place < len(choices) else _text(target)


def _choices(row: AnswerRow) -> list[str]:
    """Give the words of the choices that were scored; nothing where the answer was written freely."""
    answers, asked = row.get("filtered_resps"), row.get("arguments")
    if not isinstance(answers, list) or not isinstance(asked, dict) or len(answers) < 2:
        return []
    words = [one.get("arg_1") for one in asked.values() if isinstance(one, dict)]
    scored = len(words) == len(answers) and all(isinstance(one, list) and len(one) == 2 for one in answers)
    return [_text(word) for word in words] if scored else []


def answered(row: AnswerRow, metric: str) -> str:
    """Give what was answered: of choices the likeliest, by its length where the metric says so, else the text."""
    answers, choices = row.get("filtered_resps"), _choices(row)
    if choices and isinstance(answers, list):
        logs = [
            _number(one[0]) / (max(len(choice), 1) if metric == _BY_LENGTH else 1)
            for one, choice in zip(answers, choices, strict=True)
        ]
        return choices[max(range(len(logs)), key=logs.__getitem__)]
    return _text(answers[0] if isinstance(answers, list) and len(answers) == 1 else answers)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return -math.inf


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONG else f"{flat[: _LONG - 1]}…"
