"""The lengths at which a model is asked before an export is held against it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.whole import lengths
from harness.probes.verify_reference import spread, wanted_lengths


def test_each_length_that_switches_something_is_met_and_passed_within_the_context() -> None:
    assert wanted_lengths((48, 300), 2048) == [48, 56, 300, 308, 320]
    assert wanted_lengths((300,), 302) == [300, 302]
    assert wanted_lengths((512,), 512) == [320], "beyond the context nothing can be asked"
    assert wanted_lengths((), 200) == [200]


def test_half_of_the_positions_are_the_last_ones() -> None:
    assert spread(5, 8) == [0, 1, 2, 3, 4]
    found = spread(4104, 128)
    assert len(found) == 128
    assert found[-64:] == list(range(4040, 4104))
    assert found[0] == 0


@pytest.mark.parametrize(("config", "found"), [
    ({"sliding_window": 4096}, [4096]),
    ({"sliding_window": 4096, "use_sliding_window": False}, []),
    ({"sliding_window": None}, []),
    ({"rope_scaling": {"rope_type": "yarn", "original_max_position_embeddings": 128}}, [128]),
    ({"original_max_position_embeddings": 300, "rope_scaling": {"rope_type": "longrope"}}, [300]),
    ({"rope_parameters": {"full_attention": {"original_max_position_embeddings": 8192}, "sliding_attention": {}}}, [8192]),
    ({"attention_chunk_size": 64}, [64]),
])  # fmt: skip
def test_lengths_that_switch_something_are_found_however_deep(config: dict[str, Any], found: list[int]) -> None:
    assert list(lengths(config)) == found
