from __future__ import annotations

import pytest

from harness.core.model_record import record_of
from harness.engines import pass_budget
from harness.engines.pass_budget import LEAST, MOST, PassBudget, budget, notes, token_bytes

GIB = 1 << 30
LLAMA_8B = {"num_hidden_layers": 32, "num_key_value_heads": 8, "num_attention_heads": 32, "hidden_size": 4096}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_small_model_has_the_whole_budget_wherever_four_gigabytes_are_free(device: str) -> None:
    assert budget(device, 1536, 4096, 4 * GIB) == MOST[device]
    assert budget(device, 128_256, 131_072, None) == MOST[device], "nobody knows what is free"
    assert notes(MOST[device]) == ()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_less_memory_never_gives_a_larger_pass_and_no_pass_is_smaller_than_the_least(device: str) -> None:
    per_token = token_bytes(record_of(LLAMA_8B), 4)
    assert per_token == 2 * 4 * 32 * 8 * 128
    found = [budget(device, 128_256, per_token, GIB * free // 4) for free in range(0, 600, 3)]
    assert [one.tokens for one in found] == sorted(one.tokens for one in found)
    assert [one.logits for one in found] == sorted(one.logits for one in found)
    assert (found[0].tokens, found[0].logits) == (LEAST.tokens, LEAST.logits)
    assert found[-1] == MOST[device]
    for one in found[1:]:
        taken = 2 * one.logits + (one.held + 4 * one.tokens) * per_token
        assert one.tokens == LEAST.tokens or one.free is None or taken <= one.free / 4


def test_a_budget_that_was_cut_is_told() -> None:
    [note] = notes(budget("cpu", 128_256, 262_144, 16 * GIB))
    assert note.code == "smaller-passes"
    assert note.text == (
        "passes held at most 1,024 tokens and 128 MiB of logits: 16.0 GiB were free when the model was open"
    )


def test_rows_that_reach_the_head_count_and_not_all() -> None:
    one = PassBudget()
    assert one.holds(2048, 480, 128_256)
    assert not one.holds(2048, 2048, 128_256)
    assert not one.holds(2049, 1, 128_256)
    assert [one.tile(vocabulary) for vocabulary in (512, 128_256, 10_000_000)] == [2048, 523, 256]


def test_free_memory_is_that_of_the_host_and_unknown_of_what_nobody_can_ask() -> None:
    found = pass_budget.free_memory("cpu")
    assert found is not None
    assert 1 << 20 < found < 1 << 50
    assert pass_budget.free_memory("dml") is None


def test_a_configuration_without_layers_says_nothing_of_its_cache() -> None:
    assert token_bytes(record_of({"model_type": "mamba"}), 4) == 0
