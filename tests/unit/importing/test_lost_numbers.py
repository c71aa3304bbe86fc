"""One number that is none costs itself alone, in every format, and is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.metric import impossible
from harness.importing.import_files import lines
from tests.unit.importing.files import genai, llama, lm_eval, optimum, problem, runs, take, trtllm, values, vllm, write

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "content", "gone", "kept"),
    [
        ("g.json", [genai(time_to_first_token_ms=NAN)], "record 1: metrics.time_to_first_token_ms: value is nan", "decode_tps"),
        ("l.json", [llama(0, 8, avg_ts=INF)], "test 1: avg_ts: value is inf", "decode_latency"),
        ("l.json", [llama(0, 8, samples_ts=[1.0, NAN])], "test 1: samples_ts: value is nan", "decode_tps"),
        ("v.json", vllm(mean_ttft_ms=-INF), "result 1: mean_ttft_ms: value is -inf", "itl"),
        ("t.json", trtllm(streaming_metrics={"avg_ttft_ms": NAN}), "streaming_metrics.avg_ttft_ms: value is nan", "gpu_tps"),
        ("o.json", optimum(decode={"latency": None, "throughput": {"unit": "tokens/s", "value": NAN}}),
         "report.decode.throughput.value: value is nan", "load_seconds"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_loses_itself_alone_and_is_named(
    tmp_path: Path, name: str, content: Any, gone: str, kept: str
) -> None:
    taken = take(write(tmp_path, name, json.dumps(content)))
    (run,) = runs(taken)
    assert kept in values(run)
    assert f"  skipped {gone} (the rest of the file was imported)" in lines(taken)


def test_a_task_without_a_finite_value_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    results = {"a": {"mae,none": INF, "mae_stderr,none": NAN}, "b": {"acc,none": 0.5, "acc_stderr,none": NAN}}
    file = lm_eval(results=results, groups={}, group_subtasks={"a": [], "b": []})
    taken = take(write(tmp_path, "results_1.json", json.dumps(file)))
    (run,) = runs(taken)
    assert values(run) == {"lm_eval.acc": 0.5}
    assert run.measurements[0].low is None
    assert "  skipped task a, mae,none: value is inf (the rest of the file was imported)" in lines(taken)
    again = take(tmp_path / "results_1.json")
    assert [line for line in lines(again) if "skipped" in line] == [line for line in lines(taken) if "skipped" in line]
    assert len(again.files[0].known) == 1


def test_a_file_that_holds_nothing_else_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    file = lm_eval(results={"a": {"mae,none": NAN}}, groups={}, group_subtasks={"a": []})
    said = problem(take(write(tmp_path, "results_1.json", json.dumps(file))))
    assert "no number in it can be taken (task a, mae,none: value is nan); nothing was imported" in said


def test_a_word_in_the_place_of_a_number_is_still_a_mistake(tmp_path: Path) -> None:
    said = problem(take(write(tmp_path, "g.json", [genai(time_to_first_token_ms="fast")])))
    assert "'metrics.time_to_first_token_ms' is fast, which is not a number" in said


@pytest.mark.parametrize(
    ("metric", "value", "why"),
    [
        ("acc", 1.7, "1.7, and a share lies between 0 and 1"),
        ("acc", -0.1, "-0.1, and a share lies between 0 and 1"),
        ("word_perplexity", 0.3, "0.3, and a perplexity is 1 at the least"),
    ],
)
def test_a_number_that_no_measurement_can_give_loses_itself_alone_and_is_named(
    tmp_path: Path, metric: str, value: float, why: str
) -> None:
    results = {"a": {f"{metric},none": value}, "b": {"acc,none": 0.5}}
    file = lm_eval(results=results, groups={}, group_subtasks={"a": [], "b": []})
    taken = take(write(tmp_path, "results_1.json", json.dumps(file)))
    assert [values(run) for run in runs(taken)] == [{"lm_eval.acc": 0.5}]
    assert f"  skipped lm_eval.{metric} in result 1: {why} (the rest of the file was imported)" in lines(taken)


@pytest.mark.parametrize(
    ("metric", "possible", "not_possible"),
    [
        ("top1_agreement", (0.0, 1.0), (1.01, -0.01)),
        ("kl_divergence", (0.0, 12.0), (-0.5,)),
        ("perplexity", (1.0, 1e9), (0.0, -3.0)),
        ("choice_logprob", (-30.0, 0.0), (0.2,)),
        ("ttft", (0.0, 1e5), (-1e-3,)),
        ("lm_eval.mcc", (-1.0, 1.0), ()),
        ("lm_eval.bleu", (0.0, 37.2), ()),
        ("lm_eval.f1", (0.4, 81.3), ()),
        ("lm_eval.acc_norm", (0.4,), (40.0,)),
    ],
)
def test_what_a_metric_can_be_follows_from_its_definition(
    metric: str, possible: tuple[float, ...], not_possible: tuple[float, ...]
) -> None:
    assert [impossible(metric, value) for value in possible] == [""] * len(possible)
    assert all(impossible(metric, value) for value in not_possible)
