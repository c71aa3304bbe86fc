"""What somebody can edit in a promoted file, and what tells it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.commands.promote import promote_runs
from harness.core.errors import ConfigError, HarnessError
from harness.core.spec import Citation, Gpu
from harness.environments import ROOT
from harness.numbers.documents import interval, sums_of, value_of
from harness.numbers.intervals import POSITIVE_INTERVAL
from harness.numbers.pairing import Items
from harness.published.committed import promote, read_published
from harness.published.consistent import contradictions
from harness.store.database import Database
from tests.unit.store.outcomes import H200, environment, measured, measurement, session, write_run, write_session

Run = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def shipped() -> str:
    return (ROOT / "results" / "published" / "quickstart.yaml").read_text(encoding="utf-8")


def edited(folder: Path, kind: str, edit: Callable[[Run, Run], object], metric: str = "") -> str:
    """Edit the shipped file's first run of a kind (that has a metric) and its environment; return what reading says."""
    raw = yaml.load(shipped(), Loader=LOADER)
    runs = [run for run in raw["runs"] if run["outcome"]["job"]["kind"] == kind]
    run = next(run for run in runs if not metric or any(item["metric"] == metric for item in items(run)))
    edit(run, raw["environments"]["e1"])
    (folder / "quickstart.yaml").write_text(yaml.safe_dump(raw | {"runs": [run]}), encoding="utf-8")
    try:
        read_published(folder)
    except ConfigError as error:
        return str(error)
    return ""


def items(run: Run) -> list[Run]:
    found: list[Run] = run["outcome"].get("measurements", [])
    return found


def item(run: Run, metric: str) -> Run:
    return next(one for one in items(run) if one["metric"] == metric)


def part_of(run: Run, metric: str) -> Run:
    return next(one for one in items(run) if one["metric"] == metric and one.get("part"))


def smaller(run: Run, _environment: Run) -> None:
    """Make the measured size of an artifact smaller, sample and all."""
    item(run, "artifact_bytes").update(value=1295513.0, samples=[1295513.0])


def smaller_everywhere(run: Run, environment: Run) -> None:
    smaller(run, environment)
    run["outcome"]["artifact"]["bytes"] = 1295513


def shifted(end: str, metric: str) -> Callable[[Run, Run], None]:
    """Move one end of an interval half the way to the value."""

    def edit(run: Run, _environment: Run) -> None:
        one = item(run, metric)
        one[end] = (one[end] + one["value"]) / 2

    return edit


def given(metric: str, interval: str | None) -> Callable[[Run, Run], None]:
    """Give a process's number an interval, as those of 0.1.0 have one of their repetitions."""

    def edit(run: Run, _environment: Run) -> None:
        one = item(run, metric)
        one.update(low=one["value"] * 0.97, high=one["value"] * 1.03, interval=interval)

    return edit


def on(provider: str, *gpus: Gpu) -> Callable[[Run, Run], None]:
    def edit(run: Run, environment: Run) -> None:
        run["outcome"]["provider"] = provider
        environment["gpus"] = [gpu.model_dump() for gpu in gpus]

    return edit


@pytest.mark.parametrize(
    ("kind", "metric", "edit", "message"),
    [
        ("speed", "", lambda run, _: run["outcome"].update(started="2027-01-01T00:00:00Z"), ", but it began on 20270101"),
        ("speed", "", lambda run, _: item(run, "decode_tps").update(metric="prefill_tps"), "prefill_tps is a duplicate measurement"),
        ("quality", "lm_eval.acc", lambda run, _: part_of(run, "lm_eval.acc").pop("part"), "lm_eval.acc is a duplicate measurement"),
        ("build", "", smaller, "artifact_bytes is 1295513, but its artifact says 16904357"),
        ("build", "", smaller_everywhere, "its weights have 16811975 bytes, more than all of its artifact (1295513)"),
        ("build", "", lambda run, _: item(run, "build_seconds").update(value=0.1, samples=[0.1]), "but its artifact says"),
        ("speed", "", lambda _, place: place.update(cores=-2), "its environment has cores -2"),
        ("speed", "", lambda _, place: place.update(memory_bytes=0), "its environment has memory_bytes 0"),
        ("speed", "", on("cpu", Gpu(name="X", memory_bytes=-1)), "its environment has memory_bytes of GPU 0 -1"),
        ("speed", "", on("cuda"), "it ran on cuda, but its engine was asked for cpu"),
        ("speed", "", on("cuda", H200), "it ran on cuda, but its engine was asked for cpu"),
        ("speed", "", given("ttft", POSITIVE_INTERVAL), "ttft has interval"),
        ("speed", "", given("decode_tps", POSITIVE_INTERVAL), "decode_tps has interval"),
        ("speed", "", given("decode_tps", None), "decode_tps has low"),
        ("quality", "lm_eval.acc", shifted("low", "lm_eval.acc"), "lm_eval.acc has interval"),
        ("speed", "", lambda run, _: run["outcome"].update(origin="imported"), "is imported, and only runs measured here"),
    ],
)  # fmt: skip
def test_an_edit_is_told_with_file_and_run(
    tmp_path: Path, kind: str, metric: str, edit: Callable[[Run, Run], None], message: str
) -> None:
    said = edited(tmp_path, kind, edit, metric)
    assert message in said
    assert "quickstart.yaml: run 2026" in said


SUMS = sums_of(np.random.default_rng(0).gamma(2.0, 1.0, 6000), [100] * 60)


def by_document(**more: Any) -> list[str]:
    """Say what contradicts itself in a perplexity with its documents, some of it edited."""
    spread = interval(SUMS, "perplexity")
    said = {
        "value": value_of(SUMS, "perplexity"),
        "low": spread.low,
        "high": spread.high,
        "interval": spread.name,
        "n": 6000,
    }
    item = measurement("perplexity", unit="", samples=(), **{**said, **more})
    return list(contradictions(measured(1, [item]), {0: Items(documents=SUMS)}, {}))


def test_an_interval_by_document_is_made_again_from_the_documents() -> None:
    spread = interval(SUMS, "perplexity")
    assert spread.low is not None
    assert spread.high is not None
    assert [said for said in by_document() if "perplexity is" in said] == []
    for edit in (
        {"low": spread.low - 0.1},
        {"high": spread.high + 0.1},
        {"low": -spread.high, "high": 2 * spread.high},
    ):
        assert any("perplexity has interval" in said for said in by_document(**edit)), edit
    assert any("but its samples give" in said for said in by_document(value=spread.high))
    assert any("says n 5999 but has 6000 samples" in said for said in by_document(n=5999))


def test_a_provider_is_held_against_the_gpu_where_the_engine_is_of_another_version() -> None:
    outcome = measured(1, provider="cuda")
    spec = outcome.job.spec.model_copy(update={"engine_version": 99})
    old = outcome.model_copy(update={"job": outcome.job.model_copy(update={"spec": spec})})
    assert "it ran on cuda, but its environment has no GPU" in list(contradictions(old, {}, {}))
    there = old.model_copy(update={"environment": environment(gpus=(H200,))})
    assert not [said for said in contradictions(there, {}, {}) if "ran on" in said]


def test_equal_metrics_of_other_sources_parts_or_baselines_are_no_repetition() -> None:
    kinds = ({}, {"part": "task:a"}, {"source": "rss"}, {"source": "device"}, {"comparison": "ratio", "unit": ""})
    outcome = measured(1, [measurement(**kind) for kind in kinds])
    assert not list(contradictions(outcome, {}, {}))


# ---------------------------------------------------------------- promoting


def imported(number: int, **rest: Any) -> Any:
    citation = Citation(title="vLLM serving benchmark", file="vllm.json", sha256="0" * 64)
    return measured(number, origin="imported", citation=citation, **rest)


def test_imported_runs_are_not_promoted(tmp_path: Path) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        for outcome in (measured(1), *(imported(number) for number in range(2, 9))):
            database.ingest(outcome, None)
        with pytest.raises(HarnessError) as refused:
            promote(database, [f"run-{number:06d}" for number in range(1, 9)])
        assert promote(database, ["run-000001"])
    said = str(refused.value)
    assert "run-000002 (imported from vllm.json)" in said
    assert "run-000001" not in said
    assert "and 2 more" in said
    assert "`harness import`" in said
    assert "`reported:`" in said


def test_a_sweep_that_imported_runs_share_is_promoted_without_them_and_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = measured(1), imported(2, workload={"batch": 2})
    for outcome in (ours, theirs):
        write_run(tmp_path, outcome)
    record = session(ours, labels=ours.job.labels)
    write_session(tmp_path, record.model_copy(update={"finished": record.started}))
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_folder(tmp_path)
    to = tmp_path / "published" / "it.yaml"
    assert promote_runs(["quickstart"], tmp_path, to) == 1
    assert "left out of 'quickstart', since only measured runs are promoted: run-000002\n" in capsys.readouterr().err
    assert [outcome.job.run for outcome in read_published(to.parent).outcomes] == ["run-000001"]
    with pytest.raises(HarnessError, match=r"run-000002 \(imported from vllm\.json\)"):
        promote_runs(["run-000002"], tmp_path, to)
