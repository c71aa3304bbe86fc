"""A program that writes a report as its arguments say, and the reports that tests let it write."""

from __future__ import annotations

import json
from typing import Any

SCRIPT = """
import json, os, sys, time
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
report = json.loads(arguments.pop("--report", "{}"))
for name in ("--batch", "--prompt"):
    if name in arguments:
        report.setdefault("asked", {})[name.strip("-")] = int(arguments[name])
path = os.path.join(arguments["--out"], arguments.get("--name", "r.json"))
if arguments.get("--write", "yes") == "yes":
    with open(path, "w") as file:
        file.write(arguments.get("--text") or json.dumps(report))
if "--link" in arguments:
    away = os.path.join(os.path.dirname(arguments["--out"]), "away.json")
    os.replace(path, away)
    os.symlink(away, path)
if "--aged" in arguments:
    os.utime(path, (time.time() - float(arguments["--aged"]),) * 2)
print("measured", os.path.basename(arguments["--model"]))
sys.exit(int(arguments.get("--exit", "0")))
"""
GENAI = {
    "metadata": {"package_name": "onnxruntime-genai", "package_version": "0.15.2", "device": "cpu"},
    "config": {"batch_size": 2, "prompt_length": 64, "tokens_generated": 32, "model_info": {"full_name": "m"}},
    "metrics": {"token_generation_throughput_tps": 123.5, "time_to_first_token_ms": 9.0},
}


def given(report: Any) -> str:
    return f"--report '{json.dumps(report)}'"
