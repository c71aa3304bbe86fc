"""optimum-benchmark called directly, with its trackers watched: what is read from its report is what it measured."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.reports import FixedWork
from harness.engines.optimum_benchmark import OptimumBenchmarkOptions, asked_of
from harness.engines.reporting import read_report
from harness.engines.torch_quantized import Checkpoint
from harness.reference import model_folder
from tests.conftest import ROOT

pytest.importorskip("optimum_benchmark")
pytestmark = pytest.mark.slow
BATCH, PROMPT, OUTPUT, ROUNDS = 2, 16, 12, 4
DIRECT = """
import json, sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig
from optimum_benchmark.scenarios.inference import scenario as its

class Watched(its.PerTokenLatencySessionTrackerLogitsProcessor):
    made = []
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.made.append(self)

its.PerTokenLatencySessionTrackerLogitsProcessor = Watched
asked, out = json.load(open(sys.argv[1])), sys.argv[2]
config = BenchmarkConfig(name="direct", launcher=InlineConfig(), scenario=InferenceConfig(**asked["scenario"]), backend=PyTorchConfig(**asked["backend"]))
config.save_json(out + "/benchmark_config.json")
Benchmark.launch(config).save_json(out + "/benchmark_report.json")
(tracker,) = Watched.made
names = ("per_token_events", "prefill_start_events", "prefill_end_events", "decode_end_events")
json.dump({name: getattr(tracker, name) for name in names}, open(out + "/events.json", "w"))
"""


def test_numbers_read_from_its_report_are_those_of_its_own_trackers(tmp_path: Path) -> None:
    work = FixedWork(BATCH, PROMPT, OUTPUT, 1, ROUNDS)
    asked = asked_of(model_folder(), OptimumBenchmarkOptions(), work, Checkpoint({}, "float32"))
    (tmp_path / "asked.json").write_text(json.dumps(asked), "utf-8")
    (tmp_path / "direct.py").write_text(DIRECT, "utf-8")
    command = [sys.executable, str(tmp_path / "direct.py"), str(tmp_path / "asked.json"), str(tmp_path)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run(command, check=True, capture_output=True, env=variables, timeout=300)
    seen = json.loads((tmp_path / "events.json").read_text("utf-8"))
    events, ends = seen["per_token_events"], seen["decode_end_events"]
    rounds = [events[begin : begin + OUTPUT] for begin in range(0, len(events), OUTPUT)]
    assert len(rounds) == ROUNDS, "one event for each new token of each round"
    between = [late - early for each in rounds for early, late in itertools.pairwise(each)]
    decode = [end - each[0] for each, end in zip(rounds, ends, strict=True)]
    prefill = [end - begin for begin, end in zip(seen["prefill_start_events"], seen["prefill_end_events"], strict=True)]
    said = read_report(tmp_path / "benchmark_report.json", "optimum-benchmark")
    found = {one.metric: one for one in said.summary if not one.slice}
    assert found["per_token_latency"].samples.tolist() == pytest.approx(between)
    assert found["per_token_latency"].value == pytest.approx(sum(between) / len(between))
    assert found["decode_latency"].samples.tolist() == pytest.approx(decode)
    assert found["prefill_latency"].samples.tolist() == pytest.approx(prefill)
    assert found["decode_tps"].value == pytest.approx(BATCH * (OUTPUT - 1) / (sum(decode) / ROUNDS))
    assert said.workload == {"batch": BATCH, "prompt": PROMPT, "output": OUTPUT}
    report = json.loads((tmp_path / "benchmark_report.json").read_text("utf-8"))
    assert len(report["per_token"]["latency"]["values"]) > len(between), "its own list piled up"
