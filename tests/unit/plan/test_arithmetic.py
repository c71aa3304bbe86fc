"""Seconds by arithmetic: cases computed by hand, and rates of devices by their names."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plan import arithmetic
from harness.plan.arithmetic import OpenedModel, Rates, ReckonedWork

EIGHT = OpenedModel(parameters=8e9, bytes=16e9)
ROUND = Rates("round numbers", flops=1e12, memory=1e11, call_seconds=0.001, start_seconds=5.0)


def test_a_generation_is_prompts_and_steps() -> None:
    # 2 repetitions of 4 prompts of 100 tokens and 10 new ones: 2 x 4 x (100 + 9) tokens of 16 GFLOP, 18 steps that read 16 GB, 20 calls
    work = arithmetic.generating(EIGHT, batch=4, prompt=100, output=10, repetitions=2)
    assert work == ReckonedWork(operations=872 * 16e9, memory_bytes=18 * 16e9, calls=20)
    assert work.seconds(ROUND) == pytest.approx(13.952 + 2.88 + 0.020)


def test_scoring_reads_tokens_and_opening_reads_weights() -> None:
    assert arithmetic.scoring(EIGHT, 2560) == ReckonedWork(operations=2560 * 16e9, calls=10)
    assert arithmetic.opening(EIGHT, ROUND) == pytest.approx(5 + 16e9 / 0.5e9)


def test_a_build_reads_writes_rounds_and_calibrates() -> None:
    # 32 GB read and hashed, 10 GB written and hashed; 3000 x 8e9 operations at 40 GFLOP/s; 2 texts of 512 tokens, 3 times
    work = arithmetic.building(EIGHT, written=5e9, texts=2, passes=3)
    assert work.disk_bytes == 42e9
    assert work.operations == 3072 * 16e9
    assert work.seconds(ROUND) == pytest.approx(42 / 0.5 + 600 + 49.152 + 0.012)


@pytest.mark.parametrize(
    ("probe", "workload", "tokens"),
    [
        ("perplexity", {"tokens": 10_000, "window": 1024, "stride": 512}, 20_000),
        ("perplexity", {"tokens": None, "window": 512, "stride": 512}, 325_000),
        ("kl_reference", {"tokens": 300, "window": 512, "stride": 512}, 300),
        ("lm_eval", {"task": "reference", "questions": None, "shots": 5, "limit": 25}, 8 * 25 * 40 * 6),
        ("lm_eval", {"task": "mmlu", "questions": None, "shots": 0, "limit": 10}, 570 * 110),
        ("mmlu_modelopt", {"questions": "cais/mmlu", "shots": 5, "limit": None}, 14_042 * 110 * 6),
        ("verify", {"dtype": "float32"}, 2_000),
    ],
)
def test_what_quality_reads(probe: str, workload: dict[str, Any], tokens: int) -> None:
    assert arithmetic.measuring(probe, workload, EIGHT) == arithmetic.scoring(EIGHT, tokens)


def test_a_text_that_is_here_counts_by_its_size() -> None:
    work = arithmetic.measuring("perplexity", {"tokens": None, "window": 8, "stride": 8}, EIGHT, text_bytes=4000)
    assert work == arithmetic.scoring(EIGHT, 1000)


def test_a_program_serves_two_hundred_requests_in_batches() -> None:
    work = arithmetic.measuring("command", {"batch": 64, "prompt": 2048, "output": 128}, EIGHT)
    assert work == arithmetic.generating(EIGHT, 64, 2048, 128, 4)


@pytest.mark.parametrize(
    ("probe", "workload"),
    [
        ("lm_eval", {"task": "gsm8k", "shots": 5, "limit": None}),
        ("command", {"batch": 1, "prompt": None, "output": None}),
    ],
)
def test_what_only_a_task_or_a_program_knows_has_no_estimate(probe: str, workload: dict[str, Any]) -> None:
    assert arithmetic.measuring(probe, workload, EIGHT) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_a_gpu_is_known_by_what_a_driver_calls_it(name: str, known: str | None) -> None:
    found = arithmetic.gpu(name)
    assert (found.name if found else None) == known


def test_rates_are_those_that_are_reached_and_not_the_data_sheets() -> None:
    found = arithmetic.gpu("NVIDIA H100 80GB HBM3")
    assert found is not None
    assert found.flops == pytest.approx(989e12 * 0.35)
    assert found.memory == pytest.approx(3350e9 * 0.6)
    two = arithmetic.cpu(2)
    assert (two.flops, two.memory) == (80e9, 10e9)
    assert arithmetic.cpu(64).memory == 100e9


@pytest.mark.parametrize(("parameters", "count"), [(1.24e9, 18), (8.03e9, 34), (70.55e9, 71)])
def test_layers_are_guessed_near_the_real_16_32_and_80(parameters: float, count: int) -> None:
    assert arithmetic.layers(parameters) == count
