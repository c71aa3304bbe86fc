"""Perplexity against sums done by hand, and on real models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.options import problems_of
from harness.core.seam import Context
from harness.corpus import Corpus
from harness.probes.perplexity import PROBE, Workload, measure
from harness.probes.streams import read_stream
from tests.unit.probes.table_scores import BOS, ByteCodec, TableScores

TEXT = "Some words of a text, and then some more of them.\n" * 9


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


def by_hand(session: TableScores, ids: list[int], window: int, stride: int) -> tuple[float, int]:
    """Score the windows as Hugging Face's guide does: labels of tokens that an earlier window scored are left out."""
    total, count, before = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        part = ids[begin:end]
        rows = session.rows(part, np.arange(len(part)))
        for place in range(1, len(part)):
            if begin + place >= before:
                total -= float(rows[place - 1, part[place]])
                count += 1
        before = end
        if end == len(ids):
            break
    return math.exp(total / count), count


@pytest.mark.parametrize(("window", "stride"), [(64, 32), (64, 64), (64, 1), (450, 100)])
def test_protocol_a_is_the_sliding_window(text: str, tmp_path: Path, window: int, stride: int) -> None:
    session = TableScores(tile=7)
    found = measure(session, Workload(text=text, window=window, stride=stride), Context(folder=tmp_path))
    value, count = by_hand(session, list(TEXT.encode()), window, stride)
    assert found.values[0].value == pytest.approx(value, rel=1e-6)
    assert found.protocol.scored == count == found.values[0].samples.size
    assert found.protocol.name == f"ppl-A-w{window}-s{stride}"
    assert found.protocol.bos is False


def test_bos_stands_once_before_the_stream_and_is_recorded(text: str, tmp_path: Path) -> None:
    session = TableScores()
    found = measure(session, Workload(text=text, window=64, stride=32, bos=True), Context(folder=tmp_path))
    value, count = by_hand(session, [BOS, *TEXT.encode()], 64, 32)
    assert found.values[0].value == pytest.approx(value, rel=1e-6)
    assert found.protocol.scored == count
    assert found.protocol.bos is True
    with pytest.raises(HarnessError, match="tokenizer has none; set bos: false"):
        measure(TableScores(codec=ByteCodec(has_bos=False)), Workload(text=text, window=64, bos=True, stride=32),
                Context(folder=tmp_path))  # fmt: skip


def test_protocol_b_scores_the_last_chunk_of_each_window(text: str, tmp_path: Path) -> None:
    session = TableScores()
    found = measure(session, Workload(text=text, protocol="B", window=64, stride=32), Context(folder=tmp_path))
    ids, total = list(TEXT.encode()), 0.0
    for begin in range(0, 416, 32):
        part = ids[begin : begin + 64]
        rows = session.rows(part, np.arange(64))
        total -= sum(float(rows[place - 1, part[place]]) for place in range(33, 64))
    total -= float(session.rows(ids[416:], [32])[0, ids[449]])  # of 34 tokens, the last chunk has two
    assert found.protocol.scored == 13 * 31 + 1
    assert found.values[0].value == pytest.approx(math.exp(total / 404), rel=1e-6)
    assert found.protocol.name == "ppl-B-w64-c32"


def test_a_chunk_that_does_not_divide_the_window_is_refused() -> None:
    (found,) = problems_of(Workload, {"protocol": "B", "window": 1024, "stride": 400}, "probe perplexity")
    assert "400 does not divide 1024" in found[1]


def test_a_limit_of_tokens_is_recorded_where_it_cuts(text: str, tmp_path: Path) -> None:
    cut = measure(TableScores(), Workload(text=text, window=64, stride=32, tokens=100), Context(folder=tmp_path))
    assert (cut.protocol.scored, cut.protocol.limit) == (99, 100)
    whole = measure(TableScores(), Workload(text=text, window=64, stride=32, tokens=9999), Context(folder=tmp_path))
    assert (whole.protocol.scored, whole.protocol.limit) == (449, None)


def test_a_text_shorter_than_a_window_is_an_error_not_a_shorter_window(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match="has 450 tokens, fewer than one window of 1024; give a longer text or a smaller"
    ):
        measure(TableScores(), Workload(text=text), Context(folder=tmp_path))


def test_fewer_tokens_than_a_window_are_found_while_planning() -> None:
    ((_, told),) = problems_of(Workload, {"tokens": 1000}, "probe perplexity")
    assert "tokens 1000 are fewer than one window of 1024 (the default); say tokens: 1024 or more" in told
    ((_, told),) = problems_of(Workload, {"tokens": 50, "window": 64, "stride": 32}, "probe perplexity")
    assert "one window of 64; say" in told
    ((_, told),) = problems_of(Workload, {"documents": True, "tokens": 30}, "probe perplexity")
    assert "documents are scored whole" in told


def test_a_window_longer_than_the_context_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="window 1024 is longer than the model's context of 512"):
        measure(TableScores(context_length=512), Workload(text=text), Context(folder=tmp_path))


def test_logits_that_are_not_finite_are_an_error(text: str, tmp_path: Path) -> None:
    session = TableScores()
    session.broken_at = 40
    with pytest.raises(HarnessError, match="not finite at position 40"):
        measure(session, Workload(text=text, window=64, stride=32), Context(folder=tmp_path))


def test_documents_stand_alone_with_bos_and_are_cut_at_the_context(tmp_path: Path) -> None:
    path = tmp_path / "stories.jsonl"
    path.write_text(
        '{"text": "A first story."}\n{"text": ""}\n{"text": "A second one, longer than that."}\n{"text": "x"}\n'
    )
    session = TableScores(context_length=20)
    found = measure(session, Workload(text=str(path), documents=True, limit=3), Context(folder=tmp_path))
    total = 0.0
    for story in (b"A first story.", b"A second one, longer than that."):
        ids = [BOS, *story][:20]
        rows = session.rows(ids, np.arange(len(ids)))
        total -= sum(float(rows[place - 1, ids[place]]) for place in range(1, len(ids)))
    assert found.protocol.scored == 14 + 19
    assert found.values[0].value == pytest.approx(math.exp(total / 33), rel=1e-6)
    protocol = found.protocol
    assert (protocol.truncated, protocol.skipped, protocol.limit, protocol.bos) == (1, 1, 3, True)
    assert protocol.name == "ppl-documents"


def test_options_that_do_not_belong_together_are_refused() -> None:
    assert problems_of(Workload, {"limit": 3}, "probe perplexity")
    assert problems_of(Workload, {"documents": True, "tokens": 30}, "probe perplexity")
    assert not problems_of(Workload, {"documents": True, "limit": 3}, "probe perplexity")


def test_positions_beyond_training_are_recorded(text: str, tmp_path: Path) -> None:
    context = Context(folder=tmp_path, trained_positions=50)
    found = measure(TableScores(), Workload(text=text, window=64, stride=64), context)
    assert found.protocol.beyond_trained == 7 * 13


def test_the_text_is_what_is_hashed_into_the_key(text: str) -> None:
    assert PROBE.contents(Workload(text=text)) == {"text": Path(text)}


@pytest.mark.parametrize(("model", "expected"), [("stories260K", 5.281), ("babyllama-105", 2.167)])
def test_real_models_reproduce_their_reference_figures(
    shared_data: Path, tmp_path: Path, model: str, expected: float
) -> None:
    with opened(shared_data / "models" / model) as session:
        stories = str(shared_data / "tinystories" / "tinystories_eval.jsonl")
        found = measure(session, Workload(text=stories, documents=True, limit=150), Context(folder=tmp_path))
    assert round(found.values[0].value, 3) == expected


def test_wikitext_runs_under_protocol_a_in_whole_articles(shared_data: Path, tmp_path: Path) -> None:
    raw = str(shared_data / "wikitext-2" / "wiki.test.raw")
    asked = Workload(text=raw, corpus=Corpus(rows="wikitext"), window=256, stride=128, tokens=4096)
    with opened(shared_data / "models" / "stories260K") as session:
        found = measure(session, asked, Context(folder=tmp_path))
    assert found.protocol.name == "ppl-A-w256-s128 on WikiText rows"
    assert (found.protocol.scored or 0) >= 4096
    assert found.protocol.limit == 4096
    assert found.protocol.facts["documents_of"] == 60
    assert found.values[0].interval == f"none: {found.protocol.facts['documents']} document is too few, 50 are needed"
    assert math.isfinite(found.values[0].value)


PASSAGES = "".join(f"Passage {number} of {'some ' * (number % 7)}words.\n\n" for number in range(120))


def passages(folder: Path, content: str = PASSAGES, name: str = "p.txt") -> str:
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return str(folder / name)


def test_tokens_draws_whole_documents_by_seed(tmp_path: Path) -> None:
    text = passages(tmp_path)
    read = {}
    for seed in (0, 1):
        for tokens in (600, 1200, 10**6):
            asked = Workload(text=text, window=64, stride=32, tokens=tokens, seed=seed)
            read[seed, tokens] = bytes(read_stream(TableScores().codec, asked).ids.tolist()).decode()
    whole = set(PASSAGES.split("\n\n"))
    for (seed, tokens), found in read.items():
        parts = found.removesuffix("\n\n").split("\n\n")
        assert set(parts) <= whole, "no document is cut"
        assert len(found) >= min(tokens, len(PASSAGES))
        assert len(found) < tokens + 80 or len(found) == len(PASSAGES)
        assert seed >= 0
    assert read[0, 600] != read[1, 600]
    assert not PASSAGES.startswith(read[0, 600])
    assert set(read[0, 600].split("\n\n")) <= set(read[0, 1200].split("\n\n"))
    assert read[0, 10**6] == PASSAGES


def test_each_score_lies_in_its_document(tmp_path: Path) -> None:
    session, text = TableScores(), passages(tmp_path)
    found = measure(session, Workload(text=text, window=64, stride=32), Context(folder=tmp_path))
    sizes = found.arrays["nll.documents"]
    first = len(PASSAGES.split("\n\n")[0]) + 2
    assert len(sizes) == 120
    assert sizes[0] == first - 1, "the first token of a stream is not scored"
    assert sizes[1:].tolist() == [len(part) + 2 for part in PASSAGES.split("\n\n")[1:-1]]
    reading = found.values[0]
    assert reading.interval == "95 % by document (120 passages), bootstrap-t"
    assert reading.low is not None
    assert reading.high is not None
    assert reading.low < reading.value < reading.high


@pytest.mark.parametrize("tokens", [None, 200])
def test_a_text_of_one_document_has_a_value_and_no_interval(tokens: int | None, tmp_path: Path) -> None:
    text = passages(tmp_path, "One long paragraph, " * 30)
    found = measure(TableScores(), Workload(text=text, window=64, stride=32, tokens=tokens), Context(folder=tmp_path))
    reading = found.values[0]
    assert (reading.low, reading.high) == (None, None)
    assert reading.interval == "none: 1 document is too few, 50 are needed"
    assert found.protocol.scored == (599 if tokens is None else 199)


def test_crlf_and_a_mark_change_nothing_and_are_told(tmp_path: Path) -> None:
    plain = passages(tmp_path)
    marked = passages(tmp_path, "\ufeff" + PASSAGES.replace("\n", "\r\n"), "crlf.txt")
    one, other = (
        measure(TableScores(), Workload(text=text, window=64, stride=32, tokens=900), Context(folder=tmp_path))
        for text in (plain, marked)
    )
    assert one.values[0].value == other.values[0].value
    assert one.values[0].items == other.values[0].items
    assert one.protocol.facts["text_sha256"] == other.protocol.facts["text_sha256"]
    assert [note.code for note in other.notes] == ["normalized-text"]
    assert not one.notes


def test_an_undeclared_text_that_looks_like_wikitext_is_told(tmp_path: Path) -> None:
    article = " \n = {} = \n \n " + "Words of it , as written . " * 12 + "\n"
    text = passages(tmp_path, article.format("A") + article.format("B c"), "wiki.test.raw")
    asked = Workload(text=text, window=64, stride=32)
    found = measure(TableScores(), asked, Context(folder=tmp_path))
    assert [note.code for note in found.notes] == ["undeclared-text"]
    declared = Workload(text=text, window=64, stride=32, corpus=Corpus(rows="wikitext"))
    other = measure(TableScores(), declared, Context(folder=tmp_path))
    assert not other.notes
    assert other.values[0].items != found.values[0].items
    assert found.protocol.facts["documents"] == other.protocol.facts["documents"] == 2


def opened(folder: Path) -> Any:
    pytest.importorskip("torch")
    from harness.engines.transformers import ENGINE

    return ENGINE.open(folder, ENGINE.options.model_validate({"threads": 1}))
