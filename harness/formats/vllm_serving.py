"""JSON of `vllm bench serve` (before: benchmark_serving.py), and of tools that write its numbers in seconds without `_ms`.

Latencies are what a client sees under load, waiting and network included. Medians and percentiles that stand there without
their samples keep their own part, as `stat:p99`. `concurrency` and `request_rate` tell runs apart; failed requests are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from harness.core.outcome import Protocol
from harness.formats.fields import MS, Fields
from harness.formats.records import UNKNOWN, FileContents, FileFormat, Found, Number, given, numbers, place
from harness.formats.source import FileSource

_LATENCIES = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2el": "e2e_latency", "e2e_latency": "e2e_latency"}
_LATENCY = re.compile(r"^(mean|median|std|max|p\d+(?:\.\d+)?)_(ttft|tpot|itl|e2el|e2e_latency)(_ms)?$")
_PER_REQUEST = {"ttft": "ttfts", "itl": "itls", "e2el": "latencies", "e2e_latency": "latencies"}
_ENGINES = {
    "vllm": "vllm", "sglang": "sglang", "sglang-native": "sglang", "tgi": "tgi", "lmdeploy": "lmdeploy",
    "tensorrt-llm": "tensorrt-llm", "deepspeed-mii": "deepspeed-mii", "llama.cpp": "llama.cpp",
}  # fmt: skip
_FACTS = (
    "backend", "endpoint_type", "label", "tokenizer_id", "num_prompts", "request_rate", "burstiness", "max_concurrency",
    "ramp_up_strategy", "ramp_up_start_rps", "ramp_up_end_rps", "completed", "failed", "total_input_tokens",
    "total_output_tokens", "max_concurrent_requests",
)  # fmt: skip
LISTS = (
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "latencies",
    "start_times",
    "queue_times",
    "generated_texts",
    "errors",
)


def recognizes(source: FileSource) -> bool:
    """Tell the tool's objects by what every version of it has."""
    wanted = {"request_throughput", "total_input_tokens", "completed"}
    return bool(source.records) and all(wanted <= record.keys() for record in source.records)


def read(source: FileSource) -> FileContents:
    """Read every object as a run (a file that was appended to holds several)."""
    fields = [Fields(record, source, f"result {place}: ") for place, record in enumerate(source.records, 1)]
    runs = tuple(_run(one) for one in fields)
    return FileContents(runs, tuple(dict.fromkeys(name for one in fields for name in one.left)))


def _run(fields: Fields) -> Found:
    completed = int(fields.number("completed") or 0)
    if completed <= 0:
        raise fields.wrong("no request was completed, so nothing was measured")
    duration = fields.number("duration")
    found = numbers(*throughputs(fields, completed), *latencies(fields, completed, duration))
    fields.no_matter(*LISTS)
    backend = str(fields.value("backend") or fields.value("endpoint_type") or "")
    return Found(
        kind="speed",
        probe="serving",
        workload=given(
            prompt=mean_tokens(fields, "total_input_tokens", completed),
            output=mean_tokens(fields, "total_output_tokens", completed),
            concurrency=fields.whole("max_concurrency"),
            request_rate=rate(fields),
        ),
        engine=_ENGINES.get(backend, UNKNOWN),
        numbers=found,
        protocol=Protocol(name="vllm-serving", version=0, facts=fields.facts(_FACTS)),
        environment=place(),
        labels=given(model=fields.text("model_id") or fields.text("model")),
        started=_date(fields),
        seconds=duration or 0.0,
    )


def throughputs(fields: Fields, completed: int) -> Iterator[Number | None]:
    """Read rates over the whole run."""
    for name, metric in (
        ("request_throughput", "request_throughput"),
        ("input_throughput", "input_tps"),
        ("output_throughput", "output_tps"),
        ("total_token_throughput", "total_tps"),
        ("total_throughput", "total_tps"),
    ):
        yield fields.metric(name, metric, n=completed or None)


def latencies(fields: Fields, completed: int, duration: float | None) -> Iterator[Number | None]:
    """Read means and other statistics of what clients waited; only means have their samples."""
    for name in fields.names:
        if (found := _LATENCY.match(name)) is None or fields.value(name) is None:
            continue
        statistic, what, unit = found.groups()
        number = fields.metric(name, _LATENCIES[what], MS if unit else 1.0)
        if number is not None and number.value > 1.001 * (duration or number.value) and statistic != "std":
            raise fields.wrong(
                f"'{name}' is {number.value:g} s, longer than the whole run of {duration:g} s: another unit?"
            )
        yield _with_samples(fields, number, statistic, what, completed)


def _with_samples(fields: Fields, number: Number | None, statistic: str, what: str, completed: int) -> Number | None:
    from dataclasses import replace

    if number is None or statistic != "mean":
        part = {"std": "stdev", "median": "p50"}.get(statistic, statistic)
        return number and replace(number, slice=f"stat:{part}", n=completed or None)
    samples = _samples(fields, what, completed)
    return replace(number, samples=samples, n=len(samples) or (None if what == "itl" else completed or None))


def _samples(fields: Fields, what: str, completed: int) -> tuple[float, ...]:
    """Give what a detailed file holds per request; none where it cannot be told which requests were completed."""
    raw: Any = fields.value(_PER_REQUEST.get(what, "")) if what in _PER_REQUEST else None
    errors: Any = fields.value("errors")
    if not isinstance(raw, list):
        return ()
    if isinstance(errors, list) and len(errors) == len(raw):
        raw = [item for item, error in zip(raw, errors, strict=True) if not error]
    if len(raw) != completed:
        return ()
    return fields.listed(_PER_REQUEST[what], raw)


def mean_tokens(fields: Fields, name: str, completed: int) -> int | float | None:
    """Give tokens per request from the sums of the file."""
    total = fields.number(name)
    if total is None or not completed:
        return None
    mean = total / completed
    return int(mean) if mean.is_integer() else mean


def rate(fields: Fields) -> str | float | None:
    """Give the requests per second that were sent; a rate without limit is `inf`."""
    found = fields.value("request_rate")
    return None if found is None else str(found) if str(found) in {"inf", "Infinity"} else fields.whole("request_rate")


def _date(fields: Fields) -> datetime | None:
    text = fields.text("date")
    try:
        return datetime.strptime(text, "%Y%m%d-%H%M%S") if text else None  # noqa: DTZ007 - the file gives no zone
    except ValueError:
        raise fields.wrong(f"'date' is {text}, which is not a date of the form 20260131-235959") from None


FORMAT = FileFormat("vllm-serving", "vLLM serving benchmark", recognizes, read)
