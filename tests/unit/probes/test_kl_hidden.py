"""References of hidden states: exactness, floors, refusals, damage, and what an interruption leaves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.probes import groups, perplexity
from harness.probes.kl_divergence import Workload, measure
from harness.probes.kl_files import sealed, unsealed
from harness.probes.kl_store import open_stored
from tests.unit.probes.hidden_scores import HiddenScores, LogitScores
from tests.unit.probes.kl_runs import GIVEN, TEXT, calm, compared, stored, values
from tests.unit.probes.table_scores import ByteCodec


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


def exact(reference: HiddenScores, candidate: HiddenScores) -> Any:
    """KL of every position in float64, from the logits that both models give."""
    ids, found = list(TEXT.encode()), []
    from harness.probes.windows import sliding, span_positions

    for span in sliding(len(ids), GIVEN["window"], GIVEN["stride"]):
        part, where = ids[span.begin : span.end], span_positions(span)
        logits = [
            (one.seen(part, where).astype(np.float64) @ one.head.T.astype(np.float64)) for one in (reference, candidate)
        ]
        a, b = (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True) for rows in logits)
        found.append((np.exp(a) * (a - b)).sum(axis=1))
    return np.concatenate(found)


@pytest.mark.parametrize("noise", [0.3, 0.02, 0.003])
@pytest.mark.parametrize("stores", ["float32", "float16"])
@pytest.mark.parametrize("sure", [True, False])
def test_the_divergence_is_that_of_dense_float64_logits(
    text: str, tmp_path: Path, noise: float, stores: str, sure: bool
) -> None:
    reference, candidate = HiddenScores(), HiddenScores(noise=noise)
    if not sure:
        reference, candidate = calm(reference), calm(candidate)
    found = compared(candidate, stored(reference, tmp_path, text, stores=stores), tmp_path, text, stores=stores)
    wanted = exact(reference, candidate)
    assert abs(values(found)["kl_divergence"] - wanted.mean()) <= max(1e-4 * wanted.mean(), 1e-6)
    said = found.protocol.facts["float64_check"]
    assert said["kl"] == pytest.approx(said["kl_float64"], rel=1e-4, abs=1e-6)
    assert found.protocol.facts["stores"] == ("float32" if sure else stores)
    for name, share in (("median", 0.5), ("p99", 0.99), ("max", 1.0)):
        quantile = values(found)[f"kl_quantile quantile:{name}"]
        assert quantile == pytest.approx(np.quantile(wanted, share), rel=2e-2, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"cannot": "its head is odd"}, "its head is odd"), ({"wrong": 0.5}, "gives other logits than the model")],
)
def test_a_head_that_cannot_be_cut_off_leaves_log_probabilities_and_says_so(
    text: str, tmp_path: Path, change: Any, said: str
) -> None:
    reference = HiddenScores()
    for name, value in change.items():
        setattr(reference, name, value)
    folder = stored(reference, tmp_path, text)
    assert not (folder / "head").exists()
    assert open_stored(folder).logprobs.shape == (len(TEXT), 258)
    found = compared(HiddenScores(noise=0.1), folder, tmp_path, text)
    assert said in next(note.text for note in found.notes if note.code == "dense-reference")
    assert "stores" not in found.protocol.facts


class Other(ByteCodec):
    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        return super().encode(text.replace("words", "Words"), bos=bos)


def test_a_reference_of_something_else_is_refused_by_name(text: str, tmp_path: Path) -> None:
    folder, candidate = stored(HiddenScores(), tmp_path, text), HiddenScores(noise=0.1)
    with pytest.raises(HarnessError, match="made with revision 'one', this comparison asks for 'two'"):
        compared(candidate, folder, tmp_path, text, context={"reference_revision": "two"})
    other = stored(HiddenScores(seed=3), tmp_path, text, "other")
    shutil.rmtree(folder / "head")
    shutil.copytree(other / "head", folder / "head")
    with pytest.raises(HarnessError, match="its hidden states are those of head"):
        compared(candidate, folder, tmp_path, text)
    Path(text).write_text(TEXT + "!")
    with pytest.raises(HarnessError, match="made with text_sha256"):
        compared(candidate, other, tmp_path, text)


@pytest.mark.parametrize("form", ["stored", "live"])
def test_a_candidate_of_another_tokenizer_is_refused_and_leaves_nothing_for_perplexity(
    text: str, tmp_path: Path, form: str
) -> None:
    reference, candidate = HiddenScores(), HiddenScores(codec=Other())
    given: dict[str, Any] = (
        {"reference": stored(reference, tmp_path, text)} if form == "stored" else {"reference_session": reference}
    )
    context = Context(folder=tmp_path, **given)
    with pytest.raises(HarnessError, match=r"another tokenizer .*: token 5 of the text is 87 for it and 119 for the"):
        measure(candidate, Workload(text=text, **GIVEN), context)
    assert candidate.windows == 0
    assert not [name for name in context.shared if name.startswith("nll:")]


def test_a_tokenizer_that_is_only_padded_is_the_same(text: str, tmp_path: Path) -> None:
    padded = ByteCodec()
    padded.vocabulary = 31_000

    def live(candidate: HiddenScores) -> dict[str, float]:
        context = Context(folder=tmp_path, reference_session=HiddenScores())
        return values(measure(candidate, Workload(text=text, **GIVEN), context))

    assert live(HiddenScores(noise=0.1, codec=padded)) == live(HiddenScores(noise=0.1))
    folder = stored(HiddenScores(), tmp_path, text)
    wanted = values(compared(HiddenScores(noise=0.1), folder, tmp_path, text))
    assert values(compared(HiddenScores(noise=0.1, codec=padded), folder, tmp_path, text)) == wanted


@pytest.mark.parametrize("schema", [2, 3])
def test_a_reference_with_the_hash_of_a_sample_is_held_by_its_token_ids(text: str, tmp_path: Path, schema: int) -> None:
    folder = stored(HiddenScores(), tmp_path, text)
    wanted = values(compared(HiddenScores(noise=0.1), folder, tmp_path, text))
    meta = unsealed((folder / "meta.json").read_text("utf-8"))
    del meta["texts_sha256"]
    if schema == 3:
        meta["tokenizer_sha256"] = "0" * 64
    (folder / "meta.json").write_text(sealed({**meta, "schema_version": schema}), "utf-8")
    assert values(compared(HiddenScores(noise=0.1), folder, tmp_path, text)) == wanted
    with pytest.raises(HarnessError, match="another tokenizer"):
        compared(HiddenScores(codec=Other()), folder, tmp_path, text)


def test_vocabulary_padding_is_refused_unless_cut(text: str, tmp_path: Path) -> None:
    reference = HiddenScores()
    padded = HiddenScores(width=300)
    padded.states[:258], padded.head[:258] = reference.states, reference.head
    folder = stored(reference, tmp_path, text)
    with pytest.raises(HarnessError, match="vocabulary of 258 tokens, the candidate one of 300"):
        compared(padded, folder, tmp_path, text)
    found = compared(padded, folder, tmp_path, text, truncate_vocabulary=True)
    assert abs(values(found)["kl_divergence"]) < 1e-6
    assert "truncated-vocabulary" in {note.code for note in found.notes}


@pytest.mark.parametrize("file", ["hidden.bin", "head/weight.npy", "head/head.json", "meta.json", "token_ids.npy"])
def test_a_cut_file_is_refused(text: str, tmp_path: Path, file: str) -> None:
    folder = stored(HiddenScores(), tmp_path, text)
    (folder / file).write_bytes((folder / file).read_bytes()[:-40])
    with pytest.raises(HarnessError, match="make"):
        compared(HiddenScores(noise=0.1), folder, tmp_path, text)


@pytest.mark.parametrize("asked", [{}, {"stores": "float32"}])
def test_what_float16_cannot_hold_is_stored_in_float32(text: str, tmp_path: Path, asked: dict[str, Any]) -> None:
    folder = stored(HiddenScores(scale=1e6), tmp_path, text, "whole", **asked)
    found = compared(HiddenScores(scale=1e6), folder, tmp_path, text, stores="float32")
    assert abs(values(found)["kl_divergence"]) < 1e-6


def test_interrupted_work_goes_on_at_the_last_finished_group(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "LEAST", 500)
    whole = stored(HiddenScores(), tmp_path, text, "whole")
    resume = {"resume": tmp_path / "groups"}
    dying = HiddenScores()
    dying.dies_at = 70
    with pytest.raises(KeyboardInterrupt):
        stored(dying, tmp_path, text, "killed", context=resume)
    again = HiddenScores()
    folder = stored(again, tmp_path, text, "again", context=resume)
    assert again.windows < 80
    for name in ("hidden.bin", "head/weight.npy", "token_ids.npy"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    shutil.rmtree(tmp_path / "groups")
    expected = compared(HiddenScores(noise=0.1), whole, tmp_path, text)
    dying = HiddenScores(noise=0.1)
    dying.dies_at = 70
    with pytest.raises(KeyboardInterrupt):
        compared(dying, whole, tmp_path, text, context=resume)
    kept = sorted((tmp_path / "groups").iterdir())
    kept[1].write_bytes(b"PK half of a file")
    candidate = HiddenScores(noise=0.1)
    found = compared(candidate, whole, tmp_path, text, context=resume)
    assert candidate.windows < 80
    assert values(found) == values(expected)
    assert "resumed" in {note.code for note in found.notes}


def test_perplexity_comes_from_the_same_pass(text: str, tmp_path: Path) -> None:
    folder, candidate = stored(HiddenScores(), tmp_path, text), HiddenScores(noise=0.1)
    context = Context(folder=tmp_path, reference=folder)
    measure(candidate, Workload(text=text, **GIVEN), context)
    windows = candidate.windows
    found = perplexity.measure(candidate, perplexity.Workload(text=text, **GIVEN), context)
    assert candidate.windows == windows
    alone = perplexity.measure(candidate, perplexity.Workload(text=text, **GIVEN), Context(folder=tmp_path))
    assert found.values[0].value == alone.values[0].value


def test_slices_and_agreement_follow_from_the_positions(text: str, tmp_path: Path) -> None:
    reference, candidate = HiddenScores(), HiddenScores(noise=0.4)
    found = compared(candidate, stored(reference, tmp_path, text), tmp_path, text)
    said = values(found)
    arrays = {one.array: one.samples for one in found.values if one.array}
    top = found.arrays["confidence"]
    inside = (top >= 0.5) & (top < 0.9)
    assert said["kl_divergence confidence:0.5-0.9"] == pytest.approx(arrays["kl"][inside].mean(), rel=1e-5)
    counts = sum(one.n for one in found.values if one.slice.startswith("confidence"))
    assert counts == len(TEXT)
    assert 0.2 < said["top5_agreement"] < 1
    first = arrays["first_divergent"]
    assert said["first_divergent_token"] == np.median(first)
    assert first[0] == int(arrays["agrees"][:63].argmin())


def test_logits_are_compared_as_log_probabilities_are_and_perplexity_follows(text: str, tmp_path: Path) -> None:
    folder = stored(HiddenScores(), tmp_path, text)
    wanted = values(compared(HiddenScores(noise=0.1), folder, tmp_path, text))
    context, candidate = Context(folder=tmp_path, reference=folder), LogitScores(noise=0.1)
    found = values(measure(candidate, Workload(text=text, **GIVEN), context))
    assert candidate.windows == 0  # no log-probabilities were asked for
    assert set(found) == set(wanted)
    assert found["kl_divergence"] == pytest.approx(wanted["kl_divergence"], rel=1e-6)
    asked = perplexity.Workload(text=text, **GIVEN)
    one, alone = (perplexity.measure(candidate, asked, each).values[0] for each in (context, Context(folder=tmp_path)))
    assert one.value == pytest.approx(alone.value, rel=1e-7)
    np.testing.assert_allclose(one.samples, alone.samples, atol=1e-5)
    padded = LogitScores(noise=0.1, width=300)
    compared(padded, folder, tmp_path, text, truncate_vocabulary=True)
    assert padded.windows > 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_refused(text: str, tmp_path: Path, wrong: float) -> None:
    candidate = LogitScores(noise=0.1)
    candidate.broken_at, candidate.breaks_with = 40, wrong
    with pytest.raises(HarnessError, match="not finite"):
        compared(candidate, stored(HiddenScores(), tmp_path, text), tmp_path, text)
