from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.heads import linear
from harness.heads.linear import rounded, save_linear, widened
from harness.heads.opening import open_head
from harness.heads.record import Step, read_record

DRAW = np.random.default_rng(5)
WEIGHT = DRAW.standard_normal((300, 16)).astype(np.float32)
HIDDEN = DRAW.standard_normal((9, 16)).astype(np.float32)


def saved(folder: Path, dtype: Any = "float32", steps: tuple[Step, ...] = ()) -> Path:
    folder.mkdir()
    stored = WEIGHT.copy()
    rounded(stored, dtype)
    bits = (stored.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bfloat16" else stored.astype(dtype)
    save_linear(folder, lambda begin, end: bits[begin:end], WEIGHT.shape, dtype, steps)
    return folder


@pytest.mark.parametrize("held", [1 << 30, 0], ids=["held", "by tiles"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_logits_are_the_product_in_the_models_own_type(
    tmp_path: Path, dtype: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(linear, "_HELD_BYTES", held)
    monkeypatch.setattr(linear, "_TILE_BYTES", 4 * 16 * 77)
    found = open_head(saved(tmp_path / "head", dtype)).logits(HIDDEN)
    kind = getattr(torch, dtype)
    weight, hidden = torch.tensor(WEIGHT).to(kind), torch.tensor(HIDDEN).to(kind)
    given = hidden.float().numpy()
    wanted = torch.nn.functional.linear(hidden, weight).float().numpy()
    memory = np.full((len(given), 300), np.nan, dtype=np.float32)
    found = open_head(tmp_path / "head").logits(given, memory)
    assert found is memory
    step = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    np.testing.assert_allclose(found, wanted, rtol=step, atol=step)
    assert np.array_equal(widened(_back(found, dtype), dtype), found)


def _back(values: Any, dtype: str) -> Any:
    return (values.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bfloat16" else values.astype(dtype)


def test_what_a_model_does_behind_its_head_is_done(tmp_path: Path) -> None:
    steps = (Step(what="div", by=3.0), Step(what="tanh"), Step(what="mul", by=3.0), Step(what="add", by=0.5))
    found = open_head(saved(tmp_path / "head", steps=steps)).logits(HIDDEN)
    np.testing.assert_allclose(found, 3 * np.tanh(HIDDEN @ WEIGHT.T / 3) + 0.5, rtol=1e-5, atol=1e-6)


def test_rounding_to_bfloat16_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")
    values = np.concatenate([DRAW.standard_normal(2000) * 10.0**k for k in range(-6, 6)]).astype(np.float32)
    wanted = torch.tensor(values).bfloat16().float().numpy()
    rounded(values, "bfloat16")
    assert np.array_equal(values, wanted)


def test_a_hash_is_of_what_is_computed(tmp_path: Path) -> None:
    kinds = [
        saved(tmp_path / "a"),
        saved(tmp_path / "b"),
        saved(tmp_path / "c", "float16"),
        saved(tmp_path / "d", steps=(Step(what="tanh"),)),
    ]
    one, same, *others = (read_record(folder).sha256 for folder in kinds)
    assert one == same
    assert len({one, *others}) == 3


@pytest.mark.parametrize("file", ["weight.npy", "head.json"])
def test_a_damaged_head_is_refused(tmp_path: Path, file: str) -> None:
    folder = saved(tmp_path / "head")
    (folder / file).write_bytes((folder / file).read_bytes()[:-9])
    with pytest.raises(HarnessError, match="make the reference again"):
        open_head(folder)
