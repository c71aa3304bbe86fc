"""Borders of small formulas around a measurement: processors that nobody counts, samplers without a GPU, texts that are too short."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from harness import nvml, process_memory
from harness.core.errors import HarnessError
from harness.engines.fake import ByteCodec
from harness.probes import conditions, high_water
from harness.probes.streams import StreamOptions, read_stream


def test_busy_seconds_are_of_the_processors_asked_for_and_none_where_one_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = [SimpleNamespace(user=1.0, system=2.0, idle=50.0), SimpleNamespace(user=10.0, nice=20.0, steal=30.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: each)
    assert conditions.busy_seconds((0,)) == 3.0
    assert conditions.busy_seconds((0, 1)) == 63.0
    assert conditions.busy_seconds((2,)) is conditions.busy_seconds((0, 5)) is None


def test_gpu_memory_is_watched_only_where_a_session_runs_on_one_that_a_driver_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(
        process_memory, "MemorySampler", lambda gpus: SimpleNamespace(start=lambda: started.append(gpus) or "sampler")
    )
    monkeypatch.setattr(nvml, "open_nvml", lambda: None)
    assert high_water.start_sampler(SimpleNamespace(provider="cuda")) is None  # type: ignore[arg-type]
    monkeypatch.setattr(nvml, "open_nvml", object)
    assert high_water.start_sampler(SimpleNamespace(provider="cpu")) is None  # type: ignore[arg-type]
    assert not started
    assert high_water.start_sampler(SimpleNamespace(provider="cuda")) == "sampler"  # type: ignore[arg-type]


def test_a_text_that_is_shorter_than_a_window_is_told_with_its_tokens(tmp_path: Path) -> None:
    text = tmp_path / "short.txt"
    text.write_text("too short", "utf-8")
    with pytest.raises(HarnessError, match=r"short.txt' has 9 tokens, fewer than one window of 64; give a longer text"):
        read_stream(ByteCodec(), StreamOptions(text=str(text), window=64, stride=64))
