"""optimum-benchmark as its users call it, and as engine `optimum-benchmark` drives it, in turn on the same work: one speed.

Directly: its own Python interface with its own option for bitsandbytes, which quantizes while it loads, as the script of bitsandbytes does. Ours: the saved
checkpoint through probe `generation`. `python -m tests.benchmarks.optimum_peer [pairs]` in an environment with bitsandbytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.core.options import validated
from harness.core.seam import Base, Context
from harness.engines.optimum_benchmark import ENGINE, OptimumBenchmarkOptions
from harness.formats.optimum_events import own_intervals
from harness.probes.generation import PROBE
from harness.quantizers.bitsandbytes import QUANTIZER
from harness.reference import model_folder
from tests.benchmarks.agreement import told
from tests.benchmarks.facts import headline, result

NAME = "bnb-2025-09"
DIRECT = """
import json, sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig

if __name__ == "__main__":
    scenario = InferenceConfig(latency=True, memory=False, iterations=10, duration=0, warmup_runs=10,
        input_shapes={"batch_size": 1, "sequence_length": 64}, generate_kwargs={"max_new_tokens": 64, "min_new_tokens": 64})
    backend = PyTorchConfig(model=sys.argv[1], device="cpu", library="transformers", task="text-generation", torch_dtype="bfloat16",
        quantization_scheme="bitsandbytes", quantization_config={"load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": False, "bnb_4bit_compute_dtype": "bfloat16"})
    Benchmark.launch(BenchmarkConfig(name="direct", launcher=InlineConfig(), scenario=scenario, backend=backend)).save_json(sys.argv[2])
"""


def directly(model: Path, folder: Path) -> tuple[float, float]:
    """Call it as its users do; seconds between tokens, and tokens per second of decoding."""
    script, out = folder / "direct.py", folder / "direct.json"
    script.write_text(DIRECT, "utf-8")
    subprocess.run([sys.executable, str(script), str(model), str(out)], check=True, capture_output=True)
    report = json.loads(out.read_text("utf-8"))
    between = own_intervals(report["per_token"]["latency"]["values"], 10)
    assert between is not None
    return sum(between) / len(between), report["decode"]["throughput"]["value"]


def ours(artifact: Path, folder: Path) -> tuple[float, float]:
    """Measure as a speed job does."""
    run = Path(tempfile.mkdtemp(dir=folder))
    with ENGINE.open(artifact, OptimumBenchmarkOptions()) as session:
        found = PROBE.measure(session, PROBE.workload.model_validate({"protocol": NAME}), Context(folder=run))
    told = {one.metric: one.value for one in found.values if not one.slice}
    return told["per_token_latency"], told["decode_tps"]


def main(pairs: int) -> int:
    """Take turns, each first as often as second; print both ratios with their intervals."""
    headline(f"python -m tests.benchmarks.optimum_peer {pairs}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "nf4").mkdir()
        options = validated(QUANTIZER.options, {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "bitsandbytes")
        QUANTIZER.build(Base(model_folder(), "hf", model_folder()), options, folder / "nf4", Context(folder=folder))
        one: list[tuple[float, float]] = []
        other: list[tuple[float, float]] = []
        for number in range(pairs):
            for which in ("ours", "directly") if number % 2 else ("directly", "ours"):
                if which == "ours":
                    one.append(ours(folder / "nf4", folder))
                else:
                    other.append(directly(model_folder(), folder))
            print(
                f"pair {number + 1}: ours {one[-1][0]:.6f} s, {one[-1][1]:.2f} tok/s; directly {other[-1][0]:.6f} s, {other[-1][1]:.2f} tok/s",
                flush=True,
            )
    named = ((0, "seconds between tokens", "s"), (1, "decode tokens per second", "tokens/s"))
    agree = [
        told(words, unit, *([each[place] for each in some] for some in (one, other))) for place, words, unit in named
    ]
    return result(all(agree))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 6))
