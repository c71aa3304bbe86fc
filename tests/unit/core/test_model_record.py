"""Where LongRoPE changes its factors, read from a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.model_record import _border
from harness.core.rope import read_rope

SCALING = {"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}


@pytest.mark.parametrize(("config", "border"), [
    ({"model_type": "phi3", "rope_scaling": SCALING, "max_position_embeddings": 131072}, 4096),
    ({"model_type": "minicpm3", "rope_scaling": SCALING, "max_position_embeddings": 131072}, None),
    ({"model_type": "minicpm3", "rope_scaling": SCALING, "original_max_position_embeddings": 300, "max_position_embeddings": 512}, 300),
    ({"model_type": "phi3", "rope_scaling": SCALING, "max_position_embeddings": 4096}, None),
    ({"model_type": "phi3", "rope_parameters": {**SCALING, "original_max_position_embeddings": 8192}}, 8192),
    ({"model_type": "phi3", "rope_scaling": {"type": "yarn", "factor": 4.0}}, None),
])  # fmt: skip
def test_a_border_is_where_the_long_factors_begin_inside_the_context(
    config: dict[str, Any], border: int | None
) -> None:
    assert _border(config, read_rope(config)) == border
