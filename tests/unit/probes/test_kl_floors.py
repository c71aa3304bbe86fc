"""Floors beside a divergence: storage, launches and rounding, of hidden states, log-probabilities and live references; what is under them is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.heads.linear import rounded, save_linear
from harness.probes import floors, kl_reference
from harness.probes.kl_divergence import Workload, measure
from harness.probes.kl_files import sealed, unsealed
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
    assert (meta.hidden_dtype, meta.floors["storage"]) == ("float32", 0.0)
    assert 0 <= meta.floors["head"] < 1e-9
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


class Rounded(HiddenScores):
    """A model in bfloat16 whose engine gives logits as they are; its head on its own rounds them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        rounded(self.head, "bfloat16")

    def save_head(self, folder: Path) -> None:
        bits = (self.head.view(np.uint32) >> 16).astype(np.uint16)
        save_linear(folder, lambda begin, end: bits[begin:end], bits.shape, "bfloat16")


class AlmostAsItsHead(Rounded):
    """The same, whose engine rounds as the head does, but for likely logits at three of a thousand positions."""

    def rows(self, ids: Any, positions: Any) -> Any:
        where = np.asarray(positions)
        logits = self.seen(ids, where) @ self.head.T
        rounded(logits, "bfloat16")
        rare = (where > 0) & (np.asarray(ids)[where] == ord("~")) & (np.asarray(ids)[where - 1] < ord("A"))
        logits[rare, logits[rare].argmax(axis=1)] *= np.float32(1 + 2**-8)
        logits = logits.astype(np.float64)
        return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def test_what_is_too_rare_for_the_sample_is_within_the_floor_of_a_head_in_16_bits(text: str, tmp_path: Path) -> None:
    folder = stored(AlmostAsItsHead(), tmp_path, text)
    meta = open_stored(folder).meta
    assert (meta.form, meta.floors["head"]) == ("hidden", 1e-6)
    found = compared(AlmostAsItsHead(), folder, tmp_path, text)
    assert 1e-9 < values(found)["kl_divergence"] <= 1e-6
    assert {"under-floor"} == {note.code for note in found.notes} - {"float32-store"}


def test_where_the_head_on_its_own_is_too_coarse_log_probabilities_are_stored(text: str, tmp_path: Path) -> None:
    folder = stored(Rounded(), tmp_path, text)
    meta = open_stored(folder).meta
    assert (meta.form, meta.floors) == ("logprobs", {})
    found = compared(Rounded(), folder, tmp_path, text)
    floors_of = {name: value for name, value in values(found).items() if name.startswith("kl_floor")}
    assert abs(values(found)["kl_divergence"]) <= sum(floors_of.values()) < 1e-9
    (said,) = [note.text for note in found.notes if note.code == "dense-reference"]
    assert said.endswith("whose logits are rounded to 16 bits, and at most 1e-06 is allowed")


def test_where_they_would_be_too_large_the_head_is_a_floor_and_what_is_under_it_marked(
    text: str, tmp_path: Path
) -> None:
    folder = stored(Rounded(), tmp_path, text, max_bytes=1000)
    meta = open_stored(folder).meta
    assert meta.form == "hidden"
    itself, near, far = (compared(Rounded(noise=noise), folder, tmp_path, text) for noise in (0.0, 1e-4, 0.3))
    assert 1e-6 < values(itself)["kl_divergence"] <= meta.floors["head"] + meta.floors["storage"] < 1e-3
    assert values(itself)["kl_floor floor:head"] == meta.floors["head"]
    for found, marked in ((itself, True), (near, True), (far, False)):
        codes = {note.code: note.text for note in found.notes}
        assert ("under-floor" in codes) == marked
        assert codes["coarse-store"].endswith("larger than max_bytes: say form: live, or fewer tokens")


@pytest.mark.parametrize("schema", [2, 3])
def test_a_reference_that_does_not_say_how_far_its_head_stands_has_the_most_that_was_accepted(
    text: str, tmp_path: Path, schema: int
) -> None:
    for session, most in ((Rounded(), 1e-3), (HiddenScores(), 1e-8)):
        folder = stored(session, tmp_path, text, f"of {most}", max_bytes=1000)
        meta = unsealed((folder / "meta.json").read_text("utf-8"))
        kept = {"storage": 2e-9}
        (folder / "meta.json").write_text(sealed({**meta, "schema_version": schema, "floors": kept}), "utf-8")
        found = values(compared(session, folder, tmp_path, text))
        assert (found["kl_floor floor:head"], found["kl_floor floor:storage"]) == (most, 2e-9)


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
    assert set(open_stored(out).meta.floors) == {"head", "storage"}
