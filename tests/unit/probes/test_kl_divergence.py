"""KL-divergence against sums done by hand; stored and live references; memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.core.sessions import Tile
from harness.numbers.divergence import distances
from harness.probes import kl_reference, perplexity
from harness.probes.kl_divergence import Workload, measure
from tests.unit.probes.table_scores import TableScores

TEXT = "Some words of a text, and then some more of them.\n" * 9


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


def stored(session: Any, tmp_path: Path, **options: Any) -> Path:
    out = tmp_path / "reference"
    out.mkdir()
    kl_reference.measure(session, kl_reference.Workload(**options), Context(folder=tmp_path, out=out))
    return out


def by_name(found: Any) -> dict[str, Any]:
    return {reading.metric: reading for reading in found.values if not reading.slice}


def test_the_divergence_is_the_textbook_sum(text: str, tmp_path: Path) -> None:
    reference, candidate = TableScores(), TableScores(noise=0.3)
    context = Context(folder=tmp_path, reference_session=reference)
    found = by_name(measure(candidate, Workload(text=text, window=64, stride=64), context))
    ids = list(TEXT.encode())
    chunks: list[list[float]] = []
    kl, same = [], []
    for begin in range(0, len(ids), 64):
        part = ids[begin : begin + 64]
        a = reference.rows(part, np.arange(len(part))).astype(np.float64)
        b = candidate.rows(part, np.arange(len(part))).astype(np.float64)
        kl += (np.exp(a) * (a - b)).sum(axis=1).tolist()
        chunks.append((np.exp(a) * np.abs(a - b)).sum(axis=1).tolist())
        same += (a.argmax(axis=1) == b.argmax(axis=1)).tolist()
    assert found["kl_divergence"].value == pytest.approx(np.mean(kl), rel=1e-5)
    assert found["kl_divergence"].samples.shape == (len(ids),)
    assert found["kl_abs_log_ratio"].value == pytest.approx(np.mean([np.mean(chunk) for chunk in chunks]), rel=1e-5)
    assert found["kl_abs_log_ratio"].n == len(chunks) == 8
    assert found["top1_agreement"].value == np.mean(same)


def test_a_live_reference_that_cannot_score_is_told_by_its_engine(text: str, tmp_path: Path) -> None:
    other: Any = object()
    context = Context(folder=tmp_path, reference_session=other, reference_engine="diffusers")
    with pytest.raises(HarnessError, match="engine 'diffusers' offers 'scores', and what it opened has no"):
        measure(TableScores(), Workload(text=text, window=64, stride=64), context)


def test_an_engine_against_itself_diverges_nowhere(text: str, tmp_path: Path) -> None:
    session = TableScores()
    live = measure(
        session, Workload(text=text, window=64, stride=32), Context(folder=tmp_path, reference_session=session)
    )
    folder = stored(session, tmp_path, text=text, window=64, stride=32)
    kept = measure(session, Workload(text=text, window=64, stride=32), Context(folder=tmp_path, reference=folder))
    for found in (live, kept):
        assert abs(by_name(found)["kl_divergence"].value) < 1e-9
        assert by_name(found)["top1_agreement"].value == 1
    assert (live.protocol.facts["form"], kept.protocol.facts["form"]) == ("live", "stored")


def test_stored_and_live_references_give_the_same_number(text: str, tmp_path: Path) -> None:
    reference, candidate = TableScores(), TableScores(noise=0.3, tile=19)
    folder = stored(reference, tmp_path, text=text, window=64, stride=32, bos=True)
    workload = Workload(text=text, window=64, stride=32, bos=True)
    live = measure(candidate, workload, Context(folder=tmp_path, reference_session=reference))
    kept = measure(candidate, workload, Context(folder=tmp_path, reference=folder))
    for name, reading in by_name(live).items():
        assert by_name(kept)[name].value == pytest.approx(reading.value, rel=1e-12)
        assert by_name(kept)[name].items == reading.items


def test_a_stored_reference_holds_each_position_once(text: str, tmp_path: Path) -> None:
    folder = stored(TableScores(), tmp_path, text=text, window=64, stride=32, tokens=200)
    found = kl_reference.open_stored(folder)
    assert found.ids.tolist() == list(TEXT.encode())[:200]
    assert found.positions.tolist() == list(range(200))
    assert found.logprobs.shape == (200, 258)
    assert found.logprobs.dtype == np.float32
    meta = json.loads((folder / "meta.json").read_text())
    assert (meta["tokens"], meta["limit"], meta["vocabulary"], meta["dtype"]) == (200, 200, 258, "float32")
    assert str(tmp_path) not in (folder / "meta.json").read_text()


def test_a_reference_larger_than_allowed_is_refused_with_the_remedy(text: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="more than max_bytes 1,000; use form: live"):
        stored(TableScores(), tmp_path, text=text, window=64, stride=32, max_bytes=1000)


def test_a_reference_made_for_something_else_is_refused(text: str, tmp_path: Path) -> None:
    folder = stored(TableScores(), tmp_path, text=text, window=64, stride=32, tokens=200)
    context = Context(folder=tmp_path, reference=folder)
    with pytest.raises(HarnessError, match="made with stride 32, this comparison asks for 64"):
        measure(TableScores(), Workload(text=text, window=64, stride=64, tokens=200), context)
    with pytest.raises(HarnessError, match="made with limit 200, this comparison asks for None"):
        measure(TableScores(), Workload(text=text, window=64, stride=32), context)
    Path(text).write_text(TEXT + "!")
    with pytest.raises(HarnessError, match="made with text_sha256"):
        measure(TableScores(), Workload(text=text, window=64, stride=32, tokens=200), context)


def test_a_missing_reference_is_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="live reference was asked for"):
        measure(TableScores(), Workload(text=text, window=64, stride=32), Context(folder=tmp_path))
    with pytest.raises(HarnessError, match="form: stored needs a stored reference"):
        measure(TableScores(), Workload(text=text, window=64, stride=32, form="stored"), Context(folder=tmp_path))
    with pytest.raises(HarnessError, match=r"lacks token_ids\.npy"):
        measure(TableScores(), Workload(text=text, window=64, stride=32), Context(folder=tmp_path, reference=tmp_path))


def test_vocabularies_of_different_size_are_refused_unless_cut(text: str, tmp_path: Path) -> None:
    reference, candidate = TableScores(), TableScores(width=300)
    context = Context(folder=tmp_path, reference_session=reference)
    with pytest.raises(HarnessError, match="vocabulary of 258 tokens, the candidate one of 300"):
        measure(candidate, Workload(text=text, window=64, stride=32), context)
    padded = TableScores(width=300)
    padded.table[:258, :258] = reference.table
    found = measure(padded, Workload(text=text, window=64, stride=32, truncate_vocabulary=True), context)
    assert abs(by_name(found)["kl_divergence"].value) < 1e-9
    assert found.notes[0].code == "truncated-vocabulary"
    assert found.protocol.facts["vocabulary"] == 258


def test_perplexity_comes_from_the_same_pass(text: str, tmp_path: Path) -> None:
    candidate = TableScores(noise=0.3)
    alone = perplexity.measure(
        candidate, perplexity.Workload(text=text, window=64, stride=32), Context(folder=tmp_path)
    )
    context = Context(folder=tmp_path, reference_session=TableScores())
    measure(candidate, Workload(text=text, window=64, stride=32), context)
    passes = candidate.passes
    workload = perplexity.Workload(text=text, window=64, stride=32)
    shared = perplexity.measure(candidate, workload, context)
    assert candidate.passes == passes
    assert shared.values[0].value == pytest.approx(alone.values[0].value, rel=1e-12)
    assert shared.values[0].items == alone.values[0].items
    assert (shared.protocol, shared.notes[0].code) == (alone.protocol, "one-pass")
    perplexity.measure(candidate, perplexity.Workload(text=text, window=64, stride=16), context)
    assert candidate.passes > passes


def test_a_broken_candidate_is_an_error(text: str, tmp_path: Path) -> None:
    candidate = TableScores()
    candidate.broken_at = 63
    context = Context(folder=tmp_path, reference_session=TableScores())
    with pytest.raises(HarnessError, match="at token 63 is not finite"):
        measure(candidate, Workload(text=text, window=64, stride=64), context)
    with pytest.raises(HarnessError, match="cannot serve as a reference"):
        stored(candidate, tmp_path, text=text, window=64, stride=64)


def test_what_the_reference_rules_out_says_nothing() -> None:
    rows = np.log(np.array([[0.5, 0.5, 1e-300]])).astype(np.float32)
    rows[0, 2] = -np.inf
    found = distances(rows, rows, wide=True)
    assert (found.kl[0], found.abs_log_ratio[0], found.agrees[0]) == (0, 0, 1)


def test_small_divergences_are_not_drowned_by_float32() -> None:
    draw = np.random.default_rng(3)
    logits = draw.standard_normal((64, 4096))
    moved = logits + 1e-5 * draw.standard_normal(logits.shape)

    def rows(values: Any) -> Any:
        return (values - np.logaddexp.reduce(values, axis=1, keepdims=True)).astype(np.float32)

    a, b = (values - np.logaddexp.reduce(values, axis=1, keepdims=True) for values in (logits, moved))
    exact = (np.exp(a) * (a - b)).sum(axis=1)
    found = distances(rows(logits), rows(moved), wide=True).kl
    assert found.min() >= -1e-15
    assert found.mean() == pytest.approx(exact.mean(), rel=0.05)


class _Wide(TableScores):
    """Log-probabilities of a vocabulary of 128k without a model."""

    width = 128_000

    def __init__(self, codec: Any, shift: int) -> None:
        super().__init__()
        self.codec, self.context_length = codec, 4096
        base = np.random.default_rng(1).standard_normal(self.width + 512).astype(np.float32)
        self.base = base - np.log(np.exp(base, dtype=np.float64).sum()).astype(np.float32)
        self.shift = shift

    def logprobs(self, ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        del ids
        for start in range(0, len(positions), 256):
            part = np.asarray(positions[start : start + 256])
            starts = (part + self.shift) % 500
            yield Tile(part, np.stack([self.base[begin : begin + self.width] for begin in starts]))


@pytest.mark.slow
def test_memory_stays_within_two_gigabytes_at_a_large_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("0123456789" * 120)
    codec = TableScores().codec
    context = Context(folder=tmp_path, reference_session=_Wide(codec, 0))
    tracemalloc.start()
    try:
        found = measure(_Wide(codec, 1), Workload(text=str(path), window=1024, stride=512), context)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.protocol.scored == 1200
    assert peak < 1 << 30


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    codec = TableScores().codec
    peaks = []
    for tokens in (2000, 5000):
        path = tmp_path / f"{tokens}.txt"
        path.write_text("0123456789" * (tokens // 10))
        context = Context(folder=tmp_path, reference_session=_Wide(codec, 0))
        tracemalloc.start()
        try:
            measure(_Wide(codec, 1), Workload(text=str(path), window=1024, stride=512), context)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + (2 << 20)
    assert peaks[1] < 1 << 30
