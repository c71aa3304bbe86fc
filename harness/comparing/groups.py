"""Groups of lm-eval's tasks, as MMLU of its subjects: all questions together, with the tasks as strata."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.comparing.answers import FilePair, better_way, metrics_of, paired_files
from harness.comparing.comparison import ComparedNumber
from harness.comparing.evidence import of_items
from harness.core.errors import HarnessError
from harness.core.metric import lm_eval_metric
from harness.formats.source import read_source
from harness.numbers import pairing
from harness.numbers.pairing import Items


def compared_files(one: Path, other: Path) -> tuple[list[ComparedNumber], list[str]]:
    """Compare two files of lm-eval task by task, and each group of which both answer all tasks. Raises: as `paired_files`."""
    found, notes, pairs = paired_files(one, other)
    by_task = {before.task: (before, after) for before, after in pairs}
    whole = [
        compared
        for name, tasks in groups_of(one).items()
        if len(tasks) > 1 and tasks <= by_task.keys()
        for compared in together(name, [by_task[task] for task in sorted(tasks)])
    ]
    return [*whole, *found], notes


def groups_of(path: Path) -> dict[str, set[str]]:
    """Read which tasks stand below each group of a results file; nothing for a file of answers."""
    data = read_source(path).data
    listed = data.get("group_subtasks") if isinstance(data, dict) else None
    below = (
        {str(name): parts for name, parts in listed.items() if isinstance(parts, list)}
        if isinstance(listed, dict)
        else {}
    )
    return {name: _leaves(name, below, frozenset()) for name, parts in below.items() if parts}


def _leaves(name: str, below: Mapping[str, Sequence[object]], above: frozenset[str]) -> set[str]:
    if name in above or not below.get(name):
        return {name}
    return {leaf for part in below[name] for leaf in _leaves(str(part), below, above | {name})}


def together(name: str, pairs: Sequence[FilePair]) -> Iterator[ComparedNumber]:
    """Compare all questions of several tasks: the mean over questions, with the tasks as strata."""
    for chosen in dict.fromkeys(chosen for chosen, _ in pairs[0][0].rows):
        named = [
            set(metrics_of([row for key, row in file.rows.items() if key[0] == chosen]))
            for pair in pairs
            for file in pair
        ]
        for metric in sorted(set.intersection(*named)):
            compared = _together(name, chosen, metric, pairs)
            if compared is not None:
                yield compared


def _together(name: str, chosen: str, metric: str, pairs: Sequence[FilePair]) -> ComparedNumber | None:
    label = metric if chosen == "none" else f"{metric}_{chosen}"
    keys = [sorted(key for key in before.rows if key[0] == chosen) for before, _ in pairs]
    sides = [
        [pair[side].rows[key][metric] for pair, some in zip(pairs, keys, strict=True) for key in some]
        for side in (0, 1)
    ]
    better = better_way(pairs[0][0], label, metric)
    if better == "none" or any(not isinstance(value, int | float) for side in sides for value in side):
        return None
    means = tuple(math.fsum(side) / len(side) for side in sides)
    before, after = (Items(samples=side, strata=[len(some) for some in keys]) for side in sides)
    known, called = lm_eval_metric(label), f"{name} ({len(pairs)} tasks together)"
    try:
        estimate = of_items(known.name, (before, after), (means[0], means[1]))
    except HarnessError as error:
        return ComparedNumber(called, known, better, (means[0], means[1]), why=str(error), weight="missing")
    moved = pairing.discordant(after, before)
    return ComparedNumber(called, known, better, (means[0], means[1]), estimate, moved=moved)
