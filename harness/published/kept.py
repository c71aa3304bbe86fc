"""What of a run is published, as a list of names: whatever is not in it stays where it was measured."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.core.outcome import Environment, Outcome
from harness.core.spec import JsonObject
from harness.environments import LOCKS
from harness.plan.keys import OURS, exact
from harness.probes.facts import FACTS
from harness.tables.columns import PACKAGES
from harness.tables.formats import without_paths

KeptFields = Mapping[str, Any] | None
"""Names to what is kept below them, None for all of it."""


def _all(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


_NOTE = _all("code", "text")
_PROVENANCE = _all(
    "kind", "model", "method", "hub", "revision", "seed", "trained_positions", "quantized", "architecture", "file", "name",
    "package", "package_sha256", "sha256",
)  # fmt: skip
_INPUT = {**_all("role", "id", "content", "engine", "engine_options"), "provenance": _PROVENANCE}
_SCHEME = _all("text", "bits_per_weight")
_EXECUTED = _all("text", "weights", "compute", "attention", "nodes", "elsewhere")
_SPEC = _all(
    "quantizer", "probe", "version", "options", "workload", "engine", "engine_version", "engine_options", "reference_engine",
    "model", "base", "artifact", "reference", "contents",
)  # fmt: skip
JOB: Mapping[str, Any] = {
    **_all("kind", "labels"),
    "spec": _SPEC,
    **_all("environment", "session", "round", "order", "timeout_seconds", "clean", "declared", "not_before"),
    "notes": _NOTE,
    "inputs": _INPUT,
    **_all("key", "artifact", "content_before", "output"),
}
ARTIFACT: Mapping[str, Any] = {
    **_all("id", "content", "bytes", "files", "weights_bytes", "format", "seconds", "peak_rss_bytes", "layers"),
    "scheme": _SCHEME,
    "facts": _all(
        "calibration", "extra_options", "parameters", "random_seed", "bos_token_id", "eos_token_id", "pad_token_id"
    ),
}
PROTOCOL: Mapping[str, Any] = {
    **_all("name", "version", "scored", "skipped", "truncated", "limit", "warmups", "repetitions", "dtype", "bos"),
    **_all("prompt_tokens", "beyond_trained", "gpu_count"),
    "facts": _all(*FACTS),
}
OUTCOME: Mapping[str, Any] = {
    **_all("status", "reason", "started", "seconds", "provider", "written_by"),
    "protocol": PROTOCOL,
    "artifact": ARTIFACT,
    "scheme": _SCHEME,
    "executed": _EXECUTED,
    "inputs": _INPUT,
    "notes": _NOTE,
    "spans": None,
}
MEASUREMENT: Mapping[str, Any] = {
    **_all("metric", "part", "value", "unit", "low", "high", "interval", "n", "metric_version", "source", "better"),
    **_all("items", "samples", "comparison", "baseline"),
    "array": _all("name", "sha256", "shape", "dtype"),
}
ENVIRONMENT: Mapping[str, Any] = {
    **_all("name", "python", "system", "machine", "cpu", "cores", "memory_bytes", "box"),
    "gpus": _all("name", "memory_bytes", "driver", "clocks_mhz", "persistence", "compute"),
    **_all("cuda", "harness", "threads", "packages"),
}
_ABSOLUTE = re.compile(r"(?:/|~/|[A-Za-z]:[/\\]|\\\\)[^\n]*$")
"""A text that is an absolute path as a whole: of POSIX, below the home folder, of a drive, or of a share."""


@dataclass(frozen=True)
class KeptRun:
    """What is published of an outcome, but for its environment; no path is among it."""

    job: JsonObject
    outcome: JsonObject
    """With inputs only where they are not those of the job."""
    measurements: tuple[JsonObject, ...]


def kept_run(outcome: Outcome) -> KeptRun:
    """Return what is published of an outcome: what is listed, paths in texts cut to their last name.

    So the key stays the hash of a specification that may have named a folder.
    """
    raw: dict[str, Any] = json.loads(outcome.model_dump_json(exclude_defaults=True, exclude={"environment"}))
    known = sorted(_absolute([raw["job"]["spec"], raw["job"].get("inputs"), raw.get("inputs")]), key=len)
    found: dict[str, Any] = _cut(_listed(raw, {**OUTCOME, "job": JOB, "measurements": MEASUREMENT}), known[::-1])
    job, measurements, inputs = found.pop("job"), found.pop("measurements", []), found.pop("inputs", [])
    if inputs != job.get("inputs", []):
        found["inputs"] = inputs
    return KeptRun(job, found, tuple(measurements))


def kept_environment(environment: Environment) -> JsonObject:
    """Return what is published of an environment: of its packages those that are public, by our locks or an address's commit."""
    raw: dict[str, Any] = json.loads(environment.model_dump_json(exclude_defaults=True))
    found: dict[str, Any] = _listed(raw, ENVIRONMENT)
    public = _public() | exact(environment.packages)
    packages = {name: version for name, version in found.pop("packages", {}).items() if name in public}
    return found | ({"packages": packages} if packages else {})


@lru_cache(maxsize=1)
def _public() -> frozenset[str]:
    """Name the packages that a lock of ours pins, and those that can change a number: whatever else is installed is nobody's business."""
    lines = [line for path in sorted(LOCKS.glob("*.txt")) for line in path.read_text("utf-8").splitlines()]
    return frozenset({line.partition("==")[0].partition("[")[0].strip() for line in lines if "==" in line}) | {
        *PACKAGES,
        OURS,
    }


def _listed(value: Any, names: KeptFields) -> Any:
    """Return the parts of a JSON value whose names are listed; those of a list, of each of its items."""
    if names is None:
        return value
    if isinstance(value, list):
        return [_listed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _listed(value[name], below) for name, below in names.items() if name in value}


def _absolute(value: Any) -> set[str]:
    """Collect the texts that are absolute paths as a whole, on any system."""
    if isinstance(value, dict | list):
        return {path for part in (value.values() if isinstance(value, dict) else value) for path in _absolute(part)}
    return {value} if isinstance(value, str) and _ABSOLUTE.match(value) else set()


def _cut(value: Any, known: Sequence[str]) -> Any:
    """Cut paths to their last name, first those that are known, whose names may hold spaces."""
    if isinstance(value, dict):
        return {name: _cut(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [_cut(part, known) for part in value]
    if not isinstance(value, str):
        return value
    for path in known:
        name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
        if value == path:
            return f"./{name}"  # still a file, and no name of ours
        value = value.replace(path, name)
    return without_paths(value)
