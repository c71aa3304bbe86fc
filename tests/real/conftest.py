"""One small `make bench` on real engines, run twice; what several promises are read from."""

from __future__ import annotations

import io
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from harness.commands import bench
from harness.commands.report import after_bench
from harness.commands.workspace import Workspace
from harness.environments import ROOT, SHIPPED
from harness.runner.overhead import Share, share
from tests.real.machine import RealMachine

KL = {"tokens": 4000, "window": 512, "stride": 256}
ROUNDS = 3


@dataclass
class Twice:
    """The machine after two equal commands: each one's share and printed text, and the runs by kind after the first."""

    machine: RealMachine
    shares: list[Share]
    printed: list[str]
    first: Counter[str]


@pytest.fixture(scope="session")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """Run the quickstart's blocks, smaller and without AWQ, with its tables; then run the same command again."""
    pytest.importorskip("onnxruntime_genai")
    machine = RealMachine(tmp_path_factory.mktemp("real"))
    machine.sweep(
        "quickstart",
        tables=["quickstart"],
        rounds=ROUNDS,
        precision=None,
        blocks={
            "quickstart": {
                "engine": {"ort-genai": {"provider": "cpu"}},
                "method": ["fp32", "int8", "int4_k_quant_mixed", {"int4_rtn": "ort-genai"}],
                "probes": {
                    "kl_divergence": {**KL, "reference": {"method": "fp32"}},
                    "perplexity": KL,
                    "lm_eval": {"task": "reference", "shots": 5, "limit": 3},
                    "generation": {"protocol": "genai-e2e-0.9-median", "prompt": 64, "output": 96, "repetitions": 8},
                },
            },
            "floor": {
                "engine": "transformers",
                "method": "fp32",
                "probes": {
                    "kl_divergence": {
                        "stores": "logprobs",
                        **KL,
                        "reference": {"method": "fp32", "engine": "ort-genai"},
                    },
                    "perplexity": KL,
                },
            },
        },
    )
    shares: list[Share] = []
    printed: list[str] = []
    first = Counter[str]()
    for number in range(2):
        shares.append(_bench(machine, printed))
        if number == 0:
            first = machine.kinds()
    return Twice(machine, shares, printed, first)


def _bench(machine: RealMachine, printed: list[str]) -> Share:
    """Do what `harness bench` does, and keep the share that it prints."""
    kept: list[Share] = []

    def keeping(*given: Any) -> Share:
        kept.append(share(*given))
        return kept[-1]

    text = io.StringIO()
    console = Console(width=200, file=text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bench, "share", keeping)
        patched.setenv("HF_HUB_OFFLINE", "1")
        home = Workspace(ROOT, (machine.configs,), (SHIPPED / "reports" / "tables",), machine.results)
        code = bench.run_sweep("quickstart", console, home, begun=time.monotonic(), after=after_bench(console))
    printed.append(text.getvalue())
    assert code == 0, printed[-1][-3000:]
    return kept[0]
