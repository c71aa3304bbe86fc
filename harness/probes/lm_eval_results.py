"""What is read from lm-eval's results: its own values, held against the answers question by question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.metric import LM_EVAL, said_direction
from harness.core.seam import MetricValue
from harness.probes.lm_eval_tasks import Loaded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAME = 1e-12
CHOICE = "choice_logprob"


class TaskAnswers:
    """lm-eval's results by task, and what is read from them."""

    def __init__(self, results: Mapping[str, Any], loaded: Loaded, *, strict: bool) -> None:
        self.results = results
        self.loaded = loaded
        self.strict = strict
        self.rows: dict[tuple[str, str], list[Any]] = {}
        for name, rows in results["samples"].items():
            for row in sorted(rows, key=lambda row: int(row["doc_id"])):
                self.rows.setdefault((name, row["filter"]), []).append(row)
        first = {name: rows[0]["filter"] for name, rows in results["samples"].items() if rows}
        self.samples: dict[str, list[Any]] = {name: self.rows[name, chosen] for name, chosen in first.items()}
        self.beside: dict[str, NDArray[Any]] = {}
        """Questions of each stratum of the arrays that have several, by the name of their array."""

    def documents(self, prompts: set[str]) -> int:
        """Count the questions of which one of these prompts is a request."""
        if not prompts:
            return 0
        rows = (row for rows in self.samples.values() for row in rows)
        return sum(any(request[0] in prompts for request in row["arguments"]) for row in rows)

    def items(self, *names: str) -> str:
        """Hash the questions of tasks with their answers, in order."""
        rows = [[row["doc_hash"], row["target_hash"]] for name in names for row in self.samples[name]]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Collect log-likelihoods of choices [questions, most choices]; a question with fewer has -1e30 in the rest."""
        import numpy as np

        rows = [row for rows in self.samples.values() for row in rows]
        if not rows or not all(is_choice(row) for row in rows):
            return self.beside
        most = max(len(row["filtered_resps"]) for row in rows)
        table = np.full((len(rows), most), -1e30)
        for number, row in enumerate(rows):
            found = [response[0] for response in row["filtered_resps"]]
            table[number, : len(found)] = found
        return {"choice_logprobs": table, **self.beside}

    def correctness(self, name: str, metric: str, chosen: str) -> NDArray[np.uint8] | None:
        """Give the right answers of a task as [questions] of 0 and 1; None where a metric is no such thing."""
        import numpy as np

        values = [row.get(metric) for row in self.rows.get((name, chosen), [])]
        if not values or any(not isinstance(value, int | float) or value not in (0, 1) for value in values):
            return None
        return np.array(values, dtype=np.uint8)

    def values(self) -> list[MetricValue]:
        """Read every metric of the whole and of its parts."""
        found = self._whole()
        if len(self.samples) > 1:
            for name in self.samples:
                subject = self.loaded.subjects.get(name)
                found += self._task(name, f"subject:{subject}" if subject is not None else f"task:{name}")
        return found

    def _whole(self) -> list[MetricValue]:
        whole = self.loaded.whole
        if whole is None:
            return []
        if whole in self.samples:
            return self._task(whole, "")
        found: list[MetricValue] = []
        for metric, chosen, value in _metrics(self.results.get("groups", {}).get(whole, {})):
            parts = [self.correctness(name, metric, chosen) for name in self.samples]
            right = [part for part in parts if part is not None]
            if len(right) == len(parts):
                label = _label(metric, chosen)
                share = self._share(label, value, right, tuple(self.samples), "")
                found.append(self._directed(share, whole, metric, label))
        return found + self._right_choice(list(self.samples), "")

    def _task(self, name: str, part: str) -> list[MetricValue]:
        found: list[MetricValue] = []
        for metric, chosen, value in _metrics(self.results["results"][name]):
            right = self.correctness(name, metric, chosen)
            label = _label(metric, chosen)
            if right is not None:
                found.append(self._share(label, value, [right], (name,), part))
            else:
                samples = self._samples(name, metric, chosen, value)
                n = len(self.rows.get((name, chosen), [])) or 1
                found.append(MetricValue(f"{LM_EVAL}{label}", value, samples, slice=part, n=n, items=self.items(name),
                                     array=_array_name(label, part)))  # fmt: skip
            found[-1] = self._directed(found[-1], name, metric, label)
        return found + self._right_choice([name], part)

    def _directed(self, reading: MetricValue, name: str, metric: str, label: str) -> MetricValue:
        """Add which way is better where lm-eval's results say otherwise than the metric's own record."""
        ways = self.results.get("higher_is_better", {}).get(name, {})
        better = said_direction(label, ways[metric]) if metric in ways else None
        return reading if better is None else replace(reading, better=better)

    def _samples(self, name: str, metric: str, chosen: str, value: float) -> NDArray[np.float64]:
        """Give a metric's values per question, [questions] or [questions, parts]; the value alone where it has none."""
        import numpy as np

        try:
            samples = np.asarray([row.get(metric) for row in self.rows.get((name, chosen), [])], dtype=np.float64)
        except (TypeError, ValueError):  # a metric that is no number per question, as F1 from labels
            return np.asarray([value])
        return samples if samples.size and np.isfinite(samples).all() else np.asarray([value])

    def _share(
        self, label: str, value: float, right: list[NDArray[np.uint8]], names: tuple[str, ...], part: str
    ) -> MetricValue:
        """Give lm-eval's value with an interval; where it is not the plain share of right answers there is none."""
        import numpy as np

        array = _array_name(label, part)
        joined = np.concatenate(right)
        share = float(joined.mean(dtype=np.float64))
        if abs(share - value) > _SAME:
            if self.strict:
                raise HarnessError(f"lm-eval says {label} {value:.12g}, the share of right answers is {share:.12g}; "
                                   "this version of lm-eval weighs questions in another way: use the locked one")  # fmt: skip
            items = self.items(*names)
            return MetricValue(f"{LM_EVAL}{label}", value, joined, slice=part, items=items, array=array)
        return self._with_interval(label, right, self.items(*names), part, array)

    def _with_interval(
        self, label: str, right: list[NDArray[np.uint8]], items: str, part: str, array: str
    ) -> MetricValue:
        """Give a share with Wilson's interval; several strata are combined as strata."""
        import numpy as np

        from harness.numbers import proportions, strata

        joined, counts = np.concatenate(right), self._strata(array, right)
        made = proportions.WILSON if len(counts) == 1 else strata.STRATIFIED_WILSON
        share, low, high = (
            proportions.wilson(int(joined.sum()), len(joined))
            if len(counts) == 1
            else strata.stratified_share(joined, counts)
        )
        return MetricValue(
            f"{LM_EVAL}{label}", share, joined, slice=part, low=low, high=high, interval=made, items=items, array=array
        )

    def _strata(self, array: str, parts: Sequence[NDArray[Any]]) -> list[int]:
        """Say how many questions each stratum of an array has, and keep it beside the array."""
        import numpy as np

        from harness.numbers.strata import SUFFIX

        counts = [len(part) for part in parts if len(part)]
        if len(counts) > 1:
            self.beside[f"{array}{SUFFIX}"] = np.array(counts, dtype=np.int32)
        return counts

    def _right_choice(self, names: Sequence[str], part: str) -> list[MetricValue]:
        """Read the log-probability of the right choice among the choices; nothing where a task has no such thing."""
        found = [[choice_logprob(row) for row in self.samples[name]] for name in names]
        if not names or any(value is None for values in found for value in values):
            return []
        return [self._logprob(found, self.items(*names), part)]

    def _logprob(self, found: Sequence[Sequence[float | None]], items: str, part: str) -> MetricValue:
        import numpy as np

        from harness.numbers import strata

        values = [np.array(part_of, dtype=np.float64) for part_of in found]
        array = _array_name(CHOICE, part)
        joined, counts = np.concatenate(values), self._strata(array, values)
        mean, low, high = strata.stratified_mean(joined, counts)
        few = f"none: {joined.size} questions are too few, {strata.FEWEST} are needed"
        return MetricValue(
            CHOICE, mean, joined.astype(np.float32), slice=part, low=low, high=high,
            interval=few if low is None else strata.STRATIFIED_MEAN, items=items, array=array,
        )  # fmt: skip

    def strata(self) -> list[MetricValue]:
        """Read the accuracy of the reference questions by stratum."""
        import numpy as np

        from harness import reference

        strata = reference.strata()
        members: dict[str, list[Any]] = {}
        for name, rows in self.samples.items():
            subject = self.loaded.subjects[name]
            for row in rows:
                stratum = strata.get((subject, int(row["doc_id"])))
                if stratum is None:
                    raise HarnessError(
                        f"question {row['doc_id']} of {subject} has no stratum; install the package again"
                    )
                members.setdefault(stratum, []).append(row)
        found = []
        for stratum, rows in sorted(members.items()):
            right = np.array([row["acc"] for row in rows], dtype=np.uint8)
            items = hashlib.sha256("".join(row["doc_hash"] for row in rows).encode()).hexdigest()
            part = f"stratum:{stratum}"
            found.append(self._with_interval("acc", [right], items, part, _array_name("acc", part)))
            found.append(self._logprob([[choice_logprob(row) for row in rows]], items, part))
        return found


def choice_logprob(row: Mapping[str, Any]) -> float | None:
    """Give the log-probability of a question's right choice among its choices, in nat; None where it has no such thing.

    Where a task asks each choice without its context too, those answers are left out.
    """
    import numpy as np

    if not is_choice(row) or not row["filtered_resps"]:
        return None
    contexts, choices = zip(*(tuple(request[:2]) for request in row["arguments"]), strict=True)
    asked = sum(context == contexts[0] for context in contexts)
    several = len(set(contexts)) == len(contexts)  # one context for each choice, as in Winogrande
    logs = np.array([response[0] for response in row["filtered_resps"]][: len(contexts) if several else asked])
    place = _right(row["target"], choices[: len(logs)])
    if place is None or len(logs) < 2:
        return None
    return float(logs[place] - np.logaddexp.reduce(logs))


def _right(target: Any, choices: Sequence[str]) -> int | None:
    """Find the right choice, which tasks name by its place or by its text."""
    if isinstance(target, str) and target.strip().isdigit() and target not in choices:
        target = int(target)
    if isinstance(target, int) and not isinstance(target, bool):
        return target if 0 <= target < len(choices) else None
    there = [place for place, choice in enumerate(choices) if choice.strip() == str(target).strip()]
    return there[0] if len(there) == 1 else None


def _label(metric: str, chosen: str) -> str:
    return metric if chosen == "none" else f"{metric}_{chosen}"


def _array_name(label: str, part: str) -> str:
    name = {"acc": "correct", CHOICE: CHOICE}.get(label, f"correct_{label}")
    return f"{name}.{part.replace(':', '.').replace(', ', ' ').replace(' ', '_')}" if part else name


def _metrics(values: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Give (metric, filter, value) of what lm-eval reports, standard errors left out."""
    return [
        (key.partition(",")[0], key.partition(",")[2], float(value))
        for key, value in values.items()
        if "," in key and "_stderr," not in key and isinstance(value, int | float)
    ]


def is_choice(row: Mapping[str, Any]) -> bool:
    """Say whether a question's answers are log-likelihoods of choices."""
    return all(isinstance(response, tuple) and len(response) == 2 for response in row["filtered_resps"])
