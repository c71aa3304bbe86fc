"""Which references are written down, and how large they will be."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.model_record import record_of
from harness.engines.fake import ENGINE as FAKE
from harness.engines.ort_genai import ENGINE as GENAI
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.references import Candidate, is_stored, stored_bytes
from harness.plan.sweep import EngineChoice, ProbeWork
from harness.plan.yamlfile import Node
from harness.probes.kl_divergence import PROBE, Workload

VOCABULARY, HIDDEN, TOKENS = 128_256, 4096, 100_000


def work(**given: Any) -> ProbeWork:
    record = Workload(text="wikitext-2", tokens=TOKENS, **given)
    return ProbeWork(PROBE, {}, record, None, Node(None, "x.yaml", 1), {})


def reference(engine: Any = GENAI, **config: Any) -> Candidate:
    model = ArtifactRef("m", "hf", "source", "source", "big", record=record_of({"model_type": "llama", **config}))
    made = ArtifactRef("a", "ort-genai", "fp16", "fp16", "big", vocabulary=VOCABULARY, bases=(model,))
    choice = EngineChoice(engine, {}, engine.options(), Node(None, "x.yaml", 1))
    return Candidate(made, choice, choice, "cpu", None, "g")


def test_hidden_states_are_written_down_where_log_probabilities_would_not_be() -> None:
    positions = work().adapter.scored_tokens(work().record)
    assert positions is not None
    one = reference(hidden_size=HIDDEN)
    assert stored_bytes(one, work()) == 2 * positions * HIDDEN + 4 * HIDDEN * VOCABULARY
    assert stored_bytes(one, work(stores="float32")) == 4 * positions * HIDDEN + 4 * HIDDEN * VOCABULARY
    assert is_stored(one, work())
    assert not is_stored(one, work(stores="logprobs"))
    assert not is_stored(one, work(form="live"))


@pytest.mark.parametrize("one", [reference(FAKE, hidden_size=HIDDEN), reference()], ids=["engine", "size not known"])
def test_without_hidden_states_a_large_reference_runs_live(one: Candidate) -> None:
    assert not is_stored(one, work())
    assert stored_bytes(one, work()) == 4 * (work().adapter.scored_tokens(work().record) or 0) * VOCABULARY
