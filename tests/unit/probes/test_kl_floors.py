"""Floors beside a divergence: storage, launches and rounding, of hidden states, log-probabilities and live references; what is under them is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.probes import floors, kl_reference
from harness.probes.kl_divergence import Workload, measure
from harness.probes.kl_store import open_stored
from tests.unit.probes.hidden_scores import HiddenScores
from tests.unit.probes.kl_runs import GIVEN, TEXT, calm, compared, stored, values


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


def test_a_model_against_itself_is_at_the_floor_which_is_printed(text: str, tmp_path: Path) -> None:
    session = calm(HiddenScores())
    folder = stored(session, tmp_path, text)
    found = compared(session, folder, tmp_path, text)
    floor = open_stored(folder).meta.floors["storage"]
    assert 0 < floor < 1e-6
    assert abs(values(found)["kl_divergence"]) <= 1e-6
    assert values(found)["kl_floor floor:storage"] == floor
    assert values(found)["top1_agreement"] > 0.999
    whole = stored(session, tmp_path, text, "whole", stores="float32")
    assert abs(values(compared(session, whole, tmp_path, text, stores="float32"))["kl_divergence"]) < 1e-7


def test_float32_is_stored_where_float16_would_cost_more_than_is_allowed_and_said_so(text: str, tmp_path: Path) -> None:
    session = HiddenScores()
    folder = stored(session, tmp_path, text)
    meta = open_stored(folder).meta
    assert (meta.hidden_dtype, meta.floors) == ("float32", {"storage": 0.0})
    found = compared(session, folder, tmp_path, text)
    assert abs(values(found)["kl_divergence"]) <= 1e-6
    (said,) = [note.text for note in found.notes if note.code == "float32-store"]
    assert said.startswith("hidden states are stored in float32: float16 would cost ")
    asked = stored(session, tmp_path, text, "asked", stores="float32")
    assert not [note for note in open_stored(asked).meta.notes if note.code == "float32-store"], "that was asked for"


def test_where_only_later_positions_make_float16_too_coarse_float32_is_advised(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "float16_cost", lambda head, raw: 0.0)
    folder = stored(HiddenScores(), tmp_path, text)
    assert open_stored(folder).meta.hidden_dtype == "float16"
    found = compared(HiddenScores(noise=0.1), folder, tmp_path, text)
    (said,) = [note.text for note in found.notes if note.code == "coarse-store"]
    assert said.endswith("say stores: float32")


@pytest.mark.parametrize("form", ["logprobs", "live"])
def test_log_probabilities_and_live_references_have_floors_and_a_model_against_itself_is_marked(
    text: str, tmp_path: Path, form: str
) -> None:
    session, launched = HiddenScores(), HiddenScores(noise=1e-4)
    fresh = {"fresh": lambda ids, places: launched.rows(ids, places)}
    if form == "live":
        near, itself, far = (
            measure(one, Workload(text=text, **GIVEN), Context(folder=tmp_path, reference_session=session, **fresh))
            for one in (HiddenScores(noise=1e-5), session, HiddenScores(noise=0.1))
        )
    else:
        folder = stored(session, tmp_path, text, stores="logprobs", context=fresh)
        assert set(open_stored(folder).meta.floors) == {"self-noise"}
        near, itself, far = (
            compared(one, folder, tmp_path, text, stores="logprobs")
            for one in (HiddenScores(noise=1e-5), session, HiddenScores(noise=0.1))
        )
    for found, marked in ((near, True), (itself, True), (far, False)):
        said = {name: value for name, value in values(found).items() if name.startswith("kl_floor")}
        assert set(said) == {"kl_floor floor:rounding", "kl_floor floor:self-noise"}
        assert 0 < said["kl_floor floor:rounding"] < 1e-11 < said["kl_floor floor:self-noise"] < 1e-5
        assert ("under-floor" in {note.code for note in found.notes}) == marked
        assert found.protocol.facts["launches"] == 3


def test_a_live_reference_without_launches_has_the_floor_of_its_rounding(text: str, tmp_path: Path) -> None:
    session = HiddenScores()

    def fresh(ids: Any, places: Any) -> Any:
        raise HarnessError("out of memory")

    for given in ({}, {"fresh": fresh}):
        context = Context(folder=tmp_path, reference_session=session, **given)
        found = measure(session, Workload(text=text, **GIVEN), context)
        assert [name for name in values(found) if name.startswith("kl_floor")] == ["kl_floor floor:rounding"]
        codes = {note.code for note in found.notes}
        assert "under-floor" in codes
        assert ("no-self-noise" in codes) == bool(given)


def test_a_divergence_below_its_floor_is_marked(text: str, tmp_path: Path) -> None:
    session = HiddenScores()
    rows = [
        session.rows(list(TEXT.encode())[:64], range(64)),
        HiddenScores(noise=0.2).rows(list(TEXT.encode())[:64], range(64)),
    ]
    launches = iter([rows[0], rows[1], rows[0]])
    folder = stored(session, tmp_path, text, context={"fresh": lambda ids, places: next(launches)})
    meta = open_stored(folder).meta
    assert meta.launches == 3
    assert meta.floors["self-noise"] > 0.01
    near, far = (compared(HiddenScores(noise=noise), folder, tmp_path, text) for noise in (0.01, 2.0))
    assert "under-floor" in {note.code for note in near.notes}
    assert "under-floor" not in {note.code for note in far.notes}


def test_a_launch_that_fails_is_told_and_no_floor_is_invented(text: str, tmp_path: Path) -> None:
    def fresh(ids: Any, places: Any) -> Any:
        raise HarnessError("out of memory")

    out = tmp_path / "reference"
    out.mkdir()
    context = Context(folder=tmp_path, out=out, fresh=fresh)
    found = kl_reference.measure(HiddenScores(), kl_reference.Workload(text=text, **GIVEN), context)
    assert "out of memory" in next(note.text for note in found.notes if note.code == "no-self-noise")
    assert set(open_stored(out).meta.floors) == {"storage"}
