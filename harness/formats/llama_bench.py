"""JSON, JSON lines and CSV of llama.cpp's `llama-bench`.

A test is of prompt processing, of generation or of both, always with one sequence; `n_batch` is how a prompt is cut and no
batch. Its settings are engine options, `n_depth` is `depth`. Tokenization and sampling are not timed. A rate is the mean over repetitions of tokens / seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harness.core.outcome import Gpu, Protocol
from harness.formats.fields import Fields, without_folders
from harness.formats.kept import LLAMA_BENCH
from harness.formats.records import UNKNOWN, FileContents, FileFormat, Found, Number, given, numbers, place
from harness.formats.source import FileSource

_NS = 1e-9
_SHAPE = frozenset({"n_prompt", "n_gen", "avg_ts", "model_filename"})
_MODEL = ("model_type", "model_size", "model_n_params")


def recognizes(source: FileSource) -> bool:
    """Tell the tool's objects by the fields that every version of it has."""
    return bool(source.records) and all(record.keys() >= _SHAPE for record in source.records)


def read(source: FileSource) -> FileContents:
    """Read every test as a run; what is known to say how it ran is an option of the engine."""
    names = _names(source)
    fields = [Fields(record, source, f"test {place}: ") for place, record in enumerate(source.records, 1)]
    runs = [_run(one, names[_model(record)]) for one, record in zip(fields, source.records, strict=True)]
    return FileContents(tuple(runs), tuple(dict.fromkeys(name for one in fields for name in one.left)))


def _model(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell a model by its file's name, its type and its size; folders tell it apart from nothing."""
    file = without_folders(str(record.get("model_filename") or "")).replace("\\", "/").rsplit("/", 1)[-1]
    return (file.removesuffix(".gguf"), *(str(record.get(name) or "") for name in _MODEL))


def _names(source: FileSource) -> dict[tuple[str, ...], str]:
    """Call each model by its file's name, or where several models' files have one name, by as much more as is needed."""
    models = list(dict.fromkeys(_model(record) for record in source.records))
    names = {}
    for model in models:
        alike = [other for other in models if other[0] == model[0]]
        typed = [other for other in alike if other[1] == model[1]]
        short = model[0] or model[1] or UNKNOWN
        names[model] = short if len(alike) == 1 else model[1] if len(typed) == 1 and model[1] else " ".join(model)
    return names


def _run(fields: Fields, name: str) -> Found:
    prompt, output = fields.whole("n_prompt"), fields.whole("n_gen")
    fields.no_matter("model_filename")
    commit, build = fields.text("build_commit"), fields.text("build_number")
    backend, date = fields.text("backends"), fields.text("test_time")
    found = _numbers(fields, bool(prompt), bool(output))
    gpus, cpu = _gpus(fields), fields.text("cpu_info")
    depth, facts = fields.whole("n_depth"), fields.facts(_MODEL)
    version = f"b{build}@{commit}" if build and commit else build or commit
    return Found(
        kind="speed",
        probe="generation",
        workload=given(batch=1, prompt=prompt, output=output, depth=depth),
        engine="llama.cpp",
        engine_options=fields.facts_among(LLAMA_BENCH),
        numbers=found,
        protocol=Protocol(
            name="llama-bench",
            version=0,
            repetitions=max((len(number.samples) for number in found), default=0) or None,
            facts=facts,
        ),
        environment=place(gpus, {"llama.cpp": version}, cpu=cpu),
        labels={"model": name},
        provider=backend,
        started=_date(date, fields),
        version=f"llama.cpp {version}" if version else None,
    )


def _gpus(fields: Fields) -> tuple[Gpu, ...]:
    """Name the GPUs that the tool saw; several are joined by commas."""
    return tuple(Gpu(name=name.strip()) for name in (fields.text("gpu_info") or "").split(",") if name.strip())


def _numbers(fields: Fields, reads: bool, writes: bool) -> tuple[Number, ...]:
    rate, time = _METRICS[reads, writes]
    return numbers(*_pair(fields, "ts", rate, 1.0), *_pair(fields, "ns", time, _NS))


_METRICS = {
    (True, False): ("prefill_tps", "prefill_latency"),
    (False, True): ("decode_tps", "decode_latency"),
    (True, True): ("total_tps", "e2e_latency"),
    (False, False): ("total_tps", "e2e_latency"),
}


def _pair(fields: Fields, name: str, metric: str, scale: float) -> tuple[Number | None, ...]:
    samples = fields.samples(f"samples_{name}", scale)
    mean = fields.metric(f"avg_{name}", metric, scale, samples=samples)
    many: dict[str, Any] = {"n": len(samples) or None}
    return mean, fields.metric(f"stddev_{name}", metric, scale, slice="stat:stdev", **many)


def _date(text: str | None, fields: Fields) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise fields.wrong(f"'test_time' is {text}, which is not a date") from None


FORMAT = FileFormat("llama-bench", "llama.cpp llama-bench", recognizes, read)
