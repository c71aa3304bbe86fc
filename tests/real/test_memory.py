"""The short form of the benchmark of memory at a large vocabulary."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_perplexity_with_kl_at_a_large_vocabulary_stays_under_two_gigabytes() -> None:
    pytest.importorskip("onnxruntime_genai")
    command = [sys.executable, "-m", "tests.benchmarks.kl_memory", "--tokens", "5000"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
    extra = re.search(r"extra (\d+) MB", ran.stdout)
    assert extra is not None
    assert int(extra[1]) < 2000
    positions = re.search(r"(\d+) positions", ran.stdout)
    assert positions is not None
    assert 5000 <= int(positions[1]) < 5500, "whole documents, until there are as many tokens as were asked for"
