"""Training: killed anywhere it ends at the same weights, NaN stops it and keeps the last good checkpoint, and zeros and scales stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness import reference
from harness.core.errors import ConfigError, HarnessError
from harness.core.identity import folder_sha256
from harness.core.options import validated
from harness.core.seam import Base, Context, Facts
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.quantizers import modelopt_torch, sparsity, train
from harness.quantizers.training import LAST, TrainingPlan, _rows_of, _share
from tests.tiny_model import write_model
from tests.unit.quantizers.conftest import made

ONE = TransformersOptions(threads=1)
GIVEN = {"steps": 12, "rate": 1e-3, "window": 64, "checkpoint_every": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("train") / "hf")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "d.jsonl"
    path.write_text(
        "\n".join(f'{{"prompt": "count {n} cats", "answer": "there are {n * n} cats"}}' for n in range(40)), "utf-8"
    )
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def trained(base: Path, model: Path, folder: Path, data: Path | str, **more: Any) -> tuple[Path, Any]:
    return made(train.QUANTIZER, Base(base, "hf", model), folder, {**GIVEN, "data": str(data), **more})


def test_the_loss_falls_and_is_on_the_record(model: Path, data: Path, tmp_path: Path, cache: Path) -> None:
    _, built = trained(model, model, tmp_path / "run", data)
    facts = built.facts["training"]
    losses = [loss for _, loss in facts["losses"]]
    assert len(losses) == GIVEN["steps"] == facts["steps"]
    assert losses[-1] < losses[0]
    assert facts["seed"] == 1
    assert built.layers == {"float32": 14}
    assert "trained 12 steps on 'd.jsonl' (seed 1): loss on answers from" in built.notes[-1].text
    assert not list(cache.rglob(LAST)), "a checkpoint of what is done is removed"


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_and_ends_at_the_same_bytes(
    model: Path, data: Path, tmp_path: Path, cache: Path
) -> None:
    whole, _ = trained(model, model, tmp_path / "whole", data, steps=300)
    code = (
        "import sys; from pathlib import Path; from harness.core.seam import Base, Context; from harness.core.options import validated\n"
        "from harness.quantizers.train import QUANTIZER as Q\n"
        "model, out, data = map(Path, sys.argv[1:]); out.mkdir()\n"
        f"given = {{**{GIVEN!r}, 'data': str(data), 'steps': 300}}\n"
        "Q.build(Base(model, 'hf', model), validated(Q.options, given, 'x'), out, Context(folder=out.parent))"
    )
    command = [sys.executable, "-c", code, str(model), str(tmp_path / "killed"), str(data)]
    started = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL)
    seen: set[int] = set()
    deadline = time.monotonic() + 240
    while (
        len(seen) < 3 and started.poll() is None and time.monotonic() < deadline
    ):  # the second and third are of later steps
        seen |= {path.stat().st_mtime_ns for path in cache.rglob(LAST)}
        time.sleep(0.005)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL, "it was killed while it trained"
    again, built = trained(model, model, tmp_path / "again", data, steps=300)
    assert built.facts["training"]["resumed_at"] > 0
    assert folder_sha256(again) == folder_sha256(whole)


@pytest.mark.parametrize("aware", [False, True], ids=["floats", "quantization-aware"])
@pytest.mark.parametrize(("steps", "rate"), [(12, 1e30), (12, 1e4), (1, 1e30), (1, 1e4)])
def test_weights_that_a_step_wrecked_stop_the_training_and_are_never_the_last_good_ones(
    steps: int, rate: float, aware: bool, model: Path, data: Path, tmp_path: Path, cache: Path
) -> None:
    """Adam's first step changes each weight by the rate: 1e30 and 1e4 are finite weights, and no model's. Every step is a checkpoint's."""
    import torch

    base = model
    if aware:
        int4 = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32}
        base, _ = made(modelopt_torch.QUANTIZER, Base(model, "hf", model), tmp_path / "ptq", int4)
    where = "at step 2 of 12" if steps > 1 else "after the last of 1 steps"
    with pytest.raises(
        HarnessError, match=rf"(NaN or infinite|gives less than \S+|nothing were read,) {where}, and training stopped; the last good checkpoint, of step 0, is .*last\.pt; take a smaller",
    ) as raised:  # fmt: skip
        trained(base, model, tmp_path / "run", data, steps=steps, rate=rate, warmup=0.0, checkpoint_every=1)
    (kept,) = cache.rglob(LAST)
    assert str(kept) in str(raised.value)
    found = torch.load(kept, weights_only=True)
    assert found["losses"] == []
    assert max(float(part.detach().abs().max()) for part in found["weights"].values()) < 10


def test_a_model_that_is_broken_before_it_is_trained_is_told_as_such(model: Path, data: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    name = next(name for name in weights if name.endswith("q_proj.weight"))
    weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        HarnessError, match=r"NaN or infinite at step 1 of 12, and nothing was trained; look at the model"
    ):
        trained(broken, broken, tmp_path / "run", data)


def test_a_record_without_an_answer_is_refused_with_its_line(model: Path, tmp_path: Path) -> None:
    data = tmp_path / "bad.jsonl"
    data.write_text('{"prompt": "a", "answer": "b"}\n{"prompt": "a"}\n', "utf-8")
    with pytest.raises(ConfigError, match=r"bad\.jsonl:2: no answer"):
        trained(model, model, tmp_path / "run", data)


def test_a_window_beyond_the_context_is_refused(model: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="window 4096 exceeds the model's context of 1024 tokens"):
        trained(model, model, tmp_path / "run", data, window=4096)


def test_training_keeps_a_simulated_quantization_and_opens_as_it_was_saved(
    model: Path, data: Path, tmp_path: Path, calibration_file: Path
) -> None:
    from safetensors.torch import load_file

    options = {
        "config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG",
        "block_size": 32,
        "bits": 2,
        "activations": "int8",
        "dataset": str(calibration_file),
        "calib_size": 2,
    }
    ptq, _ = made(modelopt_torch.QUANTIZER, Base(model, "hf", model), tmp_path / "ptq", options)
    qat, built = trained(ptq, model, tmp_path / "qat", data)
    assert built.layers == {"int2 b32, inputs int8 tensor": 14}
    losses = [loss for _, loss in built.facts["training"]["losses"]]
    assert losses[-1] < losses[0]
    before, after = load_file(ptq / "model.safetensors"), load_file(qat / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name, part in before.items() if not part.equal(after[name])}
    assert not any("_quantizer." in name for name in changed), "scales stay"
    assert "model.layers.1.self_attn.q_proj.weight" in changed
    with open_artifact(qat, ONE) as session:
        assert [note.code for note in session.notes] == ["simulated"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_quantization_aware_training_repairs_on_held_out_answers_what_rounding_broke(tmp_path: Path) -> None:
    from harness.probes.validation_loss import PROBE, AnswersWorkload

    model = reference.model_folder()
    two_bits = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 128, "bits": 2}

    def rounded(base: Path, name: str) -> Path:
        return made(modelopt_torch.QUANTIZER, Base(base, "hf", model), tmp_path / name, two_bits)[0]

    def tuned(base: Path, name: str) -> Path:
        return trained(base, model, tmp_path / name, "reference-calibration", steps=25, rate=6e-4, window=128, rows=2)[
            0
        ]

    def loss(folder: Path) -> Any:
        with open_artifact(folder, ONE) as session:
            found = PROBE.measure(session, AnswersWorkload(window=128, limit=80), Context(folder=tmp_path))
        return found.values[0]

    ptq = rounded(model, "ptq")
    floats, broken, repaired, before = map(
        loss, (model, ptq, tuned(ptq, "qat"), rounded(tuned(model, "tuned"), "tuned-ptq"))
    )
    assert broken.value - repaired.value > (broken.value - floats.value) / 2
    assert repaired.value < before.value - (broken.value - floats.value) / 4, (
        "the same steps before the rounding do less"
    )


@pytest.mark.parametrize("mode", ["sparse_magnitude", "sparsegpt"])
def test_two_of_four_weights_are_zero_and_stay_so_in_training(
    mode: str, model: Path, data: Path, tmp_path: Path, calibration_file: Path
) -> None:
    from safetensors.torch import load_file

    given = {"mode": mode, **({"dataset": str(calibration_file), "calib_size": 2} if mode == "sparsegpt" else {})}
    sparse, built = made(sparsity.QUANTIZER, Base(model, "hf", model), tmp_path / "sparse", given)
    again, _ = made(sparsity.QUANTIZER, Base(model, "hf", model), tmp_path / "again", given)
    assert folder_sha256(again) == folder_sha256(sparse), "twice the same bytes"
    assert built.layers == {"2:4 sparse": 14}
    tuned, later = trained(sparse, model, tmp_path / "tuned", data)
    assert later.layers == {"2:4 sparse": 14}
    name = "model.layers.1.self_attn.q_proj.weight"
    dense, zeros, kept = (load_file(folder / "model.safetensors")[name] for folder in (model, sparse, tuned))
    assert int((zeros == 0).sum()) == zeros.numel() // 2
    assert ((kept == 0) | (zeros != 0)).all()
    assert not kept.equal(zeros)
    if mode == "sparse_magnitude":
        smallest = dense.abs().reshape(-1, 4).topk(2, largest=False).indices
        assert bool((zeros.reshape(-1, 4).gather(1, smallest) == 0).all())
        assert zeros[zeros != 0].equal(dense[zeros != 0])


def test_a_layer_that_is_dense_is_found(model: Path) -> None:
    from transformers import AutoModelForCausalLM

    opened = AutoModelForCausalLM.from_pretrained(model)
    with pytest.raises(HarnessError, match=r"layer 'model.layers.0.self_attn.q_proj' is not 2:4 sparse"):
        sparsity.hold_sparse(opened)
    assert sparsity.pattern(opened) == {}


def test_each_pass_goes_over_all_rows_in_an_order_of_its_own() -> None:
    plan = TrainingPlan(steps=10, rows=2, rate=1.0, warmup=0.2, seed=3, every=5)
    drawn = [row for step in range(10) for row in _rows_of(step, plan, 5)]
    passes = [drawn[start : start + 5] for start in range(0, 20, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    assert [round(_share(step, plan), 3) for step in range(10)] == [
        0.5,
        1.0,
        1.0,
        0.875,
        0.75,
        0.625,
        0.5,
        0.375,
        0.25,
        0.125,
    ]


def test_packages_that_are_absent_are_named() -> None:
    for quantizer, given in ((train.QUANTIZER, {"steps": 1}), (sparsity.QUANTIZER, {})):
        options = validated(quantizer.options, given, quantizer.name)
        assert "is not installed" in str(quantizer.refuse(options, Facts({}, "Linux")))
    assert Context(folder=Path()).out is None
