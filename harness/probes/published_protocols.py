"""Protocols of published pages that another program times by itself: what each fixes, and how a report is held against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.core.errors import HarnessError
from harness.core.options import told
from harness.core.reports import FixedWork, Reported
from harness.core.seam import MetricValue

_SLACK = 0.9
"""Which share of the seconds asked for a program's own timers must have seen: between two rounds it does other things."""


@dataclass(frozen=True)
class Fixed:
    """What a protocol fixes; only the batch, and the length of the prompt, are anybody's choice."""

    program: str
    """Engine that drives the program whose protocol it is."""
    output: int
    """New tokens of each sequence."""
    prompt: int
    """Tokens of each prompt where nothing else is asked for."""
    warmup: int
    """Short generations of 2 tokens, after whole ones."""
    repetitions: int
    """Whole generations; the least of them where seconds are asked for, too."""
    seconds: float = 0.0
    """How long it goes on at least."""


PUBLISHED: Mapping[str, Fixed] = {
    "bnb-2024-12": Fixed("optimum-benchmark", output=100, prompt=64, warmup=10, repetitions=10, seconds=10.0),
    "bnb-2025-09": Fixed("optimum-benchmark", output=64, prompt=64, warmup=10, repetitions=10),
}
"""The benchmark page of bitsandbytes (0.45, December 2024), and its script since September 2025.

Source: bitsandbytes-foundation/bitsandbytes, benchmarking/inference_benchmark.py at 81e6345d and at b1f80b8a.
"""


class AskedWork(Protocol):
    """A workload of fixed size."""

    @property
    def batch(self) -> int: ...
    @property
    def prompt(self) -> int: ...
    @property
    def output(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def repetitions(self) -> int: ...


_FREE = frozenset({"prompt"})
_WORDS = {"output": "new tokens", "warmup": "warm-ups", "repetitions": "repetitions"}


def filled(given: Mapping[str, object]) -> dict[str, object]:
    """Fill a workload's fields from its protocol, where that fixes them. Raises: a validator's error for one that says otherwise."""
    fixed = PUBLISHED.get(str(given.get("protocol")))
    if fixed is None:
        return dict(given)
    values = {name: getattr(fixed, name) for name in ("prompt", *_WORDS)}
    for name, value in values.items():
        if name not in _FREE and given.get(name, value) != value:
            raise told(
                f"protocol {given['protocol']} has {value} {_WORDS[name]}, and the sweep asks for {given[name]}: leave `{name}` out"
            )
    return values | dict(given)


def why_elsewhere(name: str) -> str:
    """Say that a protocol is a program's, and which engine drives that."""
    engine = PUBLISHED[name].program
    return f"protocol {name} is that of {engine}, which times by itself: take engine {engine}"


def fixed_work(protocol: str, asked: AskedWork) -> FixedWork:
    """Say what a program is asked for that makes its own prompts."""
    work = FixedWork(asked.batch, asked.prompt, asked.output, asked.warmup, asked.repetitions)
    return replace(work, seconds=PUBLISHED[protocol].seconds, protocol=protocol) if protocol in PUBLISHED else work


def refuse_other_rounds(said: Reported, work: FixedWork) -> None:
    """Hold the rounds that a report tells against those that a protocol asks for. Raises: HarnessError where they are others."""
    if work.protocol is None:
        return
    first, rest = _samples(said.summary, "prefill_latency"), _samples(said.summary, "decode_latency")
    whole = [one + other for one, other in zip(first, rest, strict=False)]
    asked = f"protocol {work.protocol} asks for"
    if len(whole) < work.repetitions or (not work.seconds and len(whole) > work.repetitions):
        more = "at least" if work.seconds else "exactly"
        raise HarnessError(
            f"{said.report.name} tells of {len(whole)} rounds, and {asked} {more} {work.repetitions}; correct the program"
        )
    if sum(whole) < _SLACK * work.seconds:
        raise HarnessError(
            f"{said.report.name} tells of {sum(whole):.3g} s, and {asked} {work.seconds:g} s at least; correct the program"
        )


def _samples(summary: Sequence[MetricValue], metric: str) -> list[float]:
    found = next((one for one in summary if one.metric == metric and not one.slice), None)
    return [] if found is None else [float(value) for value in found.samples]
