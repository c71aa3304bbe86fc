"""Answers that lm-eval itself writes of the shipped model, in other precisions, compared by `harness compare`.

    python -m tests.benchmarks.compare_answers

The 800 shipped questions are one prompt without examples; `lm_eval --log_samples` runs the model in float32, in bfloat16, and with the weights of its layers
rounded to 4, then 3 bits in groups of 32. The files of `tests/golden/lm_eval` are rows of the first and the last.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.questions import questions_folder, read_subject, subjects
from harness.reference import model_folder
from tests.benchmarks.facts import headline, result

TASK = """task: shipped_questions
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
GROUP = 32


def write_task(folder: Path) -> None:
    """Write the questions and the task that asks them."""
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as out:
        for name in subjects(questions_folder("reference")):
            for one in read_subject(questions_folder("reference"), name, "test"):
                row = {"question": one.text, "choices": list(one.choices), "answer": one.answer, "subject": name}
                out.write(json.dumps(row) + "\n")
    (folder / "task.yaml").write_text(TASK.replace("QUESTIONS", str(folder / "questions.jsonl")), "utf-8")


def rounded(folder: Path, bits: tuple[int, ...]) -> Path:
    """Save the model with the weights of its layers rounded, to each number of bits after the other."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder(), dtype=torch.float32)
    for some in bits:
        for name, layer in model.named_modules():
            if isinstance(layer, torch.nn.Linear) and "lm_head" not in name:
                groups = layer.weight.data.reshape(-1, GROUP)
                scale = groups.abs().amax(1, keepdim=True) / (2 ** (some - 1) - 1)
                layer.weight.data = (torch.round(groups / scale) * scale).reshape(layer.weight.shape)
    model.save_pretrained(folder)
    for path in model_folder().glob("*token*"):
        shutil.copy(path, folder)
    return folder


def answers(folder: Path, name: str, model: Path, dtype: str) -> Path:
    """Run lm-eval, and return its results file."""
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model},dtype={dtype}", "--tasks",
               "shipped_questions", "--include_path", str(folder), "--output_path", str(folder / name), "--log_samples", "--device", "cpu",
               "--batch_size", "32"]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return next((folder / name).glob("*/results_*.json"))


def main() -> None:
    """Measure, compare, and say whether the same weights are never called worse."""
    headline("python -m tests.benchmarks.compare_answers")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_task(folder)
        before = answers(folder, "float32", model_folder(), "float32")
        codes = {}
        for called, model, dtype in (
            ("bfloat16", model_folder(), "bfloat16"),
            ("3 bits", rounded(folder / "rounded", (4, 3)), "float32"),
        ):
            after = answers(folder, called.replace(" ", "_"), model, dtype)
            command = [sys.executable, "-m", "harness", "compare", str(before), str(after), "--flips", "3"]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            codes[called] = ran.returncode
            print(
                f"float32 against {called}, exit code {ran.returncode}:\n\n{ran.stdout[ran.stdout.index('**') :].strip()}\n",
                flush=True,
            )
    sys.exit(result(codes["bfloat16"] == 0))


if __name__ == "__main__":
    main()
