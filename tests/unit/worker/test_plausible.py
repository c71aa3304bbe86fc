"""What an adapter says it measured, held against what it was asked and against itself."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import MetricValue
from harness.engines import fake, transformers
from harness.worker.plausible import (
    device_notes,
    load_notes,
    loaded_files,
    reading_notes,
    refuse_fallback,
    scored_notes,
    thread_notes,
)


def session(provider: str = "cpu", dtype: str = "float32") -> Any:
    return SimpleNamespace(provider=provider, dtype=dtype)


def test_a_session_runs_where_and_in_which_type_it_was_asked_to() -> None:
    options = transformers.ENGINE.options.model_validate({"device": "cuda:1", "dtype": "float16"})
    refuse_fallback(transformers.ENGINE, options, {"dtype": "float16"}, session("cuda", "float16"))
    refuse_fallback(transformers.ENGINE, options, {}, session("cuda", "bfloat16"))
    with pytest.raises(HarnessError, match="asked for provider cuda and fell back to cpu"):
        refuse_fallback(transformers.ENGINE, options, {}, session("cpu"))
    with pytest.raises(HarnessError, match="asked for float16 and computes in float32"):
        refuse_fallback(transformers.ENGINE, options, {"dtype": "float16"}, session("cuda", "float32"))
    named = replace(fake.ENGINE, provider=lambda options: "NvTensorRtRtx")
    refuse_fallback(named, fake.FakeEngineOptions(), {}, session("nvtensorrtrtx"))


def test_a_provider_without_a_trace_in_the_process_is_told() -> None:
    assert device_notes("cpu") == device_notes("cpu:0", ["/lib/libc.so"]) == ()
    assert device_notes("cuda", ["/usr/lib/libcuda.so.1"]) == device_notes("openvino", ["/x/libopenvino.so"]) == ()
    assert device_notes("cuda", []) == (), "a system that does not tell what is loaded"
    (note,) = device_notes("cuda", ["/lib/libc.so", "/torch/libtorch_cuda_linalg.so"])
    assert "names provider cuda, and no driver or library of it is loaded" in note.text
    assert any("libc" in file for file in loaded_files())


def test_more_processors_than_threads_are_told() -> None:
    assert thread_notes({"threads": 1}, 1.4) == thread_notes({}, 8.0) == thread_notes({"threads": 1}, None) == ()
    (note,) = thread_notes({"threads": 1}, 1.9)
    assert note.text.startswith("option threads: 1 was given, and 1.9 processors worked")


def test_a_load_that_took_much_longer_than_the_engine_says_is_told() -> None:
    load = [MetricValue("load_seconds", 0.5, np.array([0.5]))]
    assert load_notes(load, None) == load_notes(load, 4.4) == load_notes([], 9.0) == ()
    assert "opening took 4.60 s, and the engine says 0.50 s" in load_notes(load, 4.6)[0].text


NLL = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(("reading", "says"), [
    (MetricValue("perplexity", float(np.exp(2.0)), NLL), ""),
    (MetricValue("perplexity", float(np.exp(6.0)), NLL), "no mean over them"),
    (MetricValue("perplexity", 0.5, NLL), "a perplexity is 1 at the least"),
    (MetricValue("ttft", 0.2, np.array([0.1, 0.3])), ""),
    (MetricValue("ttft", 0.4, np.array([0.1, 0.3])), "lie between 0.1 and 0.3: it is a sum"),
    (MetricValue("decode_tps", 15.0, np.array([10.0, 30.0])), ""),
    (MetricValue("decode_tps", 40.0, np.array([10.0, 30.0])), "it is a sum"),
    (MetricValue("top1_agreement", 2.0, np.array([1, 1, 0])), "a share lies between 0 and 1"),
    (MetricValue("top1_agreement", 1.0, np.array([1, 1, 0])), "the mean of its 3 samples 0.6667"),
    (MetricValue("kl_divergence", 0.02, np.array([0.01, 0.03])), ""),
    (MetricValue("own.total", 40.0, np.array([10.0, 30.0])), ""),
    (MetricValue("lm_eval.word_perplexity", 40.0, np.array([10.0, 30.0])), ""),
    (MetricValue("peak_rss_bytes", 40.0, np.array([])), ""),
])  # fmt: skip
def test_a_value_lies_among_its_samples_and_a_mean_is_their_mean(reading: MetricValue, says: str) -> None:
    found = " ".join(note.text for note in reading_notes([reading]))
    assert says in found
    assert bool(says) == bool(found)


def test_a_perplexity_of_fewer_tokens_than_were_scored_is_told() -> None:
    values = [MetricValue("perplexity", float(np.exp(2.0)), NLL)]
    assert scored_notes(values, 3) == scored_notes(values, None) == scored_notes([], 4) == ()
    assert scored_notes([replace(values[0], samples=np.array([2.0]))], 4) == (), "an average that others report"
    (note,) = scored_notes(values, 4)
    assert note.text == "4 tokens were scored, and perplexity has 3 samples: it is not of all of them"
