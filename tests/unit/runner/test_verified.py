"""What a verification means for what is behind it: right, another model, or not known; through real workers with fakes."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.outcome import Outcome
from harness.explain.archive import archive_of
from harness.explain.provenance import provenance
from harness.published.reading import read_published
from harness.published.records import Published
from harness.published.sources import NumberSource
from harness.runner.opened import Event
from tests.fake_machine import Bench, Say

RIGHT = {"recipes": {"fake": {"claims": "float32"}}}
WRONG = {"recipes": {"fake": {"claims": "float32", "noise": 0.5}}}
MADE_FROM_IT = {"recipes": {"fake": {"noise": 0.01, "on": "fp32"}}}


def _box(bench: Bench, fp32: dict[str, Any], *, compare: bool = False, **keys: Any) -> Bench:
    bench.methods({"fp32": fp32, "int8": {"recipes": {"fake": {"noise": 0.02}}}, "awq": MADE_FROM_IT})
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    kl = {**text, "form": "stored", "reference": {"method": "fp32"}}
    probes = {"kl_divergence": kl} if compare else {"perplexity": text}
    bench.sweep(**{"method": ["fp32", "int8", "awq"], "probes": probes, **keys})
    return bench


def _became(events: list[Event]) -> dict[str, str]:
    return {
        f"{event.job.labels[0].method} {getattr(event.job.spec, 'probe', 'build')}".strip(): event.status or event.what
        for event in events
        if event.job and event.what not in {"begin", "progress", "again"}
    }


def _outcomes(bench: Bench) -> dict[str, Outcome]:
    paths = sorted(bench.results.glob("runs/*/outcome.json"))
    found = [Outcome.model_validate_json(path.read_text("utf-8")) for path in paths]
    return {f"{one.job.labels.method} {getattr(one.job.spec, 'probe', 'build')}".strip(): one for one in found}


def _marked(bench: Bench) -> dict[str, str]:
    return {
        name: note.text
        for name, outcome in _outcomes(bench).items()
        for note in outcome.notes
        if note.code == "unverified"
    }


def test_a_float_export_is_verified_right_after_its_build_and_before_anything_else(bench: Bench) -> None:
    events = _box(bench, RIGHT).run()
    assert set(_became(events).values()) == {"ok"}
    order = list(_became(events))
    assert order.index("fp32 build") < order.index("fp32 verify")
    assert order.index("fp32 verify") < min(order.index("fp32 perplexity"), order.index("awq build"))
    assert not {"int8 verify", "awq verify"} & set(order)
    outcome = _outcomes(bench)["fp32 verify"]
    assert {one.metric for one in outcome.measurements} == {"verify_max_dlogp", "verify_kl", "verify_top1"}
    assert outcome.protocol is not None
    assert outcome.protocol.facts["verdict"] == "right"
    pieces = outcome.protocol.facts["pieces"]
    lengths = [piece["tokens"] for piece in pieces]
    assert lengths == [320, 700, 708, 0], "a short one, the switching length, a little more; ragged"
    assert all(piece["allowed"]["max_dlogp"] == 1e-3 for piece in pieces)
    assert _marked(bench) == {}
    assert _became(bench.run())["fp32 verify"] == "known"
    with bench.opened() as (_, opened):
        archive = archive_of(NumberSource(opened.database, Published()))
        build = provenance(archive, "value", _outcomes(bench)["awq build"].job.run)
    (base,) = [read for read in build.artifacts if read.role == "base"]
    told = f"held against its model on fake: largest difference 0 nat, run {outcome.job.run}"
    assert base.facts["verified"] == told, "explanations tell the state of the baseline"


def test_an_export_that_is_not_its_model_blocks_itself_and_all_that_rests_on_it(bench: Bench, say: Say) -> None:
    said = say(_box(bench, WRONG, compare=True), "run", "s")
    assert said.code == 1
    assert "fp32 verify on fake: failed" in said.out
    assert "awq build: blocked: the fp32 export differs from its model (KL " in said.out
    assert "verified: 0 of 1 float exports, in " in said.out
    outcomes = _outcomes(bench)
    assert outcomes["fp32 verify"].protocol is not None
    assert outcomes["fp32 verify"].protocol.facts["verdict"] == "differs"
    assert outcomes["int8 build"].status == "ok"
    for name in ("fp32 kl_reference", "awq build", "fp32 kl_divergence", "awq kl_divergence"):
        assert str(outcomes[name].reason).startswith("blocked: the fp32 export differs from its model (KL "), name
        assert "top-1" in str(outcomes[name].reason)
    assert outcomes["int8 kl_divergence"].status == "failed", "there is nothing to compare it with"


@pytest.mark.parametrize(("how", "why"), [
    ("hunger", "ran out of memory (MemoryError)"),
    ("kill", "the worker was killed by signal 9"),
])  # fmt: skip
def test_a_verification_that_comes_to_grief_itself_marks_and_blocks_nothing(bench: Bench, how: str, why: str) -> None:
    _box(bench, RIGHT, compare=True)
    (bench.configs.parent / "model" / "fault.txt").write_text(how, "utf-8")  # reading the model itself fails
    became = _became(bench.run())
    assert became["fp32 verify"] == became["verify_reference"] == "unverified"
    assert {what for name, what in became.items() if "verify" not in name} == {"ok"}
    marked = _marked(bench)
    names = ("fp32 kl_divergence", "awq build", "awq kl_divergence", "int8 kl_divergence")
    text = f"fp32 of toy was not held against its model: {why}"
    assert {name: marked.get(name) for name in names} == dict.fromkeys(names, text)
    assert "int8 build" not in marked
    assert str(_outcomes(bench)["fp32 verify"].reason) == f"unverified: {why}"


def test_an_export_that_dies_while_it_is_verified_is_unverified(bench: Bench) -> None:
    """The verification has learnt nothing; what is measured will tell for itself."""
    became = _became(_box(bench, RIGHT, engine={"fake": {"fail": "memory"}}, method=["fp32"]).run())
    assert became["fp32 verify"] == "unverified"
    assert became["fp32 perplexity"] == "oom"


def test_what_was_measured_unverified_is_published_only_when_told_and_measured_again_once_verified(
    bench: Bench, say: Say
) -> None:
    _box(bench, RIGHT, verify=False, method=["fp32", "int8"])
    assert "unverified: switched off by the sweep (verify: false)" in say(bench, "plan", "s").out
    assert _became(bench.run())["fp32 verify"] == "unverified"
    assert "switched off by the sweep" in _marked(bench)["fp32 perplexity"]
    to = bench.results / "published" / "s.yaml"
    said = say(bench, "publish", "s", "--to", str(to))
    assert said.code == 2
    assert "1 of 5 runs are unverified" in said.err
    assert "--unverified" in said.err
    assert not to.exists()
    said = say(bench, "publish", "s", "--to", str(to), "--unverified")
    assert said.code == 0, said.err
    assert "was not held against its model" in to.read_text("utf-8")
    assert len(read_published(to.parent).outcomes) == 5
    verified = _became(_box(bench, RIGHT, method=["fp32", "int8"]).run())
    assert verified["fp32 verify"] == verified["fp32 perplexity"] == "ok"
    assert verified["int8 perplexity"] == "known"


@pytest.mark.parametrize("fp32", [RIGHT, WRONG], ids=["right", "wrong"])
def test_what_the_same_builder_made_straight_from_the_model_is_marked_where_its_floats_did_not_pass(
    bench: Bench, fp32: dict[str, Any]
) -> None:
    _box(bench, fp32).run()
    marked = _marked(bench)
    if fp32 is RIGHT:
        assert marked == {}
    else:
        assert "made by the builder whose fp32 of toy did not pass" in marked["int8 perplexity"]


def test_what_a_build_did_not_read_is_marked_at_every_number_behind_it(bench: Bench) -> None:
    unread = {"recipes": {"fake": {"unread": True}}}
    bench.methods({"fp32": unread, "awq": MADE_FROM_IT, "int8": {"recipes": {"fake": {"noise": 0.02}}}})
    bench.sweep(method=["fp32", "awq", "int8"])
    bench.run()
    found = {name: {note.code for note in outcome.notes} for name, outcome in _outcomes(bench).items()}
    assert {name for name, codes in found.items() if "weights-unread" in codes} == {
        "fp32 build", "fp32 perplexity", "fp32 generation", "awq perplexity", "awq generation",
    }  # fmt: skip
    marks = bench.frame({"metric": "decode_tps"}, ["method", "marks"])
    assert {row.method: "does not read its weights" in str(row.marks) for row in marks.itertuples()} == {
        "fp32": True, "awq": True, "int8": False,
    }  # fmt: skip
