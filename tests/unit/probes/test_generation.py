"""The speed of generation: metrics by their definitions, protocols, and what is kept beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.metric import METRICS
from harness.core.seam import Facts
from harness.core.sessions import GenerationWorkload, Trace
from harness.probes import prompts, speed
from harness.probes.generation import PROBE, GenerationOptions
from tests.unit.probes.clockwork import Clockwork, measured, values


def test_metrics_follow_their_definitions() -> None:
    findings = measured(Clockwork(), batch=4, prompt=10, output=21, repetitions=3)
    found = values(findings)
    assert found["ttft"] == pytest.approx(0.25)
    assert found["prefill_tps"] == pytest.approx(4 * 10 / 0.2)
    assert found["decode_tps"] == pytest.approx(4 * 20 / 0.2)
    assert found["per_token_latency"] == pytest.approx(0.01)
    assert found["e2e_latency"] == pytest.approx(0.55)
    assert found["e2e_tps"] == pytest.approx(4 * 21 / 0.55)
    assert found["load_seconds"] == 1.5
    assert found["peak_rss_bytes"] > 1e6
    assert set(found) <= set(PROBE.yields) <= set(METRICS)
    assert {note.code for note in findings.notes} <= {"disturbed", "implausible"}, (
        "the machine of the test is not alone, and the times of the clockwork do not pass"
    )


def test_every_step_time_is_kept() -> None:
    steps = np.random.default_rng(0).uniform(0.01, 0.011, (3, 20))
    reading = next(r for r in measured(Clockwork(steps), output=21).values if r.metric == "per_token_latency")
    assert reading.array == "step_seconds"
    np.testing.assert_array_equal(reading.samples, steps)


def test_repetitions_are_kept_and_are_no_uncertainty() -> None:
    steps = np.random.default_rng(0).uniform(0.01, 0.011, (3, 20))
    assert {
        (reading.low, reading.high, reading.interval) for reading in measured(Clockwork(steps), output=21).values
    } == {(None, None, None)}


def test_the_protocol_says_how_it_was_measured() -> None:
    protocol = measured(Clockwork(), prompt=10, warmup=1, repetitions=3).protocol
    assert (protocol.name, protocol.version, protocol.warmups, protocol.repetitions) == ("genai-e2e-0.9", 1, 1, 3)
    assert (protocol.prompt_tokens, protocol.bos, protocol.dtype, protocol.gpu_count) == (10, False, "float32", 0)
    assert protocol.facts["threads"] == 2
    assert {"load_average_before", "load_average_after", "spread", "prompt"} <= set(protocol.facts)


def test_prompts_have_exactly_the_length_asked_for_and_repeat_from_run_to_run() -> None:
    first, second = Clockwork(), Clockwork()
    for session in (first, second):
        measured(session, batch=3, prompt=17)
    assert first.work is not None
    assert first.work == second.work
    assert [len(row) for row in first.work.prompt_ids] == [17, 17, 17]
    assert len(set(first.work.prompt_ids)) == 3
    assert not {0, 1} & {token for row in first.work.prompt_ids for token in row}


def test_prompts_can_be_cut_from_a_text_begun_again_where_it_is_short(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abc", encoding="utf-8")
    session = Clockwork()
    findings = measured(session, prompt=7, text=str(path))
    assert session.work is not None
    assert session.work.prompt_ids == (tuple(session.codec.encode("abcabca")),)
    assert findings.protocol.facts["prompt"] == "text text.txt"
    assert prompts.contents(GenerationOptions(text=str(path))) == {"text": path}
    assert prompts.contents(GenerationOptions()) == {}
    assert "normalized-text" not in {note.code for note in findings.notes}
    path.write_bytes(b"\xef\xbb\xbfabc")
    again = Clockwork()
    assert "normalized-text" in {note.code for note in measured(again, prompt=7, text=str(path)).notes}
    assert again.work == session.work


def test_sampling_is_another_protocol() -> None:
    session = Clockwork()
    assert measured(session, protocol="genai-e2e-0.9-sampling").protocol.name == "genai-e2e-0.9-sampling"
    assert session.work is not None
    assert session.work.sampling == {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "seed": 7}
    measured(session)
    assert session.work.sampling is None


@pytest.mark.parametrize(("protocol", "says"), [
    ("genai-e2e-0.5", "compute_logits"), ("bnb-2024-12", "optimum-benchmark"), ("genai-e2e-0.8x", "did you mean"),
])  # fmt: skip
def test_protocols_that_are_not_here_are_refused_while_planning(protocol: str, says: str) -> None:
    asked = GenerationOptions(protocol=protocol)
    assert says in str(PROBE.refuse(asked, Facts({}, "Linux")) or PROBE.refuse_on(asked, frozenset({"generates"})))
    with pytest.raises(HarnessError, match=says):
        measured(Clockwork(), protocol=protocol)


def test_protocols_that_are_here_are_not_refused() -> None:
    for protocol in speed.PROTOCOLS:
        assert PROBE.refuse(GenerationOptions(protocol=protocol), Facts({}, "Linux")) is None


WAVERING = np.repeat([[0.01], [0.0155], [0.005]], 20, axis=1)
SPIKES = np.where(np.arange(60).reshape(3, 20) % 10 == 0, 0.05, 0.01)


@pytest.mark.parametrize(("steps", "protocol", "says"), [
    (WAVERING, "genai-e2e-0.9", "between repetitions"),
    (WAVERING, "genai-e2e-0.9-median", "between repetitions"),
    (SPIKES, "genai-e2e-0.9", "the mean decode step is 40% above the median"),
    (SPIKES, "genai-e2e-0.9-median", None),
])  # fmt: skip
def test_an_unstable_result_says_so(steps: Any, protocol: str, says: str | None) -> None:
    notes = measured(Clockwork(steps), output=21, protocol=protocol).notes
    found = [note.text for note in notes if note.code == "unstable"]
    assert len(found) == (says is not None)
    assert says is None or says in found[0]


def test_the_median_protocol_takes_medians_everywhere_and_the_other_means() -> None:
    steps = np.full((5, 20), 0.01)
    steps[0] = 0.4  # the first repetition was disturbed throughout, as at load 20
    steps[:, 3] = 0.05
    median, mean = (
        values(measured(Clockwork(steps), batch=2, prompt=10, output=21, protocol=name))
        for name in ("genai-e2e-0.9-median", "genai-e2e-0.9")
    )
    assert median["decode_tps"] == pytest.approx(2 / 0.01)
    assert median["per_token_latency"] == pytest.approx(0.01)
    assert median["e2e_latency"] == pytest.approx(0.35 + 19 * 0.01 + 0.05)
    assert median["e2e_tps"] == pytest.approx(2 * 21 / median["e2e_latency"])
    assert mean["decode_tps"] == pytest.approx(2 / steps.mean())
    assert mean["per_token_latency"] == pytest.approx(steps.mean())
    assert mean["e2e_latency"] == pytest.approx(0.35 + steps.sum(axis=1).mean())


@pytest.mark.alone
def test_processor_time_is_counted_for_timed_repetitions_alone_and_per_token() -> None:
    class Busy(Clockwork):
        def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
            trace = super().generate(workload, lambda share: None)
            rounds = workload.warmups + workload.repetitions
            progress(0.0)
            for number in range(rounds):
                end = time.process_time() + (0.3 if number < workload.warmups else 0.02)
                while time.process_time() < end:
                    pass
                progress((number + 1) / rounds)
            return trace

    findings = measured(Busy(), batch=2, output=5, warmup=1, repetitions=3)
    found = next(reading for reading in findings.values if reading.metric == "cpu_seconds_per_token")
    assert found.samples.shape == (3,)
    assert 0.02 / 10 <= found.value < 0.06 / 10


def test_what_was_generated_is_kept_and_hashed_where_choice_is_greedy() -> None:
    ids = np.arange(3 * 2 * 5, dtype=np.int32).reshape(1, 2, 15)[:, :, :5].repeat(3, axis=0)
    findings = measured(Clockwork(ids=ids), batch=2, output=5, repetitions=3)
    np.testing.assert_array_equal(findings.arrays["generated_ids"], ids[0])
    assert findings.protocol.facts["output_sha256"] == speed.sha256_of(ids[0])
    sampled = measured(Clockwork(ids=ids), batch=2, output=5, repetitions=3, protocol="genai-e2e-0.9-sampling")
    assert set(sampled.arrays) == {"pace_seconds"}
    assert "output_sha256" not in sampled.protocol.facts


def test_greedy_repetitions_that_differ_say_where() -> None:
    ids = np.zeros((3, 2, 5), dtype=np.int32)
    ids[2, 1, 3] = 9
    notes = measured(Clockwork(ids=ids), batch=2, output=5, repetitions=3).notes
    (said,) = [note.text for note in notes if note.code == "output-differs"]
    assert "1 of 3 greedy repetitions" in said
    assert "repetition 3 from token 4 of sequence 2 on" in said


def test_fewer_tokens_than_asked_for_are_no_measurement() -> None:
    with pytest.raises(HarnessError, match="generated"):
        measured(Clockwork(ids=np.zeros((3, 2, 4), dtype=np.int32)), batch=2, output=5, repetitions=3)


def test_one_token_of_output_gives_no_decode_metrics() -> None:
    found = values(measured(Clockwork(), output=1))
    assert "decode_tps" not in found
    assert "per_token_latency" not in found
    assert found["e2e_tps"] == pytest.approx(1 / 0.35)


def test_throughput_is_all_work_over_all_seconds_not_a_mean_of_rates() -> None:
    steps = np.array([[0.01] * 10, [0.03] * 10])
    trace = Trace(np.array([0.1, 0.3]), np.zeros(2), steps, np.array([1.0, 3.0]))
    found = {reading.metric: reading for reading in speed.values(trace, speed.Work(1, 10, 11, "mean"))}
    assert found["decode_tps"].value == pytest.approx(1 / 0.02)
    assert found["prefill_tps"].value == pytest.approx(10 / 0.2)
    assert found["e2e_tps"].value == pytest.approx(11 / 2.0)
    assert found["decode_tps"].samples.tolist() == pytest.approx([100, 100 / 3])
