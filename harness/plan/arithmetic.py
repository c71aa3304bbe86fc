"""How long a job would take where nothing like it ever ran: from what it reads, computes and writes, and from rates of devices. Pure.

Formulas, with P weights of a model in W bytes, F floating-point operations and B bytes of memory a second:

    a token that is read (prefill, scoring, calibration)    2 P operations
    a step that generates a token for each of a batch       2 P batch operations, and W bytes from memory
    opening an artifact                                     W bytes from disk, and the start of a process
    a build                                                 the model from disk and the artifact to it, and operations for each weight

Seconds are operations / F + bytes / B + bytes of the disk / its rate + calls of the model x what a call costs. That is a roofline (Williams, Waterman,
Patterson: Roofline, CACM 52(4), 2009) whose two sides are added instead of the longer taken, with the share of the data sheets' rates that libraries reach.
Attention over long contexts, caches and batches that fill up over time are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rates:
    """What a device reaches."""

    name: str
    flops: float
    """Floating-point operations a second: of GPUs FP16 on dense matrices with tensor cores, of CPUs float32."""
    memory: float
    """Bytes a second from its memory."""
    call_seconds: float
    """What a call of a model costs whatever is in it."""
    start_seconds: float
    """Until a process has its libraries and the device."""


def _gpu(name: str, tera_flops: float, giga_bytes: float) -> Rates:
    return Rates(name, tera_flops * 1e12, giga_bytes * 1e9, call_seconds=0.002, start_seconds=5.0)


GPUS = (
    _gpu("T4", 65, 320), _gpu("A10", 125, 600), _gpu("A100", 312, 1555), _gpu("L4", 121, 300), _gpu("L40S", 362, 864),
    _gpu("RTX 6000 Ada", 182, 960), _gpu("RTX 4090", 165, 1008), _gpu("RTX 5090", 210, 1792), _gpu("H100", 989, 3350),
    _gpu("H200", 989, 4800), _gpu("B200", 2250, 8000),
)  # fmt: skip
"""Peaks of NVIDIA's data sheets and architecture white papers: FP16 with FP32 accumulation, without sparsity, and memory bandwidth."""
REACHED_FLOPS, REACHED_MEMORY = 0.35, 0.6
"""Shares of those peaks that inference of one model reaches."""
ASSUMED = "RTX 4090"
"""GPU that is reckoned with where a job is for any and the machine has none that is known."""
EAGER_CALL_SECONDS = 0.02
"""What a call costs on a GPU where Python launches each operation; graphs of a runtime cost a tenth."""
_CORE_FLOPS, _CORE_MEMORY, _MOST_MEMORY = 40e9, 5e9, 100e9
"""Of a processor's core in float32: half of what two cores of a server (AVX-512) reached with a model of 57 M weights: 160 GFLOP/s, 27 GB/s."""
DISK = 0.5e9
"""Bytes a second, read and written."""
NETWORK = 25e6
"""Bytes a second from the hub."""
WEIGHT_OPERATIONS = 3000
"""Operations that a build spends on each weight: rounding, checks and hashes in one thread; of a processor, whatever the job's device."""
CALIBRATION_TOKENS = 512
"""Of each calibration text."""
TOKEN_BYTES = 4
TEXT_BYTES = 1_300_000
"""Of a text that is not here: wikitext-2's test set."""
_TILE = 256
_MMLU, _SUBJECTS = 14_042, 57
_SHIPPED_SUBJECTS, _SHIPPED_EACH, _SHIPPED_TOKENS = 8, 60, 40
_QUESTION_TOKENS = 110
"""Of a question of MMLU with its choices, and of each example."""
_REQUESTS = 200
"""That a program makes of which nothing is known."""
_CHECK_TOKENS = 2_000
"""That a verification reads."""


@dataclass(frozen=True)
class OpenedModel:
    """A model or artifact as a job finds it."""

    parameters: float
    bytes: float


@dataclass(frozen=True)
class ReckonedWork:
    """What a job does."""

    operations: float = 0.0
    memory_bytes: float = 0.0
    calls: float = 0.0
    disk_bytes: float = 0.0
    weight_operations: float = 0.0
    """In one thread of a processor."""

    def seconds(self, rates: Rates) -> float:
        """Reckon its seconds on a device, without opening."""
        device = self.operations / rates.flops + self.memory_bytes / rates.memory + self.calls * rates.call_seconds
        return device + self.disk_bytes / DISK + self.weight_operations / _CORE_FLOPS


def cpu(cores: int) -> Rates:
    """Give rates of a processor, carefully."""
    name = f"this CPU ({cores} cores)"
    return Rates(
        name, cores * _CORE_FLOPS, min(cores * _CORE_MEMORY, _MOST_MEMORY), call_seconds=0.0002, start_seconds=3.0
    )


def gpu(name: str) -> Rates | None:
    """Find a GPU by a name that holds all words of one that is known; of several the longest. None where it is not known."""
    words = set(name.replace("-", " ").lower().split())
    fits = [one for one in GPUS if set(one.name.lower().split()) <= words]
    best = max(fits, key=lambda one: len(one.name), default=None)
    if best is None:
        return None
    return Rates(
        best.name, best.flops * REACHED_FLOPS, best.memory * REACHED_MEMORY, best.call_seconds, best.start_seconds
    )


def opening(opened: OpenedModel, rates: Rates) -> float:
    """Reckon the seconds until a process has opened an artifact."""
    return rates.start_seconds + opened.bytes / DISK


def measuring(
    probe: str, workload: Mapping[str, Any], opened: OpenedModel, text_bytes: int | None = None
) -> ReckonedWork | None:
    """Reckon what a probe does; None where that hangs on what only its task or program knows.

    workload: every field of it, defaults included. text_bytes: size of the text, None where it is not here.
    """
    if probe == "command":
        return _program(workload, opened)
    if probe in {"verify", "verify_reference"}:
        return scoring(opened, _CHECK_TOKENS)
    if "output" in workload and "batch" in workload:
        repetitions = workload.get("warmup", 0) + workload.get("repetitions", 1)
        found = generating(opened, workload["batch"], workload["prompt"], workload["output"], repetitions)
        more = scoring(opened, workload["batch"] * (workload["prompt"] + workload["output"]))
        return _sum(found, more) if probe == "output_check" else found
    if "window" in workload:
        size = TEXT_BYTES if text_bytes is None else text_bytes
        tokens = workload.get("tokens") or size / TOKEN_BYTES
        return scoring(opened, tokens * workload["window"] / workload.get("stride", workload["window"]))
    if "shots" in workload:
        tokens = _of_questions(workload)
        return None if tokens is None else scoring(opened, tokens)
    return None


def generating(opened: OpenedModel, batch: int, prompt: int, output: int, repetitions: int) -> ReckonedWork:
    """Reckon repetitions of a generation: the first token comes of the prompt."""
    steps = repetitions * (output - 1)
    return ReckonedWork(
        operations=2 * opened.parameters * batch * (repetitions * prompt + steps),
        memory_bytes=steps * opened.bytes,
        calls=steps + repetitions,
    )


def scoring(opened: OpenedModel, tokens: float) -> ReckonedWork:
    """Reckon reading tokens, in tiles of 256."""
    return ReckonedWork(operations=2 * opened.parameters * tokens, calls=tokens / _TILE)


def building(model: OpenedModel, written: float, texts: int = 0, passes: int = 1) -> ReckonedWork:
    """Reckon a build that reads a model and writes an artifact (bytes), and runs calibration texts through the model."""
    calibrated = scoring(model, texts * CALIBRATION_TOKENS * passes)
    return ReckonedWork(
        operations=calibrated.operations, calls=calibrated.calls, disk_bytes=2 * model.bytes + 2 * written,
        weight_operations=WEIGHT_OPERATIONS * model.parameters,
    )  # fmt: skip


def layers(parameters: float) -> int:
    """Guess the layers of a transformer whose width is 128 times their number: 12 width^2 weights in each."""
    return max(1, round(float((parameters / (12 * 128**2)) ** (1 / 3))))


def _program(workload: Mapping[str, Any], opened: OpenedModel) -> ReckonedWork | None:
    """Reckon a program that serves requests in batches."""
    prompt, output, batch = workload.get("prompt"), workload.get("output"), workload.get("batch") or 1
    if not prompt or not output:
        return None
    return generating(opened, batch, prompt, output, -(-_REQUESTS // batch))


def _of_questions(workload: Mapping[str, Any]) -> float | None:
    """Count the tokens of questions with their examples; None for a task that is neither shipped nor MMLU."""
    task, questions, limit = workload.get("task", "mmlu"), workload.get("questions"), workload.get("limit")
    known = task in {"reference", "mmlu"}
    if not known and not limit:
        return None
    if "reference" in {task, questions}:
        count, each = _SHIPPED_SUBJECTS * (limit or _SHIPPED_EACH), _SHIPPED_TOKENS
    else:
        count, each = (min(_MMLU, _SUBJECTS * limit) if limit else _MMLU), _QUESTION_TOKENS
    return float(count * each * (1 + (workload.get("shots") or 0)))


def _sum(one: ReckonedWork, other: ReckonedWork) -> ReckonedWork:
    return ReckonedWork(*(getattr(one, name) + getattr(other, name) for name in ReckonedWork.__dataclass_fields__))
