"""What jobs read of the hub's data sets, and which files of this machine: told by the options of probes and quantizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.commands.machine import Planned
from harness.core.options import validated
from harness.core.spec import BuildSpec
from harness.questions import HUB_QUESTIONS
from harness.texts import HUB_TEXTS, REFERENCE, from_hub

_MMLU = "mmlu"


@dataclass(frozen=True)
class DataSet:
    """Rows of the hub that jobs read. path: on the hub, empty where a task alone knows it."""

    name: str
    path: str
    load: str
    """Python that reads it, in an environment that has the libraries: what it reads is kept then."""


def data_sets(planned: Planned) -> list[DataSet]:
    """List the hub's data sets that a plan's jobs read, each once."""
    found = {one.name: one for record in records(planned) for one in _of(record)}
    return [found[name] for name in sorted(found)]


def _of(record: Any) -> Iterator[DataSet]:
    text = getattr(record, "text", None)
    if isinstance(text, str) and text in HUB_TEXTS and from_hub(text, getattr(record, "corpus", None)):
        yield DataSet(text, HUB_TEXTS[text].path, f"from harness.texts import hub_rows; hub_rows({text!r})")
    if getattr(record, "questions", None) == HUB_QUESTIONS:
        load = f"from harness.questions import questions_folder; questions_folder({HUB_QUESTIONS!r})"
        yield DataSet(HUB_QUESTIONS, HUB_QUESTIONS, load)
    task = getattr(record, "task", REFERENCE)
    if task != REFERENCE and record.folder is None and record.yaml is None:
        load = f"from harness.probes.lm_eval_tasks import by_name; by_name({task!r}, None)"
        yield DataSet(f"lm-eval task {task}", HUB_QUESTIONS if task == _MMLU else "", load)


def records(planned: Planned) -> Iterator[Any]:
    """Give the options of all that a plan's jobs run: workloads of probes, recipes of quantizers."""
    yield from (record for record, _ in _asked(planned))


def read_files(planned: Planned) -> Iterator[tuple[str, Path]]:
    """Give each file whose content a job's key holds: its role, and where it lies.

    Raises: HarnessError for one that is not there.
    """
    for _, contents in _asked(planned):
        yield from contents.items()


def _asked(planned: Planned) -> Iterator[tuple[Any, Mapping[str, Path]]]:
    adapters = planned.catalogue.adapters
    for work in (work for case in planned.sweep.cases for work in case.works):
        yield work.record, work.adapter.contents(work.record)
    for spec in {job.key: job.spec for job in planned.plan.jobs}.values():
        if isinstance(spec, BuildSpec):
            quantizer = adapters.quantizer(spec.quantizer)
            options = validated(quantizer.options, spec.options, f"quantizer {quantizer.name}")
            yield options, quantizer.contents(options)
