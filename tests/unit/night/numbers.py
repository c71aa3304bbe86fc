"""Nights and numbers for tests of what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.night.acknowledged import FILE, KnownChange, read_acknowledged
from harness.night.record import NightCanary, NightNumber, NightRecord, NightSide, Remeasured

START = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
FOUND = (
    NightCanary(
        kind="speed", name="tiny int4 ort-genai", size="0.075 of its speed", found=True, said="-7.4%, again -7.6%"
    ),
    NightCanary(
        kind="quality", name="tiny int4 ort-genai", size="0.06 more perplexity", found=True, said="+0.06, again +0.06"
    ),
)


def number(word: Any = "same", **more: Any) -> NightNumber:
    """A number of decode speed with a verdict, or without one."""
    judged = {
        "change": -0.001,
        "error": 0.005,
        "low": -0.011,
        "high": 0.009,
        "p": 0.8,
        "margin": 0.05,
        "log": True,
        "a": 100.0,
        "b": 99.9,
    }
    if word == "worse":
        judged |= {"change": -0.1, "low": -0.11, "high": -0.09, "p": 1e-6, "b": 90.5, "again": Remeasured(change=-0.098, error=0.005), "confirmed": True}  # fmt: skip
    if word in {"missing", "skipped", "not reached"}:
        judged = {"why": "a reason"}
    told = {"series": "s1", "name": "Decode, tiny int4 ort-genai", "pair": "tiny int4 ort-genai", "metric": "decode_tps", "better": "higher",
            "covers": {"model": "tiny", "method": "int4"}, "word": word}  # fmt: skip
    return NightNumber(**{**told, **judged, **more})


def night(*numbers: NightNumber, count: int = 1, **more: Any) -> NightRecord:
    """A night that came to its end."""
    day = START + timedelta(days=count - 1)
    told = {
        "night": f"{day:%Y%m%d}-aaaaaa", "number": count, "started": day, "finished": day + timedelta(hours=1), "sweep": "small",
        "baseline": NightSide(name="released", packages={"onnxruntime-genai": "0.15.2"}), "candidate": NightSide(name="tonight", packages={"onnxruntime-genai": "0.18.0"}),
        "asked": "words", "seed": 7, "budget": 600.0, "used": 120.0, "numbers": numbers, "canaries": FOUND,
    }  # fmt: skip
    return NightRecord(**{**told, **more})


def known(folder: Path, text: str) -> list[KnownChange]:
    """Read an acknowledged.yaml of such text."""
    (folder / FILE).write_text(text, "utf-8")
    return read_acknowledged([folder])
