from __future__ import annotations

from typing import Any

import pytest

from harness.core.spec import Outcome
from harness.report.explain.provenance import archive_of, provenance
from harness.report.published import Published, read_published
from harness.report.sources import Source
from harness.runner import Event
from tests.fake_box import Bench, Say

RIGHT = {"recipes": {"fake": {"claims": "float32"}}}
WRONG = {"recipes": {"fake": {"claims": "float32", "noise": 0.5}}}
MADE_FROM_IT = {"recipes": {"fake": {"noise": 0.01, "on": "fp32"}}}


def _box(bench: Bench, fp32: dict[str, Any], **keys: Any) -> Bench:
    bench.methods({"fp32": fp32, "int8": {"recipes": {"fake": {"noise": 0.02}}}, "awq": MADE_FROM_IT})
    probes = {"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}}
    bench.sweep(**{"method": ["fp32", "int8", "awq"], "probes": probes, **keys})
    return bench


def _became(events: list[Event]) -> dict[str, str]:
    return {
        f"{event.job.labels[0].method} {getattr(event.job.spec, 'probe', 'build')}".strip(): event.status or event.what
        for event in events
        if event.job and event.what not in {"begin", "progress", "again"}
    }


def _outcomes(bench: Bench) -> dict[str, Outcome]:
    found = [
        Outcome.model_validate_json(path.read_text("utf-8"))
        for path in sorted(bench.results.glob("runs/*/outcome.json"))
    ]
    return {f"{one.job.labels.method} {getattr(one.job.spec, 'probe', 'build')}".strip(): one for one in found}


def _grief(bench: Bench, how: str) -> None:
    """Let reading the model itself come to grief."""
    (bench.configs.parent / "model" / "grief.txt").write_text(how, "utf-8")


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
    assert (
        order.index("fp32 build")
        < order.index("fp32 verify")
        < min(order.index("fp32 perplexity"), order.index("awq build"))
    )
    assert "int8 verify" not in order
    assert "awq verify" not in order
    outcome = _outcomes(bench)["fp32 verify"]
    assert {one.metric for one in outcome.measurements} == {"verify_max_dlogp", "verify_kl", "verify_top1"}
    assert outcome.protocol is not None
    assert outcome.protocol.facts["verdict"] == "right"
    pieces = outcome.protocol.facts["pieces"]
    assert [piece["tokens"] for piece in pieces] == [320, 700, 708, 0], (
        "a short one, the switching length, a little more; ragged"
    )
    assert all(piece["allowed"]["max_dlogp"] == 1e-3 for piece in pieces)
    assert _marked(bench) == {}


def test_an_export_that_is_not_its_model_blocks_itself_and_all_that_was_made_from_it(bench: Bench) -> None:
    became = _became(_box(bench, WRONG).run())
    assert became["fp32 verify"] == "failed"
    blocked = {"fp32 perplexity", "awq build", "awq perplexity"}
    assert {name for name, what in became.items() if what == "failed"} == {*blocked, "fp32 verify"}
    assert became["int8 perplexity"] == "ok"
    outcomes = _outcomes(bench)
    assert outcomes["fp32 verify"].protocol is not None
    assert outcomes["fp32 verify"].protocol.facts["verdict"] == "differs"
    for name in blocked:
        reason = str(outcomes[name].reason)
        assert reason.startswith("blocked: the fp32 export differs from its model (KL "), name
        assert "top-1" in reason


@pytest.mark.parametrize("form", ["stored", "live"])
def test_a_comparison_with_an_export_that_is_not_its_model_is_blocked(bench: Bench, form: str) -> None:
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    compare = {"kl_divergence": {**text, "form": form, "reference": {"method": "fp32"}}}
    assert _became(_box(bench, WRONG, method=["int8"], probes=compare).run())["int8 kl_divergence"] == "failed"


@pytest.mark.parametrize(("how", "why"), [
    ("memory", "ran out of memory (no memory because it was asked to have none)"),
    ("hunger", "ran out of memory (MemoryError)"),
    ("error", "failed because it was asked to"),
    ("kill", "the worker was killed by signal 9"),
])  # fmt: skip
def test_a_verification_that_comes_to_grief_itself_marks_and_blocks_nothing(bench: Bench, how: str, why: str) -> None:
    _box(bench, RIGHT)
    _grief(bench, how)
    became = _became(bench.run())
    assert became["fp32 verify"] == "unverified"
    assert became["verify_reference"] == "unverified"
    assert {what for name, what in became.items() if "verify" not in name} == {"ok"}
    text = f"fp32 of toy was not held against its model: {why}"
    names = ("fp32 perplexity", "awq perplexity")
    assert {name: _marked(bench)[name] for name in names} == dict.fromkeys(names, text)
    assert "int8 perplexity" not in _marked(bench)
    assert str(_outcomes(bench)["fp32 verify"].reason) == f"unverified: {why}"


def test_an_export_that_dies_while_it_is_verified_is_unverified(bench: Bench) -> None:
    """The verification has learnt nothing; what is measured will tell for itself."""
    became = _became(_box(bench, RIGHT, engine={"fake": {"fail": "memory"}}, method=["fp32"]).run())
    assert became["fp32 verify"] == "unverified"
    assert became["fp32 perplexity"] == "oom"


@pytest.mark.parametrize("form", ["stored", "live"])
def test_a_comparison_with_an_unverified_reference_is_marked(bench: Bench, form: str) -> None:
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    compare = {"kl_divergence": {**text, "form": form, "reference": {"method": "fp32"}}}
    _box(bench, RIGHT, method=["int8"], probes=compare)
    _grief(bench, "error")
    bench.run()
    assert "int8 kl_divergence" in _marked(bench)


def test_a_verified_export_is_known_as_long_as_nothing_changes(bench: Bench, say: Say) -> None:
    _box(bench, RIGHT).run()
    assert _became(bench.run())["fp32 verify"] == "known"
    said = say(bench, "run", "s", "--again", "quality")
    assert "fp32 verify on fake: ok" in said.out


def test_nothing_is_verified_where_nothing_is_measured(bench: Bench) -> None:
    _box(bench, RIGHT, verify=False).run()
    for run in bench.results.glob("runs/*/outcome.json"):
        run.write_text(run.read_text("utf-8").replace('"unverified"', '"other"'), "utf-8")
    for file in bench.results.glob("bench.db*"):
        file.unlink()
    _box(bench, RIGHT)
    became = _became(bench.run())
    assert became["fp32 verify"] == became["verify_reference"] == "skipped"


def test_what_was_measured_unverified_is_measured_again_once_it_is_verified(bench: Bench) -> None:
    _box(bench, RIGHT, verify=False)
    became = _became(bench.run())
    assert became["fp32 verify"] == "unverified"
    assert "switched off by the sweep" in _marked(bench)["awq perplexity"]
    again = _became(bench.run())
    assert again["fp32 perplexity"] == "known"
    verified = _became(_box(bench, RIGHT).run())
    assert verified["fp32 verify"] == verified["fp32 perplexity"] == verified["awq perplexity"] == "ok"
    assert verified["int8 perplexity"] == "known"


def test_the_plan_lists_verifications_with_verdicts(bench: Bench, say: Say) -> None:
    _box(bench, RIGHT)
    said = say(bench, "plan", "s")
    line = next(line for line in said.out.splitlines() if "fp32 verify" in line)
    assert line.endswith("run")
    _box(bench, RIGHT, verify=False)
    said = say(bench, "plan", "s")
    assert "unverified: switched off by the sweep (verify: false)" in said.out


def test_the_end_of_a_run_tells_what_verification_cost(bench: Bench, say: Say) -> None:
    _box(bench, RIGHT)
    said = say(bench, "run", "s")
    assert "verified: 1 of 1 float exports, in " in said.out
    assert "failed" not in said.out
    _box(bench, WRONG)
    said = say(bench, "run", "s")
    assert said.code == 1
    assert "verified: 0 of 1 float exports, in " in said.out
    assert "blocked: the fp32 export differs from its model (KL " in said.out


def test_what_is_unverified_is_promoted_only_when_told(bench: Bench, say: Say) -> None:
    _box(bench, RIGHT, method=["fp32"], verify=False).run()
    to = bench.results / "published" / "s.yaml"
    said = say(bench, "promote", "s", "--to", str(to))
    assert said.code == 2
    assert "1 of 3 runs are unverified" in said.err
    assert "--unverified" in said.err
    assert not to.exists()
    said = say(bench, "promote", "s", "--to", str(to), "--unverified")
    assert said.code == 0, said.err
    assert "was not held against its model" in to.read_text("utf-8")
    assert len(read_published(to.parent).outcomes) == 3


def test_an_explanation_tells_the_state_of_the_baseline(bench: Bench) -> None:
    _box(bench, RIGHT, method=["awq"]).run()
    with bench.desk() as (_, desk):
        archive = archive_of(Source(desk.database, Published()))
        build = _outcomes(bench)["awq build"].job.run
        (base,) = [read for read in provenance(archive, "value", build).artifacts if read.role == "base"]
        verified = _outcomes(bench)["fp32 verify"].job.run
    assert base.facts["verified"] == f"held against its model on fake: largest difference 0 nat, run {verified}"
