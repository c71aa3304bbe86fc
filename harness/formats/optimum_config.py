"""The configuration that stands in, or beside, the results of optimum-benchmark, from 2023 to 0.6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import limits
from harness.core.errors import ConfigError, Problem
from harness.core.files import regular_bytes
from harness.core.identity import file_sha256
from harness.core.outcome import Environment, Gpu
from harness.formats.fields import Fields
from harness.formats.kept import LIBRARIES, OPTIMUM
from harness.formats.records import UNKNOWN, given, place

_ENGINES = {
    "pytorch": "transformers",
    "llama_cpp": "llama.cpp",
    "tensorrt_llm": "tensorrt-llm",
    "tensorrt-llm": "tensorrt-llm",
}
_MB = 1_000_000


@dataclass(frozen=True)
class Setting:
    """What a configuration says of a run; most of it absent where there is no configuration."""

    labels: Mapping[str, str]
    workload: Mapping[str, Any]
    engine: str
    environment: Environment
    device: str | None
    dtype: str | None
    warmups: int | None
    gpu_count: int | None
    facts: Mapping[str, Any]


def setting(fields: Fields, beside: Path | None) -> Setting:
    """Read what lies below `config.`; `beside` is the file that it came from, where that is not the imported one."""
    scenario = (
        "config.scenario" if any(name.startswith("config.scenario") for name in fields.names) else "config.benchmark"
    )
    backend, dtype = (
        _text(fields, "config.backend.name"),
        _text(fields, "config.backend.torch_dtype", "config.torch_dtype"),
    )
    quantized = _text(fields, "config.backend.quantization_scheme")
    new = fields.whole(f"{scenario}.generate_kwargs.max_new_tokens")
    shapes = f"{scenario}.input_shapes"
    used = _text(fields, "config.backend.device_ids")
    return Setting(
        labels=given(model=_text(fields, "config.backend.model", "config.model"), method=quantized),
        workload=given(
            batch=fields.whole(f"{shapes}.batch_size"),
            prompt=fields.whole(f"{shapes}.sequence_length"),
            output=fields.whole(f"{scenario}.new_tokens") if new is None else new,
        ),
        engine=_ENGINES.get(backend or "", backend or UNKNOWN),
        environment=_environment(fields, backend),
        device=_text(fields, "config.backend.device", "config.device"),
        dtype=dtype,
        warmups=_count(fields, f"{scenario}.warmup_runs"),
        gpu_count=len(used.split(",")) if used else None,
        facts=_facts(fields, beside),
    )


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration beside results. Raises: ConfigError where it is no JSON or YAML object, or too large a one."""
    import yaml

    try:
        text = regular_bytes(path, limits.YAML_BYTES).decode("utf-8")
        raw = json.loads(text) if path.suffix == ".json" else _from_yaml(text)
        parts = limits.parts_of(raw, limits.YAML_PARTS)
    except RecursionError:
        raise ConfigError([Problem("is nested too deep; restore it or move it away", path)]) from None
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigError([Problem(f"cannot be read ({error}); restore it or move it away", path)]) from None
    if parts > limits.YAML_PARTS:
        most = f"written out, it has more than {limits.YAML_PARTS:,} parts; restore it or move it away"
        raise ConfigError([Problem(most, path)])
    if not isinstance(raw, dict):
        raise ConfigError([Problem("holds no settings; restore it or move it away", path)])
    return raw


def _from_yaml(text: str) -> Any:
    """Read YAML, first measuring how deep it is nested. Raises: YAMLError, RecursionError for what is too deep."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=base):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > limits.YAML_DEPTH:
            raise RecursionError
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
            raise yaml.YAMLError("a merge key '<<', which no such file has")  # it is written out while it is read
    return yaml.load(text, Loader=base)  # noqa: S506 - one of the safe loaders


def _text(fields: Fields, *names: str) -> str | None:
    """Give the first of these fields that holds more than a placeholder."""
    found = [fields.text(name) for name in names]
    return next((text for text in found if text and not text.startswith("${")), None)


def _count(fields: Fields, name: str) -> int | None:
    found = fields.number(name)
    return None if found is None else int(found)


def _environment(fields: Fields, backend: str | None) -> Environment:
    def text(name: str) -> str | None:
        return _text(fields, f"config.environment.{name}")

    memory = fields.number("config.environment.cpu_ram_mb")
    packages = {name.replace("_", "-"): _version(fields, name) for name in _libraries(fields)}
    if backend == "pytorch":
        packages["torch"] = _text(fields, "config.backend.version")
    return place(
        _gpus(fields),
        packages,
        python=text("python_version"),
        system=text("platform") or text("system"),
        machine=text("machine"),
        cpu=text("cpu"),
        cores=_count(fields, "config.environment.cpu_count"),
        memory_bytes=None if memory is None else int(memory * _MB),
    )


def _libraries(fields: Fields) -> list[str]:
    head, tail = "config.environment.", "_version"
    names = [name for name in fields.names if name.startswith(head) and name.endswith(tail)]
    return [library for name in names if (library := name.removeprefix(head).removesuffix(tail)) in LIBRARIES]


def _version(fields: Fields, library: str) -> str | None:
    version = _text(fields, f"config.environment.{library}_version")
    commit = _text(fields, f"config.environment.{library}_commit")
    return f"{version}@{commit}" if version and commit else version


def _gpus(fields: Fields) -> tuple[Gpu, ...]:
    found = fields.value("config.environment.gpus") or fields.value("config.environment.gpu") or []
    names = found if isinstance(found, list) else [found]
    fields.no_matter("config.environment.gpus", "config.environment.gpu", "config.environment.gpu_count")
    return tuple(Gpu(name=str(name).strip()) for name in names)


def _facts(fields: Fields, beside: Path | None) -> dict[str, Any]:
    """Keep the settings that are known and say something; placeholders and empty ones do not."""
    kept = fields.facts_among({f"config.{name}" for name in OPTIMUM}).items()
    facts = {name.removeprefix("config."): value for name, value in kept if not _empty(value)}
    return facts | ({"config_file": beside.name, "config_sha256": file_sha256(beside)} if beside else {})


def _empty(value: Any) -> bool:
    return value in ([], {}, "") or str(value).startswith("${")
