"""Explanations as text for a terminal. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.explain.arithmetic import Arithmetic, Term, digits
from harness.explain.cell import Explanation
from harness.explain.facts import EnvironmentText, Harness, Measured, OverRounds, Provenance, Read
from harness.numbers.rounds import INTERVAL

_SHORT = 12
"""Hex digits of an identity; --json gives all."""


def as_text(found: Explanation) -> str:
    """Write an explanation as lines, none of them wrapped."""
    lines = [_title(found)]
    lines += [f"  {found.text}"] if found.text else []
    lines += [f"  {found.said}"]
    lines += [f"  footnote: {found.footnote}"] if found.footnote else []
    lines += [f"  catalogue: {_pairs(found.entry)}"] if found.entry else []
    if found.arithmetic is not None:
        lines += ["", "Arithmetic", *_indented(_arithmetic(found.arithmetic))]
    environments: dict[str, str] = {}
    for one in (*found.inputs, *found.behind):
        lines += ["", *_run(one, environments)]
    return "\n".join(lines)


def _title(found: Explanation) -> str:
    place = f"{found.place}: " if found.place else ""
    named = [*found.headings, found.row]
    row = " / ".join(part for part in named if part)
    parts = [f"table {found.table}", row and f"row '{row}'", found.column and f"column '{found.column}'"]
    return place + ", ".join(part for part in parts if part)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _pairs(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in fields.items() if value not in (None, "", {}, []))


def _short(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


# ---------------------------------------------------------------- arithmetic


def _arithmetic(done: Arithmetic) -> list[str]:
    part = f", part '{done.slice}'" if done.slice else ""
    better = f"; {done.better} is better" if done.better != "none" else ""
    lines = [f"metric {done.metric}{part}: {done.definition}{better}"]
    if done.published:
        without = ", without its inputs" if done.published_inputs is None else ""
        lines += [f"{done.comparison}: {done.formula}, published as it stands{without}"]
    else:
        taken = "the digits that the table displays" if done.inputs == "displayed" else "raw values"
        of = f"; {done.stat} of the samples" if done.stat else ""
        how = "the value itself" if done.comparison == "value" else f"{done.formula}, from {taken}"
        lines += [f"{done.comparison}: {how}{of}"]
    lines += [_term(term, done) for term in done.terms]
    lines += [done.equation] if len(done.terms) > 1 or done.published else []
    lines += [f"as '{done.format}': {done.rounding}: {done.number}"]
    if done.low is not None and done.high is not None:
        lines += [f"interval {digits(done.low)} to {digits(done.high)}: {done.interval}"]
    lines += [f"beside it: {done.beside}"] if done.beside else []
    return lines if done.agrees else [*lines, "THIS IS NOT WHAT STANDS IN THE CELL"]


def _term(term: Term, done: Arithmetic) -> str:
    unit = f" {term.unit}" if term.unit else ""
    stored = f"{done.stat} of the samples" if done.stat else f"{digits(term.stored)} {term.stored_unit}".rstrip()
    how = f" x {digits(term.factor)}" if term.factor != 1 else ""
    moved = ", as displayed" if done.inputs == "displayed" else ""
    if term.at_1ms is not None:
        moved += f" by the seconds that passed, {digits(term.at_1ms)} at a pace of 1 ms; moved to the pace that both sides share"
    came = f" ({stored}{how}{moved})" if how or moved or done.stat else ""
    gpus = f" on {term.gpus} GPUs" if term.gpus != 1 else ""
    if term.rounds is not None:
        over = f"mean over {term.rounds} processes" if term.rounds > 1 else "of one process"
        return f"{term.role} {digits(term.value)}{unit}{came}{gpus}, {over}, the last in run {term.run}"
    return f"{term.role} {digits(term.value)}{unit}{came}{gpus}, measurement {term.measurement}"


# ---------------------------------------------------------------- runs


def _run(one: Provenance, environments: dict[str, str]) -> list[str]:
    """Tell of a run; an environment that was told before is only named."""
    reason = f": {one.reason}" if one.reason else ""
    heading = f"{one.role.capitalize()}: run {one.run}, {one.kind}, {one.status}{reason}"
    if one.origin != "measured":
        lines = [f"{one.origin}, not measured: {_citation(one.citation)}", f"published {one.started[:10]}"]
        if one.origin == "imported":
            lines[1] = f"dated {one.started}"
    else:
        rerun = f" (anew: {one.rerun})" if one.rerun != one.command else ""
        command = f"{one.command}{rerun}" if one.command else "the sweep's name is not kept"
        lines = [
            f"measured {one.started} in {one.seconds:.1f} s, session {one.session or 'not kept'}",
            f"command: {command}",
        ]
    lines += [f"what: {_pairs(one.labels)}"] if one.labels else []
    lines += _rounds(one.over_rounds) if one.over_rounds else []
    lines += _measured(one.measured, one.origin) if one.measured else []
    lines += [_recipe(one)]
    lines += [f"protocol: {_pairs(one.protocol)}"] if one.protocol else []
    lines += _executed(one.executed) if one.executed else []
    lines += [_read(read, one) for read in one.artifacts]
    lines += [_environment(one.environment, environments, one.run)]
    lines += [f"harness: {_harness(one.harness)}"] if one.harness else []
    lines += [f"note: {note}" for note in one.notes]
    lines += [f"left out: {one}" for one in one.left_out]
    return [heading, *_indented(lines)]


def _executed(ran: Mapping[str, Any]) -> list[str]:
    """Tell what really ran, and of a graph its nodes by provider."""
    nodes = ran.get("nodes", {})
    return [
        f"executed: {ran['text']}",
        *(f"  {sum(kinds.values())} nodes on {name}: {_counted(kinds)}" for name, kinds in nodes.items()),
    ]


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} x{count}" for kind, count in sorted(kinds.items(), key=lambda one: (-one[1], one[0])))


def _rounds(found: OverRounds) -> list[str]:
    """Tell each process's value and what went on meanwhile."""
    unit = f" {found.unit}" if found.unit else ""
    interval = "no interval below three processes"
    if found.low is not None and found.high is not None:
        interval = f"{digits(found.low)} to {digits(found.high)}, {INTERVAL}"
    count = len(found.processes)
    lines = [
        f"over {count} process{'es' if count > 1 else ''} of the session: {digits(found.value)}{unit} [{interval}]"
    ]
    for one in found.processes:
        around = f"; {_pairs(one.conditions)}" if one.conditions else ""
        noted = f"; {'; '.join(one.notes)}" if one.notes else ""
        pace = "" if one.at_1ms is None else f" ({digits(one.at_1ms)} at a pace of 1 ms)"
        lines.append(
            f"  round {one.round + 1}: {digits(one.value)}{unit}{pace}, {one.started}, run {one.run}{around}{noted}"
        )
    return [*lines, *(f"mark: {mark}" for mark in found.marks)]


def _citation(cited: Mapping[str, str]) -> str:
    first = ", ".join(cited[name] for name in ("title", "version", "url") if name in cited)
    more = [f"{name} {cited[name]}" for name in ("configuration", "file", "sha256") if name in cited]
    return "; ".join([first, *more])


def _measured(item: Measured, origin: str) -> list[str]:
    unit = f" {item.unit}" if item.unit else ""
    interval = "no interval"
    if item.low is not None and item.high is not None:
        interval = f"{digits(item.low)} to {digits(item.high)}, {item.interval or 'kind not told'}"
    source = f", counted by {item.source}" if item.source else ""
    version = f" v{item.metric_version}" if item.metric_version else ""
    counted = f", n {item.n}" if origin != "reported" else ""
    what, said = f"{item.metric}{version}", f"{digits(item.value)}{unit}"
    if item.comparison is not None:
        what, said = f"{item.comparison.replace('_', ' ')} of {what}{_against(item)}", f"{said} as published"
    lines = [f"{what}: {said} [{interval}]{counted}{source}"]
    shape = " x ".join(str(size) for size in item.shape)
    if item.samples:
        lines += [f"samples ({item.kept}): {', '.join(digits(value) for value in item.samples)}"]
    elif item.summary:
        summary = ", ".join(f"{name} {digits(value)}" for name, value in item.summary.items())
        lines += [f"samples {shape} ({item.kept}): {summary}"]
    else:
        lines += [f"samples: {item.kept}"]
    return lines


def _against(item: Measured) -> str:
    return f" to {', '.join(f'{name} {value}' for name, value in item.baseline.items())}" if item.baseline else ""


def _recipe(one: Provenance) -> str:
    recipe = one.recipe
    options = _short(dict(recipe.options)) if recipe.options else "default options"
    version = f" v{recipe.version}" if recipe.version else ""
    if recipe.does == "build":
        return f"recipe: quantizer {recipe.name}{version}, {options}"
    work = f" {_pairs(recipe.workload)}" if recipe.workload else ""
    engine = f"engine {recipe.name}{version}, {options}" if one.origin == "measured" else f"engine {recipe.name}"
    ran = f", ran on {one.environment.provider}" if one.environment.provider else ""
    return f"recipe: probe {recipe.probe}{work}; {engine}{ran}"


def _read(read: Read, one: Provenance) -> str:
    facts = f" ({_pairs(read.facts)})" if read.facts else ""
    content = f", content {read.content[:_SHORT]}" if read.content else ""
    if read.role == "made":
        return f"made artifact {read.id[:_SHORT]}{content}{facts}"
    maker = f", made by run {read.made_by}" if read.made_by and read.made_by != one.run else ""
    return f"reads {read.role} {read.id[:_SHORT]}{content}{maker}{facts}"


def _environment(where: EnvironmentText, environments: dict[str, str], run: str) -> str:
    text = ", ".join(_parts(where))
    if text in environments:
        return f"environment: as of run {environments[text]}"
    environments[text] = run
    return f"environment: {text}"


def _parts(where: EnvironmentText) -> list[str]:
    cpu = f"{where.cpu} ({where.cores} cores)" if where.cores else where.cpu
    memory = f"{where.memory_bytes / 2**30:.1f} GiB memory" if where.memory_bytes else ""
    none = "no GPU" if where.cpu != "unknown" else "GPU not told"
    parts = [f"'{where.name}'", *(where.gpus or (none,)), where.driver and f"driver {where.driver}"]
    parts += [where.cuda and f"CUDA {where.cuda}"]
    parts += [cpu if cpu != "unknown" else "CPU not told", memory]
    parts += [where.system if where.system != "unknown" else "system not told"]
    parts += [f"Python {where.python}" if where.python != "unknown" else "Python not told"]
    parts += [f"{name} {version}" for name, version in where.packages.items()]
    parts += [f"{name}={value}" for name, value in where.threads.items()]
    return [part for part in parts if part]


def _harness(harness: Harness) -> str:
    tree = "tree was dirty" if harness.dirty else "tree was clean"
    return (
        f"{harness.version}, commit {harness.commit}, {tree}"
        if harness.commit
        else f"{harness.version}, commit not kept"
    )
