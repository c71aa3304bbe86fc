"""`results_*.json` of lm-eval 0.4: a run per task or group that was asked for; tasks of a group are parts of it.

Values are lm-eval's own, named `lm_eval.NAME` or `lm_eval.NAME_FILTER`; its standard errors become intervals of 1.96 of them to either
side. Answers of `samples_*.jsonl` beside it are the samples where their mean is the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from harness.core.metric import LM_EVAL, said_direction
from harness.core.outcome import Environment, Gpu, Protocol
from harness.formats.fields import Fields, plain, without_folders
from harness.formats.kept import LM_EVAL_GENERATION, LM_EVAL_MODEL, arguments
from harness.formats.lm_eval_samples import SampledAnswers, answers
from harness.formats.records import UNKNOWN, FileContents, FileFormat, Found, Number, given, place
from harness.formats.source import FileSource

_ENGINES = {"hf": "transformers", "hf-auto": "transformers", "huggingface": "transformers"}
_NORMAL = 1.959963984540054
INTERVAL = "1.96 standard errors of lm-eval"
_SETTINGS = (
    "model_args", "model_revision", "model_sha", "batch_size", "gen_kwargs", "random_seed", "numpy_seed", "torch_seed",
    "fewshot_seed", "bootstrap_iters", "model_num_parameters",
)  # fmt: skip
_ARGUMENTS = {"model_args": LM_EVAL_MODEL, "gen_kwargs": LM_EVAL_GENERATION}
_TOP = ("git_hash", "max_length", "system_instruction", "fewshot_as_multiturn", "chat_template_sha", "eval_mode")


_KNOWN = frozenset(
    [
        "results",
        "groups",
        "group_subtasks",
        "configs",
        "versions",
        "n-shot",
        "higher_is_better",
        "n-samples",
        "config",
        "date",
        "pretty_env_info",
        "samples",
        "transformers_version",
        "lm_eval_version",
        "upper_git_hash",
        "tokenizer_pad_token",
        "tokenizer_eos_token",
        "tokenizer_bos_token",
        "eot_token_id",
        "task_hashes",
        "model_source",
        "model_name",
        "model_name_sanitized",
        "system_instruction_sha",
        "chat_template",
        "start_time",
        "end_time",
        "total_evaluation_time_seconds",
    ]
)
_READ = frozenset({"model", "model_dtype", "limit", "device", "batch_sizes", "use_cache"})
"""Settings that are read by name, and two that say nothing about the numbers."""


def recognizes(source: FileSource) -> bool:
    """Tell the file by results whose metrics name their filter, as `acc,none`."""
    data = source.data
    if not isinstance(data, dict) or not isinstance(data.get("results"), dict) or "versions" not in data:
        return False
    tasks = [values for values in data["results"].values() if isinstance(values, dict)]
    return any("," in name for values in tasks for name in values)


def read(source: FileSource) -> FileContents:
    """Read every task that no group holds, and every outermost group."""
    data = source.data
    members = {name: list(inner) for name, inner in (data.get("group_subtasks") or {}).items() if inner}
    inside = {name for inner in members.values() for name in inner}
    everything = {**data["results"], **(data.get("groups") or {})}
    whole = [name for name in everything if name not in inside]
    runs = tuple(_run(name, members, everything, source) for name in whole)
    left = (*_left(everything), *_unknown(data))
    return FileContents(tuple(run for run in runs if run.numbers), left)


def _unknown(data: Mapping[str, Any]) -> Iterator[str]:
    """Name settings that are not kept."""
    config = data.get("config") or {}
    yield from (name for name in data if name not in _KNOWN and name not in _TOP)
    yield from (f"config.{name}" for name in config if name not in _READ and name not in _SETTINGS)
    for name, kept in _ARGUMENTS.items():
        yield from (f"config.{name}.{argument}" for argument in arguments(config.get(name), kept)[1])


def _left(everything: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what stands among the metrics and is no number."""
    return tuple(
        f"{task}: {name}"
        for task, values in everything.items()
        for name, value in values.items()
        if "," in name and "_stderr," not in name and (isinstance(value, bool) or not isinstance(value, int | float))
    )


def _run(name: str, members: Mapping[str, list[str]], everything: Mapping[str, Any], source: FileSource) -> Found:
    data = source.data
    parts = list(dict.fromkeys(_below(name, members)))
    counted = {task: _count(data, task, members) for task in (name, *parts)}
    answered = {task: answers(source, _leaves(task, members)) for task in (name, *parts)}
    numbers = [*_metrics(name, everything, "", counted[name], answered[name], source)]
    for part in parts:
        numbers += _metrics(part, everything, f"task:{part}", counted[part], answered[part], source)
    config, limit = data.get("config") or {}, _limit(data)
    dtype = config.get("model_dtype")
    model = data.get("model_name") or _argument(config.get("model_args"), "pretrained")
    return Found(
        kind="quality",
        probe="lm_eval",
        workload=given(task=name, shots=_shots(data, name, parts), limit=limit),
        engine=_engine(data),
        numbers=tuple(numbers),
        protocol=Protocol(
            name=_protocol(name, _shots(data, name, parts)),
            version=0,
            scored=counted[name],
            limit=limit if isinstance(limit, int) else None,
            dtype=str(dtype).removeprefix("torch.") if dtype else None,
            facts=_facts(data, name) | ({"samples_files": list(answered[name].files)} if answered[name].files else {}),
        ),
        environment=_environment(data),
        labels=given(model=without_folders(str(model)) if model else None),
        provider=config.get("device"),
        started=datetime.fromtimestamp(float(data["date"]), UTC) if data.get("date") else None,
        seconds=float(data.get("total_evaluation_time_seconds") or 0.0),
        version=data.get("lm_eval_version") or data.get("git_hash"),
    )


def _below(name: str, members: Mapping[str, list[str]], above: tuple[str, ...] = ()) -> Iterator[str]:
    for inner in members.get(name, []):
        if inner not in above:
            yield inner
            yield from _below(inner, members, (*above, name, inner))


def _metrics(
    name: str, everything: Mapping[str, Any], part: str, n: int | None, answered: SampledAnswers, source: FileSource
) -> Iterator[Number]:
    values = everything.get(name) or {}
    fields = Fields(values, source, f"task {name}, ")
    ways = (source.data.get("higher_is_better") or {}).get(name) or {}
    for key, value in values.items():
        metric, comma, chosen = key.partition(",")
        if not comma or metric.endswith("_stderr") or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        found = fields.number(key)
        if found is None:
            continue
        error = values.get(f"{metric}_stderr,{chosen}")
        label = metric if chosen == "none" else f"{metric}_{chosen}"
        spread = fields.number(f"{metric}_stderr,{chosen}") if isinstance(error, int | float) else None
        low, high = (None, None) if spread is None else (found - _NORMAL * spread, found + _NORMAL * spread)
        interval = None if spread is None else INTERVAL
        samples, items = answered.of(metric, chosen, found)
        many = len(samples) or n
        better = said_direction(label, ways[metric]) if metric in ways else None
        yield Number(f"{LM_EVAL}{label}", found, part, samples, many, low, high, interval, items=items, better=better)


def _count(data: Mapping[str, Any], name: str, members: Mapping[str, list[str]]) -> int | None:
    """Give the questions of a task, or of all tasks of a group, where the file says them."""
    said = data.get("n-samples") or {}
    counts = [(said.get(task) or {}).get("effective") for task in _leaves(name, members)]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) or None if len(known) == len(counts) else None


def _leaves(name: str, members: Mapping[str, list[str]]) -> list[str]:
    """Give a task itself, or the tasks of a group that are no groups, in the order of the file."""
    return [task for task in dict.fromkeys((name, *_below(name, members))) if task not in members]


def _shots(data: Mapping[str, Any], name: str, parts: list[str]) -> int | None:
    """Give the number of shots where it is one for the whole."""
    said = data.get("n-shot") or {}
    found = {said[task] for task in (name, *parts) if task in said}
    return found.pop() if len(found) == 1 else None


def _limit(data: Mapping[str, Any]) -> int | float | None:
    """Give the limit per task: a number of questions, or below 1 a share of them."""
    limit = (data.get("config") or {}).get("limit")
    if not isinstance(limit, int | float) or isinstance(limit, bool):
        return None
    return int(limit) if float(limit).is_integer() else float(limit)


def _protocol(name: str, shots: int | None) -> str:
    return f"lm-eval-{name}" + (f"-{shots}shot" if shots is not None else "")


def _engine(data: Mapping[str, Any]) -> str:
    name = (data.get("config") or {}).get("model") or data.get("model_source") or UNKNOWN
    return _ENGINES.get(str(name), str(name))


def _argument(arguments: Any, name: str) -> str | None:
    found = re.search(rf"(?:^|,){name}=([^,]+)", arguments) if isinstance(arguments, str) else None
    return found[1] if found else arguments.get(name) if isinstance(arguments, dict) else None


def _facts(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    config = _settings(data)
    facts = {key: config.get(key) for key in _SETTINGS} | {key: data.get(key) for key in _TOP}
    facts["task_version"] = (data.get("versions") or {}).get(name)
    return {key: plain(value) for key, value in facts.items() if value is not None}


def _settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of the run, of its arguments those that are kept."""
    config = dict(data.get("config") or {})
    return config | {name: arguments(config.get(name), kept)[0] for name, kept in _ARGUMENTS.items()}


def _environment(data: Mapping[str, Any]) -> Environment:
    """Read the torch environment report that lm-eval copies, where it worked."""
    text = str(data.get("pretty_env_info") or "")
    gpus = tuple(Gpu(name=name.strip(), driver=_line(text, "Nvidia driver version")) for name in _GPU.findall(text))
    packages = {
        "lm-eval": data.get("lm_eval_version"),
        "transformers": data.get("transformers_version"),
        "torch": _line(text, "PyTorch version"),
    }
    python = _line(text, "Python version")
    return place(
        gpus,
        packages,
        python=python and python.split()[0],
        system=_line(text, "Python platform") or _line(text, "OS"),
        cpu=_line(text, "Model name"),
        cuda=_line(text, "CUDA used to build PyTorch"),
    )


_GPU = re.compile(r"^GPU \d+: (.+)$", re.MULTILINE)


def _line(text: str, name: str) -> str | None:
    found = re.search(rf"^\s*{re.escape(name)}:\s*(.+)$", text, re.MULTILINE)
    value = found[1].strip() if found else None
    return None if value in (None, "", "N/A", "Could not collect") else value


FORMAT = FileFormat("lm-eval", "lm-eval results", recognizes, read)
