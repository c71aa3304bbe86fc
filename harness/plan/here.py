"""What of a plan depends on the machine that it is made on, and on the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.core.model_record import ModelRecord
from harness.core.seam import Facts
from harness.core.sessions import Reach
from harness.plan.keys import exact
from harness.plan.sweep import Case


def gpus_of(environments: Mapping[str, Facts | None]) -> tuple[str, ...]:
    """Name the GPUs of these environments, each once."""
    return tuple(dict.fromkeys(gpu for facts in environments.values() if facts for gpu in facts.gpus))


def other_gpu(case: Case, gpus: Iterable[str]) -> str | None:
    """Name the GPU that a case belongs to where this machine has no such one; words must match whole."""
    if case.gpu is None:
        return None
    wanted = _words(case.gpu)
    return None if any(wanted <= _words(name) for name in gpus) else case.gpu


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))


def too_long(reach: Reach, record: ModelRecord) -> str | None:
    """Say why work reaches beyond the model's context; None where it does not."""
    if record.context is None or reach.total <= record.context:
        return None
    if not reach.prompt:
        return (
            f"window {reach.total} is longer than the model's context of {record.context} tokens; give a smaller window"
        )
    output = reach.total - reach.prompt
    return f"prompt {reach.prompt} and output {output} do not fit the model's context of {record.context}; ask for less"


def sources_of(environments: Mapping[str, Facts | None]) -> tuple[tuple[str, str, str], ...]:
    """List what the environments hold that was installed from a file or a source."""
    return tuple(
        (name, package, version)
        for name, facts in sorted(environments.items())
        for package, version in sorted(facts.packages.items() if facts else ())
        if package in exact(facts.packages if facts else {})
    )
