"""The floor between real engines on the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.seam import Context
from harness.probes import kl_reference, perplexity
from harness.probes.kl_divergence import Workload, measure
from tests.unit.probes.genai_export import reference_export

pytestmark = pytest.mark.slow
TOKENS = 3000


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    pytest.importorskip("torch")
    artifact = reference_export(tmp_path_factory.mktemp("export") / "fp32")
    from harness import reference
    from harness.engines import ort_genai, transformers

    hf = transformers.ENGINE.open(reference.model_folder(), transformers.ENGINE.options.model_validate({"threads": 1}))
    with (
        hf as torch_session,
        ort_genai.ENGINE.open(artifact, ort_genai.ENGINE.options.model_validate({"threads": 1})) as session,
    ):
        yield torch_session, session


def kl(found: Any) -> float:
    return next(float(reading.value) for reading in found.values if reading.metric == "kl_divergence")


def test_two_engines_on_the_same_weights_agree(sessions: tuple[Any, Any], tmp_path: Path) -> None:
    torch_session, session = sessions
    found = measure(session, Workload(tokens=TOKENS), Context(folder=tmp_path, reference_session=torch_session))
    assert 0 <= kl(found) < 1e-6
    workload = perplexity.Workload(tokens=TOKENS)
    values = [perplexity.measure(one, workload, Context(folder=tmp_path)).values[0].value for one in sessions]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_an_engine_against_itself_is_at_the_floor(sessions: tuple[Any, Any], tmp_path: Path) -> None:
    for name, session in zip(("torch", "genai"), sessions, strict=True):
        live = measure(session, Workload(tokens=TOKENS), Context(folder=tmp_path, reference_session=session))
        assert abs(kl(live)) < 1e-9
        out = tmp_path / name
        out.mkdir()
        kl_reference.measure(session, kl_reference.Workload(tokens=TOKENS), Context(folder=tmp_path, out=out))
        stored = measure(session, Workload(tokens=TOKENS), Context(folder=tmp_path, reference=out))
        assert abs(kl(stored)) < 1e-6


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_model_in_16_bits_against_itself_is_within_the_floors_that_are_printed(tmp_path: Path, dtype: str) -> None:
    pytest.importorskip("torch")
    from harness import reference
    from harness.engines import transformers

    options = transformers.ENGINE.options.model_validate({"threads": 1, "dtype": dtype})
    with transformers.ENGINE.open(reference.model_folder(), options) as session:
        for name, most_bytes in (("small", 2 << 30), ("large", 1)):
            out = tmp_path / name
            out.mkdir()
            context = Context(folder=tmp_path, out=out)
            kl_reference.measure(session, kl_reference.Workload(tokens=1100, max_bytes=most_bytes), context)
            found = measure(session, Workload(tokens=1100), Context(folder=tmp_path, reference=out))
            floors = [one.value for one in found.values if one.metric == "kl_floor"]
            assert abs(kl(found)) <= sum(floors)
            assert abs(kl(found)) <= 1e-6 or {"coarse-store", "under-floor"} <= {note.code for note in found.notes}
