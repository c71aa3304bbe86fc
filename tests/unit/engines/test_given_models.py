"""Both engines and lm-eval's own backend on models that were read wrongly once; their right values were computed apart."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.model_record import read_record
from harness.core.seam import Base, Context
from harness.core.weights import weights_flaw
from harness.engines import ort_genai, ort_genai_opening, torch_loading, transformers
from harness.engines.tokens import open_codec

pytestmark = pytest.mark.slow
ENGINES = ("transformers", "ort-genai")
RIGHT = {
    ("theta500k_v4", 400): 4466.409, ("theta500k_v5", 400): 4466.409, ("linear4_v4", 400): 4483.171,
    ("linear4_v5", 400): 4483.171, ("llama3theta10k_v4", 400): 4286.505, ("llama3theta10k_v5", 400): 4286.505,
    ("gemma2", 400): 1087.011, ("yarn_qwen_readme", 400): 4555.741, ("llama_linear", 400): 3889.454,
    ("phi3_longrope300", 250): 3817.364, ("phi3_longrope300", 300): 3818.350, ("phi3_longrope300", 301): 3850.414,
    ("phi3_longrope300", 400): 4117.537, ("phi3_longrope300", 512): 3955.406,
}  # fmt: skip
"""Perplexity by model and window; 1,200 tokens, each window alone."""
FIRST = {250: 3954.419, 300: 4243.326, 301: 4483.712, 400: 4478.999, 512: 4528.750}
"""Perplexity of phi3_longrope300 over the first window alone, with no other window beside it in a pass."""


@pytest.fixture(scope="module")
def given(cases: Path) -> Path:
    return cases


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@contextlib.contextmanager
def opened(model: Path, engine: str, exports: Path) -> Iterator[Any]:
    if engine == "transformers":
        with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
            yield session
        return
    from harness.quantizers.ort_genai import QUANTIZER

    precision = engine.removeprefix("ort-genai").strip() or "fp32"
    out, run = exports / f"{model.name} {precision}", exports / f"{model.name} {precision} run"
    if not out.is_dir():
        out.mkdir()
        run.mkdir()
        with contextlib.redirect_stdout(sys.stderr):
            QUANTIZER.build(Base(model, "hf", model), QUANTIZER.options(precision=precision), out, Context(run))
    with ort_genai.open_artifact(out, ort_genai_opening.OrtGenaiEngineOptions(threads=1)) as session:
        yield session


def perplexity(session: Any, ids: list[int], window: int) -> float:
    total, count = 0.0, 0
    for begin in range(0, len(ids), window):
        part = ids[begin : begin + window]
        for tile in session.logprobs(part, range(len(part) - 1)):
            rows = tile.logprobs.astype(np.float64)
            total -= float(rows[np.arange(len(rows)), np.asarray(part)[tile.positions + 1]].sum())
        count += len(part) - 1
    return math.exp(total / count)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "window"), RIGHT)
def test_a_model_has_the_perplexity_that_was_computed_apart(
    given: Path, exports: Path, engine: str, name: str, window: int
) -> None:
    model = given / "models" / name
    ids = open_codec(model).encode((given / "text.txt").read_text("utf-8"))[:1200]
    with opened(model, engine, exports) as session:
        assert perplexity(session, ids, window) == pytest.approx(RIGHT[name, window], rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_window_alone_has_its_own_perplexity_on_either_side_of_the_border(
    given: Path, exports: Path, engine: str
) -> None:
    model = given / "models" / "phi3_longrope300"
    ids = open_codec(model).encode((given / "text.txt").read_text("utf-8"))
    with opened(model, engine, exports) as session:
        for window, right in FIRST.items():
            assert perplexity(session, ids[:window], window) == pytest.approx(right, rel=1e-4), window


@pytest.mark.parametrize("attention", [None, "eager", "sdpa"])
def test_attention_sinks_are_computed_or_the_remedy_is_named(given: Path, attention: str | None) -> None:
    model = given / "models" / "gptoss"
    ids = open_codec(model).encode((given / "text.txt").read_text("utf-8"))[:200]
    options = torch_loading.TransformersOptions(threads=1, **({"attention": attention} if attention else {}))
    if attention == "sdpa":
        with pytest.raises(HarnessError, match="attention: eager"), transformers.open_artifact(model, options):
            pass
        return
    with transformers.open_artifact(model, options) as session:
        assert perplexity(session, ids, 100) == pytest.approx(plain_pass(model, ids, 100), rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["qwen2theta1M_v4", "qwen2theta1M_v5", "gemma", "gemma_tie_written"])
def test_a_model_has_the_perplexity_of_one_plain_pass(given: Path, exports: Path, engine: str, name: str) -> None:
    twin = given / "models" / {"qwen2theta1M_v5": "qwen2theta1M_v4", "gemma": "gemma_tie_written"}.get(name, name)
    ids = open_codec(twin).encode((given / "text.txt").read_text("utf-8"))[:1200]
    with opened(given / "models" / name, engine, exports) as session:
        assert perplexity(session, ids, 400) == pytest.approx(plain_pass(twin, ids, 400), rel=1e-4)


def plain_pass(model: Path, ids: list[int], window: int) -> float:
    """Compute a perplexity with nothing but transformers: eager, float32, no cache, float64 log-softmax."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager").eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(ids), window):
            part = torch.tensor([ids[begin : begin + window]])
            rows = torch.log_softmax(loaded(part, use_cache=False).logits[0, :-1].double(), -1)
            total -= float(rows.gather(1, part[0, 1:, None]).sum())
            count += part.shape[1] - 1
    return math.exp(total / count)


@pytest.mark.parametrize("name", ["gemma", "gemma_tie_written"])
def test_a_tied_head_by_default_is_built_in_int8_as_one_that_is_written(given: Path, exports: Path, name: str) -> None:
    model = given / "models" / name
    ids = open_codec(model).encode((given / "text.txt").read_text("utf-8"))[:768]
    with opened(model, "ort-genai int8", exports) as session:
        assert perplexity(session, ids, 256) == pytest.approx(2323.154, rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["multi-eos", "bos-flag-false-pp", "bos-flag-true-no-pp"])
def test_texts_and_prompts_are_those_of_lm_evals_own_backend(
    given: Path, exports: Path, engine: str, name: str
) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from harness.core.seam import Context
    from harness.probes.groups import Finished
    from harness.probes.lm_eval_model import ScoresModel
    from harness.probes.lm_eval_prompts import Tally

    model = given / "models" / name
    prompts = [json.loads(line)["q"] for line in (given / "tasks" / "gen.jsonl").read_text("utf-8").splitlines()][:6]
    settings = {"until": ["<|nothing|>"], "max_gen_toks": 96, "do_sample": False}

    def requests() -> list[Any]:
        return [Instance("generate_until", {}, (prompt, dict(settings)), place) for place, prompt in enumerate(prompts)]

    peer = HFLM(pretrained=str(model), dtype="float32", device="cpu", batch_size=1)
    with opened(model, engine, exports) as session:
        finished = Finished(session, Context(folder=exports))
        ours = ScoresModel(session, Tally(), finished, lambda share: None, bos=session.codec.adds_bos)
        assert ours.tok_encode(prompts[0]) == peer.tok_encode(prompts[0])
        assert ours.generate_until(requests()) == peer.generate_until(requests(), disable_tqdm=True)


def test_weights_that_no_model_can_have_are_refused_and_unread_ones_told(given: Path) -> None:
    models = given / "models"
    assert "NaN or infinite" in str(weights_flaw(models / "nan_weight", read_record(models / "nan_weight")))
    tied = models / "tied_but_own_head"
    assert "the files hold another head" in str(weights_flaw(tied, read_record(tied)))
    with transformers.open_artifact(models / "bias_unread", torch_loading.TransformersOptions(threads=1)) as session:
        assert [note.code for note in session.notes] == ["weights-unread"]
