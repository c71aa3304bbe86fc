"""Misspelt names in files of reported numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spelling import nearest
from harness.published.reported import read_reported

FILE = """\
reported: {title: A page, date: 2025-01-31}
blocks:
  - engine: optimum-benchmark
    probe: generation
    metrics:
      speedup: {metric: decode_tps, as: ratio, baseline: {method: fp16}}
    columns: [model, method, batch, decode_tps, speedup]
    rows:
      - [llama31-8b, int4_awq, 1, 12.50, 1.5]
      - [somebodys-7b, int4_gptq, 1, 12.50, 1.5]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("llama31-8b", "lama31-8b", "page.yaml:9: unknown model 'lama31-8b'; write 'llama31-8b', or enter 'lama31-8b' in models.yaml"),
        ("int4_awq", "int4_aqw", "page.yaml:9: unknown method 'int4_aqw'; write 'int4_awq', or enter 'int4_aqw' in methods.yaml"),
        ("engine: optimum-benchmark", "engine: transformer", "page.yaml:3: unknown engine 'transformer'; write 'transformers'"),
        ("generation", "generatoin", "page.yaml:4: unknown probe 'generatoin'; write 'generation'"),
        ("{method: fp16}", "{method: FP16}", "page.yaml:6: unknown method 'FP16'; write 'fp16', or enter 'FP16' in methods.yaml"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_line_and_the_right_name(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    path = tmp_path / "page.yaml"
    path.write_text(FILE, encoding="utf-8")
    assert len(read_reported(path)) == 2, "names of others' own are taken"
    path.write_text(FILE.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_reported(path)
    assert str(refused.value).endswith(said)


@pytest.mark.parametrize("name", ["llama2-13b", "int8_awq", "sf4", "bf16", "qwen25-14b", "trtllm", "int4_awq_full"])
def test_a_name_of_its_own_is_no_slip(name: str) -> None:
    assert (
        nearest(name, ("llama2-7b", "int4_awq", "nf4", "fp16", "qwen25-14b-it", "transformers", "int4_awq_full"))
        is None
    )
