"""`benchmark_e2e.py` of ONNX Runtime GenAI and probe `generation`, in turn on the same artifact and work: one speed.

The script is not here: give the folder of `benchmark/python` in a checkout of microsoft/onnxruntime-genai. It draws its prompt at random, of as many
tokens; both choose the likeliest token. `python -m tests.benchmarks.genai_peer FOLDER [pairs]`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from harness.core.options import validated
from harness.core.seam import Base, Context
from harness.engines.ort_genai import ENGINE
from harness.probes.generation import PROBE
from harness.quantizers.ort_genai import QUANTIZER
from harness.reference import model_folder
from tests.benchmarks.agreement import told
from tests.benchmarks.facts import headline, result

WORK = {"batch": 1, "prompt": 128, "output": 128, "warmup": 2, "repetitions": 16}
NUMBERS = {
    "decode_tps": ("token_generation_throughput_tps", 1.0),
    "prefill_tps": ("prompt_processing_throughput_tps", 1.0),
    "ttft": ("time_to_first_token_ms", 1e-3),
}
"""Our metric: theirs, and what makes its unit ours."""
Numbers = dict[str, float]


def directly(script: Path, artifact: Path, folder: Path) -> Numbers:
    """Call the script as its users do, in a process of its own."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "e2e.csv"
    words = [
        "-i", artifact, "-b", WORK["batch"], "-l", WORK["prompt"], "-g", WORK["output"], "-r", WORK["repetitions"], "-w", WORK["warmup"],
        "-k", 1, "-o", out, "--aggregation", "median", "--use_random_tokens", "-e", "cpu",
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, script.name, *map(str, words)], cwd=script.parent, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"{script} ended with {ran.returncode}: {ran.stderr[-2000:]}")
    (record,) = json.loads(out.with_suffix(".json").read_text("utf-8"))
    numbers = record["metrics"]
    return {name: numbers[theirs] * unit for name, (theirs, unit) in NUMBERS.items()}


def ours(artifact: Path, folder: Path) -> Numbers:
    """Measure as a round does, in a process of its own."""
    run = Path(tempfile.mkdtemp(dir=folder))
    words = [sys.executable, "-m", "tests.benchmarks.genai_peer", "--ours", str(artifact), str(run)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    found: Numbers = json.loads(ran.stdout.splitlines()[-1])
    return found


def measured(artifact: Path, run: Path) -> Numbers:
    """Measure here."""
    work = {**WORK, "protocol": "genai-e2e-0.9-median"}
    with ENGINE.open(artifact, validated(ENGINE.options, {"provider": "cpu"}, "ort-genai")) as session:
        found = PROBE.measure(session, PROBE.workload.model_validate(work), Context(folder=run))
    told = {one.metric: one.value for one in found.values if not one.slice}
    return {name: told[name] for name in NUMBERS}


def main(script: Path, pairs: int) -> int:
    """Take turns, each first as often as second; print the ratios with their intervals."""
    headline(f"python -m tests.benchmarks.genai_peer benchmark/python {pairs}")
    one: list[Numbers] = []
    other: list[Numbers] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        artifact = folder / "int4"
        artifact.mkdir()
        (folder / "scratch").mkdir()
        options = validated(QUANTIZER.options, {"precision": "int4"}, "ort-genai")
        with redirect_stdout(sys.stderr):
            QUANTIZER.build(
                Base(model_folder(), "hf", model_folder()), options, artifact, Context(folder=folder / "scratch")
            )
        for number in range(pairs):
            for which in ("ours", "directly") if number % 2 else ("directly", "ours"):
                if which == "ours":
                    one.append(ours(artifact, folder))
                else:
                    other.append(directly(script, artifact, folder))
            sides = "; ".join(f"{name} {one[-1][name]:.6g} and {other[-1][name]:.6g}" for name in NUMBERS)
            print(f"pair {number + 1}, ours and directly: {sides}", flush=True)
    agree = [
        told(name, "s" if name == "ttft" else "tokens/s", *([each[name] for each in some] for some in (one, other)))
        for name in NUMBERS
    ]
    return result(all(agree))


if __name__ == "__main__":
    if sys.argv[1] == "--ours":
        print(json.dumps(measured(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        sys.exit(main(Path(sys.argv[1]) / "benchmark_e2e.py", int(sys.argv[2]) if len(sys.argv) > 2 else 8))
