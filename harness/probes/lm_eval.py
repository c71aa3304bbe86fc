"""Any lm-eval task through one model over `Scores`, MMLU's 5-shot form first; results per question are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from harness import hub_data
from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.paths import placed
from harness.core.seam import Context, Facts, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.core.spec import Note
from harness.probes.groups import Finished
from harness.probes.lm_eval_results import TaskAnswers
from harness.probes.lm_eval_tasks import Loaded, by_name, from_questions, task_refusal
from harness.questions import HUB_QUESTIONS, question_files
from harness.texts import REFERENCE

_QUESTIONS = "mmlu"
_CUT = "cut on the left"
"""What becomes of a prompt that is longer than the context, as in lm-eval's own backends."""


class Workload(Options):
    """Which task is run, and how."""

    task: str = REFERENCE
    """`reference` (the shipped synthetic questions), `mmlu`, the path of an lm-eval YAML file, or the name of one of
    lm-eval's own tasks."""
    questions: str | None = None
    """With task `mmlu`: a folder in Hendrycks' layout instead of the hub's data."""
    shots: int | None = Field(default=5, ge=0)
    """Examples before each question; None leaves it to the task."""
    limit: int | None = Field(default=None, ge=1)
    """Questions per task, the first ones."""
    bos: bool | None = None
    """Whether BOS stands before each prompt; None leaves it to the model's tokenizer."""

    @model_validator(mode="after")
    def _questions_belong_to_mmlu(self) -> Workload:
        if self.questions is not None and self.task != _QUESTIONS:
            raise ValueError(f"questions go with task: {_QUESTIONS}; '{self.task}' brings its own")
        return self

    @property
    def folder(self) -> str | None:
        """Give the question set's name or folder; None for tasks that bring their own data."""
        return self.questions or (REFERENCE if self.task == REFERENCE else None)

    @property
    def yaml(self) -> Path | None:
        """Give the task's YAML file, where it is one."""
        return placed(self.task) if self.task.endswith((".yaml", ".yml")) else None

    @property
    def label(self) -> str:
        """Name the task as tables show it; the synthetic questions are never called MMLU."""
        if self.folder == REFERENCE:
            return REFERENCE
        return _QUESTIONS if self.folder is not None else Path(self.task).stem


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Run a task with lm-eval's prompts and aggregation.

    Kept per question: log-likelihoods of its choices [questions, choices] and whether the answer was right.
    Raises: HarnessError for an unknown task, unreachable data, a log-likelihood that is not finite.
    Source: EleutherAI's lm-evaluation-harness.
    """
    from importlib.metadata import version

    from lm_eval import evaluator

    from harness.probes.lm_eval_model import ScoresModel
    from harness.probes.lm_eval_prompts import Tally

    bos = session.codec.adds_bos if workload.bos is None else workload.bos
    loaded = _load(workload)
    tally = Tally(trained=context.trained_positions)
    finished = Finished(session, context)
    model = ScoresModel(session, tally, finished, lambda share: context.progress(share, workload.label), bos=bos)
    results = evaluator.evaluate(model, loaded.evaluated, limit=workload.limit, bootstrap_iters=0, log_samples=True)
    kept = TaskAnswers(results, loaded, strict=workload.folder is not None)
    scored = sum(len(samples) for samples in kept.samples.values())
    full = sum(counts["original"] for counts in results["n-samples"].values())
    protocol = Protocol(
        name=_protocol_name(workload, results), scored=scored, truncated=kept.documents(tally.truncated),
        limit=workload.limit if scored < full else None, dtype=session.dtype, bos=bos,
        prompt_tokens=tally.longest or None, beyond_trained=kept.documents(tally.beyond),
        facts={"lm_eval": version("lm-eval"), "tasks": len(loaded.tasks),
               "task_version": results["versions"].get(loaded.whole), "too_long": _CUT},
    )  # fmt: skip
    values = kept.values() + (kept.strata() if workload.folder == REFERENCE else [])
    notes = (*finished.notes(), *_cut_notes(protocol, session.context_length))
    return ProbeResult(tuple(values), protocol, notes, kept.arrays())


def _cut_notes(protocol: Protocol, most: int) -> tuple[Note, ...]:
    if not protocol.truncated:
        return ()
    text = f"{protocol.truncated} of {protocol.scored} were longer than the context of {most} tokens: they were {_CUT}, so that the question stays and examples go"
    return (Note(code="cut-prompts", text=text),)


def _load(workload: Workload) -> Loaded:
    if workload.folder is not None:
        return from_questions(workload.folder, workload.label, 5 if workload.shots is None else workload.shots)
    if workload.yaml is not None and not workload.yaml.is_file():
        raise HarnessError(f"no task file {workload.yaml}; give the path of a file, or the name of a task")
    return by_name(workload.task, workload.shots, workload.yaml)


def _protocol_name(workload: Workload, results: Mapping[str, Any]) -> str:
    shots = sorted(set(results["n-shot"].values()))
    return f"lm-eval-{workload.label}-{'+'.join(str(count) for count in shots)}shot"


def _refuse(workload: Workload, facts: Facts) -> str | None:
    if absent := facts.wants("lm-eval"):
        return absent
    if workload.folder is not None or workload.yaml is not None:
        return None
    return (
        hub_data.refusal(HUB_QUESTIONS, facts.packages)
        if workload.task == _QUESTIONS
        else task_refusal(workload.task, facts.packages.get("lm-eval"))
    )


def _contents(workload: Workload) -> Mapping[str, Path]:
    if workload.folder is not None:
        return question_files(workload.folder)
    if workload.yaml is None:
        return {}
    folder = workload.yaml.parent
    beside = [path for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []
    roles = {f"beside {path.name}": path for path in beside if path.name != workload.yaml.name}
    return {"task": workload.yaml, **roles}


PROBE = Probe(
    name="lm_eval",
    version=2,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("lm_eval.acc", "choice_logprob"),
    workload=Workload,
    packages=("lm-eval", "datasets"),
    measure=measure,
    refuse=_refuse,
    contents=_contents,
    located=("questions", "task"),
)
