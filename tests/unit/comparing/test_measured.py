"""Numbers of published files and of a database, compared as they were measured: the committed quickstart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.comparing.comparison import ComparedNumber, JudgedSides, judged_together
from harness.comparing.gate import read_gate
from harness.comparing.measured import compared_sides
from harness.comparing.pairs import pairs_of
from harness.comparing.sides import published_file, side_of, side_of_file, source_of
from harness.core.errors import HarnessError
from harness.numbers import pairing
from harness.published.sources import NumberSource
from tests.conftest import ROOT

PUBLISHED = ROOT / "results" / "published"
GATE = read_gate([ROOT / "configs"])
SHARP = ("int4_rtn", "int4_k_quant_mixed")


@pytest.fixture(scope="module")
def quickstart() -> Iterator[NumberSource]:
    source = source_of(PUBLISHED / "quickstart.yaml")
    yield source
    source.database.close()


def compared(source: NumberSource, one: str, other: str, **where: object) -> JudgedSides:
    sides = side_of(one, source, where), side_of(other, source, where)
    found, notes = compared_sides(*sides)
    return judged_together((sides[0].called, sides[1].called), found, GATE, notes)


def by_metric(result: JudgedSides) -> dict[str, tuple[ComparedNumber, str]]:
    return {one.metric.name: (one, judged.word) for one, judged, _ in result.judged}


def test_quality_of_two_methods_is_paired_over_the_same_documents_and_questions(quickstart: NumberSource) -> None:
    found = by_metric(compared(quickstart, *SHARP))
    assert {"perplexity", "kl_divergence", "top1_agreement", "lm_eval.acc", "choice_logprob"} <= set(found)
    assert found["kl_divergence"][1] == found["top1_agreement"][1] == "better"
    one = found["perplexity"][0]
    sides = [side_of(name, quickstart, {"metric": "perplexity"}).rows[-1] for name in SHARP]
    items = [quickstart.items(str(row.get("measurement_id"))) for row in sides]
    shown = pairing.paired_difference("perplexity", items[1], items[0])
    assert one.estimate is not None
    assert (one.estimate.value, *one.estimate.bounds(0.05)) == (shown.value, shown.low, shown.high)
    assert (one.measurement, one.disturbed) == (sides[0].get("measurement_id"), False)


def test_turned_round_what_was_better_is_worse_and_the_exit_code_says_it(quickstart: NumberSource) -> None:
    there, back = (by_metric(compared(quickstart, *sides)) for sides in (SHARP, SHARP[::-1]))
    turned = {"better": "worse", "worse": "better"}
    assert {name: turned.get(word, word) for name, (_, word) in there.items()} == {n: w for n, (_, w) in back.items()}
    assert compared(quickstart, *SHARP[::-1]).exit_code == 1


def test_speed_is_compared_by_rounds_of_one_session_and_sizes_are_counted(quickstart: NumberSource) -> None:
    found = by_metric(compared(quickstart, "fp32", "int4_rtn"))
    decode, size = found["decode_tps"], found["artifact_bytes"]
    assert decode[0].estimate is not None
    assert "between processes, 5 and 5 of them" in decode[0].estimate.how
    assert decode[1] == size[1] == "better"
    assert size[0].estimate is not None
    assert size[0].estimate.exact


def test_flips_are_told_with_the_words_of_the_shipped_questions(quickstart: NumberSource) -> None:
    one = by_metric(compared(quickstart, "fp32", "int4_rtn"))["lm_eval.acc"][0]
    assert one.moved is not None
    assert len(one.flips) == sum(one.moved) > 0
    assert all(flip.question and flip.right in flip.question for flip in one.flips)


def test_what_one_side_lacks_is_missing_and_makes_the_exit_code_3(quickstart: NumberSource) -> None:
    whole = side_of("int8", quickstart, {})
    part = side_of("int4_k_quant_mixed", quickstart, {"probe": ["perplexity", None]})
    found, notes = compared_sides(whole, part)
    result = judged_together(("a", "b"), found, GATE, notes)
    assert "decode_tps" in {one.metric.name for one in result.missing}
    assert result.exit_code == (1 if "worse" in result.words else 3)


def test_a_file_beside_itself_says_that_speed_is_the_same_rounds(quickstart: NumberSource) -> None:
    side = side_of_file(PUBLISHED / "quickstart.yaml", quickstart, {"method": "fp32"})
    found, _ = compared_sides(side, side)
    result = judged_together(("a", "a"), found, GATE)
    assert "both sides are the same rounds" in {one.why for one in result.missing}
    assert not {"worse", "better"} & set(result.words)
    assert result.exit_code == 3


def test_a_run_of_speed_is_one_process_and_a_session_is_told_by_its_name(quickstart: NumberSource) -> None:
    rows = side_of("fp32", quickstart, {"metric": "decode_tps"}).rows
    runs = sorted({row.run for row in rows})
    result = compared(quickstart, runs[0], runs[1])
    assert result.exit_code == 3
    assert any("a run is one process" in one.why for one in result.missing)
    assert side_of(str(rows[0].text("session")), quickstart, {}).kind == "session"


@pytest.mark.parametrize(("word", "said"), [
    ("int4_rtm", "did you mean 'int4_rtn'?"), ("method=int4_rtm", "unknown method 'int4_rtm'; did you mean 'int4_rtn'?"),
    ("nothing-like-it", "unknown method, session, run, environment or published file"),
])  # fmt: skip
def test_a_word_that_names_nothing_is_told(quickstart: NumberSource, word: str, said: str) -> None:
    with pytest.raises(HarnessError) as told:
        side_of(word, quickstart, {})
    assert said in str(told.value)


def test_conditions_that_leave_nothing_are_told(quickstart: NumberSource) -> None:
    with pytest.raises(HarnessError, match="method fp32 has no numbers where batch=512"):
        side_of("fp32", quickstart, {"batch": [512]})


def test_a_published_file_is_found_by_path_and_by_name_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    assert published_file("quickstart", PUBLISHED) == PUBLISHED / "quickstart.yaml"
    assert published_file("quickstart.yaml", PUBLISHED) == PUBLISHED / "quickstart.yaml"
    assert published_file("int4_rtn", PUBLISHED) is None
    with pytest.raises(HarnessError, match=r"there is no file v9\.yaml"):
        published_file("v9.yaml", PUBLISHED)


def test_names_of_numbers_are_short_and_tell_them_apart(quickstart: NumberSource) -> None:
    side = side_of_file(PUBLISHED / "quickstart.yaml", quickstart, {})
    found = pairs_of(side, side).pairs
    named = [(pair.there.metric, pair.name) for pair in found]
    assert len(set(named)) == len(named)
    assert max(len(pair.name) for pair in found) < 100
