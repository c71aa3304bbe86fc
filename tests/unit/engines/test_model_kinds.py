"""Both engines against one whole pass of transformers, on models made anew of each kind that was once read wrongly."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seam import Base, Context
from harness.core.sessions import Request
from harness.engines import ort_genai, ort_genai_opening, torch_loading, transformers
from tests.model_kinds import HYBRID, KINDS, Whole, as_version_5, token_ids, write_kind

Opened = Callable[[str, str, bool], AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


def model_of(folders: Path, kind: str, *, newer: bool = False) -> Path:
    """Give the folder of a kind; `newer`: with its configuration as transformers 5 writes it."""
    folder = folders / kind
    if not folder.is_dir():
        write_kind(folder, kind)
    if newer and not (folders / f"{kind} 5").is_dir():
        as_version_5(folder, folders / f"{kind} 5")
    return folders / f"{kind} 5" if newer else folder


def exported(model: Path) -> Path:
    """Give the fp32 export of a model's folder."""
    from harness.quantizers.ort_genai import QUANTIZER

    out, run = model.with_name(f"{model.name} fp32"), model.with_name(f"{model.name} run")
    if not out.is_dir():
        out.mkdir()
        run.mkdir()
        with contextlib.redirect_stdout(sys.stderr):
            QUANTIZER.build(Base(model, "hf", model), QUANTIZER.options(precision="fp32"), out, Context(run))
    return out


@contextlib.contextmanager
def opened(folders: Path, kind: str, engine: str, *, newer: bool = False) -> Iterator[Any]:
    model = model_of(folders, kind, newer=newer)
    if engine == "transformers":
        with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
            yield session
    else:
        with ort_genai.open_artifact(exported(model), ort_genai_opening.OrtGenaiEngineOptions(threads=1)) as session:
            yield session


def hold(session: Any, whole: Whole, length: int, most: float = 2e-3) -> None:
    """Hold the log-probabilities of one window against one whole pass; the mean within 1e-4 of itself."""
    ids = token_ids(length)
    found = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(ids, range(length - 1))])
    right = whole.rows(ids)[:-1]
    assert np.abs(found - right).max() < most
    picked = np.arange(length - 1), np.asarray(ids[1:])
    assert found[picked].mean() == pytest.approx(right[picked].mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["transformers", "ort-genai"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_window_has_the_log_probabilities_of_one_whole_pass(folders: Path, kind: str, engine: str) -> None:
    whole = Whole(model_of(folders, kind))
    with opened(folders, kind, engine) as session:
        for length in (60, 600):
            hold(session, whole, length, 5e-4)
        assert session._forward.sharing.continues


def test_tiles_see_all_before_them_where_a_window_is_named_that_nothing_reads(folders: Path) -> None:
    whole = Whole(model_of(folders, "a window that nothing reads"))
    with opened(folders, "a window that nothing reads", "transformers") as session:
        hold(session, whole, 600, 3e-4)


@pytest.mark.parametrize("kind", HYBRID)
def test_a_model_whose_states_transformers_cannot_continue_is_run_in_whole_passes(folders: Path, kind: str) -> None:
    whole = Whole(model_of(folders, kind))
    with opened(folders, kind, "transformers") as session:
        hold(session, whole, 600, 5e-4)
        ids = token_ids(600, seed=2)
        tiles = list(session.logits(ids, [10, 599]))
        logits = tiles[0].logits - np.logaddexp.reduce(tiles[0].logits.astype(np.float64), axis=1, keepdims=True)
        assert np.abs(logits - whole.rows(ids)[[10, 599]]).max() < 5e-4
        request = Request(tuple(ids[:500]), tuple(ids[500:503]))
        [score] = session.score([request])
        rows = whole.rows(ids[:502])[499:]
        assert score.logprob == pytest.approx(sum(rows[at, ids[500 + at]] for at in range(3)), abs=1e-3)
        made = session.greedy_all([ids[:590], ids[:580]], 3)[0]
        assert made == [whole.rows([*ids[:590], *made[:count]])[-1].argmax() for count in range(3)]
        assert "whole sequences, each in one pass" in {note.code: note.text for note in session.notes}["whole-prompts"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["transformers", "ort-genai"])
@pytest.mark.parametrize(
    "kind", ["theta", "linear, Qwen3", "yarn", "llama3", "longrope", "partial rotation", "local rotation"]
)
def test_a_configuration_of_transformers_5_is_the_same_model(folders: Path, kind: str, engine: str) -> None:
    whole = Whole(model_of(folders, kind))
    with opened(folders, kind, engine, newer=True) as session:
        hold(session, whole, 150)


@pytest.mark.parametrize("engine", ["transformers", "ort-genai"])
def test_longrope_is_one_whole_pass_on_either_side_of_its_border_and_across_it(folders: Path, engine: str) -> None:
    whole = Whole(model_of(folders, "longrope"))
    with opened(folders, "longrope", engine) as session:
        for length in (89, 90, 91, 92, 256):
            hold(session, whole, length)
        ids = token_ids(120, seed=2)
        requests = [Request(tuple(ids[:cut]), tuple(ids[cut : cut + 3])) for cut in (20, 86, 87, 88, 89, 90, 110)]
        for request, score in zip(requests, session.score(requests), strict=True):
            rows = whole.rows([*request.context, *request.continuation[:-1]])[len(request.context) - 1 :]
            expected = sum(row[token] for row, token in zip(rows, request.continuation, strict=True))
            assert score.logprob == pytest.approx(expected, abs=2e-3)
        made = session.greedy(ids[:84], 14)
        so_far = ids[:84]
        for token in made:
            assert token == whole.rows(so_far)[-1].argmax()
            so_far.append(token)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["transformers", "ort-genai"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_beginning_that_is_shared_is_that_of_one_whole_pass_on_either_side_of_a_window(
    folders: Path, kind: str, engine: str
) -> None:
    whole = Whole(model_of(folders, kind))
    with opened(folders, kind, engine) as session:
        ids = token_ids(160, seed=3)
        for beginning in (34, 100):
            rests = (2, 5, 30, 50)
            asked = [Request((*ids[:beginning], *ids[-length:-1], 7), (ids[-1], 3)) for length in rests]
            for request, score in zip(asked, session.score(asked), strict=True):
                rows = whole.rows([*request.context, *request.continuation[:-1]])[len(request.context) - 1 :]
                expected = sum(row[token] for row, token in zip(rows, request.continuation, strict=True))
                assert score.logprob == pytest.approx(expected, abs=2e-3)
