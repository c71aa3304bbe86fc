"""AWQ's quick search chooses what ModelOpt's own does, to the byte."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.identity import folder_sha256
from harness.core.options import validated
from harness.core.seam import Base, Context
from harness.quantizers import modelopt_onnx, modelopt_search
from harness.quantizers.modelopt_onnx import QUANTIZER
from tests.unit.quantizers.conftest import made

FEW = {"calib_size": 3, "block_size": 32}


@dataclass(frozen=True)
class Named:
    name: str


class Session:
    """Gives activations out by name, as ONNX Runtime would, and counts how often it is run."""

    def __init__(self, texts: list[dict[str, np.ndarray]]) -> None:
        self.texts, self.runs = texts, 0

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.runs += 1
        return [self.texts[int(given["input_ids"][0, 0])][name].copy() for name in names]


def layers(seed: int, outlier: float, turned: bool) -> tuple[list[Any], Session, list[dict[str, np.ndarray]]]:
    """Two activations, of which the first feeds two layers; a few of their channels are far larger than the others."""
    import onnx

    source = np.random.default_rng(seed)
    texts = []
    for _ in range(3):
        wide, narrow = (source.standard_normal((1, 40, size)).astype(np.float32) for size in (192, 96))
        for values in (wide, narrow):
            values[..., :: values.shape[-1] // 3] = values[..., :: values.shape[-1] // 3] * outlier + outlier / 2
        texts.append({"wide": wide, "narrow": narrow})
    shapes = [("wide", 192, 64), ("wide", 192, 128), ("narrow", 96, 160)]
    pack = []
    for number, (name, inputs, outputs) in enumerate(shapes):
        weight = (source.standard_normal((inputs, outputs)) * source.lognormal(0, 1, (inputs, 1))).astype(np.float32)
        stored = onnx.numpy_helper.from_array(np.ascontiguousarray(weight.T) if turned else weight, f"w{number}")
        pack.append((Named(name), stored, turned, onnx.TensorProto.FLOAT, f"w{number}"))
    inputs = [{"input_ids": np.full((1, 40), number, np.int64)} for number in range(3)]
    return pack, Session(texts), inputs


@pytest.mark.parametrize("outlier", [1.0, 3000.0])
@pytest.mark.parametrize(("bits", "zero_point", "turned"), [(4, False, False), (4, True, False), (8, False, True)])
def test_the_quick_search_chooses_the_scales_that_the_package_chooses(
    outlier: float, bits: int, zero_point: bool, turned: bool
) -> None:
    from modelopt.onnx.quantization import int4

    info = {f"w{number}": {"precision": 8, "block_size": -1, "axis": 0} for number in range(3)} if bits == 8 else None
    found = []
    for quick in (False, True):
        for seed, fast in ((0, False), (1, False), (2, True)):
            pack, session, inputs = layers(seed, outlier, turned)
            held = [session.run([act.name for act, *_ in pack], one) for one in inputs] if fast else []
            given = (
                pack,
                "here/m.onnx",
                32,
                zero_point,
                session,
                [None] * 3,
                inputs,
                "...",
                False,
                fast,
                held,
                {},
                info,
            )
            with modelopt_search.quick_search(lambda *_: None) if quick else contextlib.nullcontext():
                chosen, clips = int4.run_awq_scale_search_per_node(*given)
            assert clips == {}
            found.append([(one.best_alpha, one.best_scale.tobytes()) for one in chosen])
    half = len(found) // 2
    assert found[:half] == found[half:]
    assert outlier > 1 or len({alpha for one in found for alpha, _ in one}) > 1, "the choice is a choice"


def test_texts_are_run_once_for_as_many_activations_as_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelopt.onnx.quantization import int4

    counts = []
    for limit in (2 << 30, 1):
        monkeypatch.setattr(modelopt_search, "MEMORY_BYTES", limit)
        pack, session, inputs = layers(0, 1.0, turned=False)
        with modelopt_search.quick_search(lambda *_: None):
            int4.run_awq_scale_search_per_node(
                pack, "m", 32, False, session, [None] * 3, inputs, "", False, False, [], {}
            )
        counts.append(session.runs)
    assert counts == [3, 6], "once for both activations, or once for each; the package runs all texts for each layer"


@pytest.mark.parametrize("options", [{"algo": "awq_lite"}, {"algo": "awq_full", "enable_mixed_quant": True}])
@pytest.mark.slow
def test_an_artifact_is_the_same_to_the_byte_with_the_packages_own_search(
    options: dict[str, Any], byte_model: Path, fp32_export: Path, calibration_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    base = Base(fp32_export, "ort-genai", byte_model)
    given = FEW | options | {"dataset": str(calibration_file)}
    quick, _ = made(QUANTIZER, base, tmp_path / "quick", given)
    monkeypatch.setattr(modelopt_search, "quick_search", lambda _: contextlib.nullcontext())
    own, _ = made(QUANTIZER, base, tmp_path / "own", given)
    assert folder_sha256(quick) == folder_sha256(own)


def test_a_build_tells_how_far_it_is_layer_by_layer(
    byte_model: Path, fp32_export: Path, calibration_file: Path, tmp_path: Path
) -> None:
    told: list[tuple[float, str]] = []
    (tmp_path / "out").mkdir()
    (tmp_path / "run").mkdir()
    options = validated(
        QUANTIZER.options, FEW | {"algo": "awq_lite", "dataset": str(calibration_file)}, "modelopt-onnx"
    )
    context = Context(tmp_path / "run", progress=lambda share, what="": told.append((share, what)))
    modelopt_onnx.build(Base(fp32_export, "ort-genai", byte_model), options, tmp_path / "out", context)
    shares = [share for share, _ in told]
    assert shares == sorted(shares), "progress never goes back"
    searched = [what for _, what in told if what.startswith("searching scales, layer ")]
    assert searched[-1] == f"searching scales, layer {len(searched)} of {len(searched)}"
    assert len(searched) == 20
