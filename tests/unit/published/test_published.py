from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.core.errors import ConfigError
from harness.core.identity import digest
from harness.core.spec import BuildSpec, Input, Labels, Outcome
from harness.environments import ROOT
from harness.pages.pages import check_pages, render, shown_in, specs_in, with_markers, write_pages
from harness.plan.keys import spec_key
from harness.published.committed import promote, read_published
from harness.published.consistent import contradictions
from harness.published.sources import Source, from_published
from harness.store.database import Database
from harness.tables.markdown import EMPTY
from harness.worker.record import array_ref
from tests.unit.store.outcomes import built, failed, measured, measurement, session

SPECS = """
speed:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1, uncertainty: pm}
    p90 (ms): {metric: per_token_latency, stat: p90, unit: ms, format: 2}
    Size: {metric: artifact_bytes, unit: kB, format: 1}
quality:
  where: {block: speed}
  rows: [method]
  baseline: {method: fp32}
  cells:
    Perplexity: {metric: perplexity, format: 3}
    Change: {metric: perplexity, as: difference, paired: true, format: "+4"}
    p99 of samples: {metric: perplexity, stat: p99, format: 3}
    Accuracy: {metric: lm_eval.acc, as: difference, paired: true, unit: "%", format: "+1"}
"""


def labels(method: str) -> Labels:
    return Labels(sweep="demo", block="speed", model="tiny", method=method, recipe="ort-genai")


def with_arrays(
    folder: Path, number: int, method: str, kind: str, found: dict[str, Any], **more: Any
) -> tuple[Outcome, Path]:
    """Write a run's arrays and its outcome: metric to (value, array, unit)."""
    run = folder / "runs" / f"run-{number:06d}"
    run.mkdir(parents=True)
    arrays = {name.replace(".", "_"): array for name, (_, array, _) in found.items()}
    documents = {"perplexity.documents": np.full(100, 200, dtype=np.int32)} if "perplexity" in arrays else {}
    np.savez(run / "arrays.npz", **arrays, **documents)
    measurements = [
        measurement(
            name,
            value,
            unit=unit,
            n=array.size,
            items=f"items of {name}",
            array=array_ref(name.replace(".", "_"), array),
        )
        for name, (value, array, unit) in found.items()
    ]
    outcome = measured(
        number, measurements, kind=kind, labels=labels(method), workload={"number": method, "kind": kind}, **more
    )
    return outcome, run


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    tmp_path = tmp_path_factory.mktemp("filled")
    rng = np.random.default_rng(5)
    shared = rng.gamma(2.0, 1.0, 20_000)
    right = rng.random(400) < 0.8
    with Database.open(tmp_path / "results" / "bench.db") as database:
        for number, (method, noise) in enumerate((("fp32", 0.0), ("int4_rtn", 0.05))):
            nll = (shared + noise * rng.random(shared.size)).astype(np.float32)
            correct = (right ^ (rng.random(400) < noise)).astype(np.uint8)
            steps = rng.gamma(50, 0.0001, (5, 64))
            quality = {
                "perplexity": (float(np.exp(nll.astype(float).mean())), nll, ""),
                "lm_eval.acc": (float(correct.mean()), correct, "fraction"),
            }
            speed = {"per_token_latency": (float(steps.mean()), steps, "s")}
            for place, (kind, found) in enumerate((("quality", quality), ("speed", speed))):
                database.ingest(*with_arrays(tmp_path / "results", 10 * number + place, method, kind, found))
        tps = measurement(samples=(99.5, 100.0, 100.5), low=99.0, high=101.0, interval="as it was")
        for number, method in ((30, "fp32"), (31, "int4_rtn")):
            database.ingest(measured(number, [tps], labels=labels(method), workload={"m": method}), None)
        database.ingest(
            failed(
                40,
                labels=labels("int8"),
                workload={"m": "int8"},
                reason="cannot read /home/someone/secret-folder/model.onnx",
            ),
            None,
        )
        build = built(50)
        placed = build.model_copy(update={"job": build.job.model_copy(update={"labels": labels("int4_rtn")})})
        database.ingest(placed, None)
        database.place(session(placed, labels=Labels(sweep="other", method="int4_rtn")))
        yield database


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(SPECS, encoding="utf-8")
    return path


def publish(database: Database, folder: Path) -> Path:
    runs = sorted(set(database.frame({}, ["run"])["run"]))
    folder.mkdir()
    (folder / "demo.yaml").write_text(promote(database, runs), encoding="utf-8", newline="\n")
    return folder


def test_tables_from_committed_text_equal_those_from_the_database(
    filled: Database, specs: Path, tmp_path: Path
) -> None:
    from_database = render([specs], Source(filled))
    with from_published(publish(filled, tmp_path / "published")) as source:
        from_text = render([specs], source)
    assert [item.markdown for item in from_text] == [item.markdown for item in from_database]
    text = from_database[0].markdown + from_database[1].markdown
    assert "[" in text
    assert "not at hand" not in text
    assert "| int8 | failed" in text or "| int8 | oom" in text


def test_promoting_what_was_promoted_gives_the_same_bytes(filled: Database, tmp_path: Path) -> None:
    first = (publish(filled, tmp_path / "published") / "demo.yaml").read_bytes()
    with from_published(tmp_path / "published") as source:
        found = source.select({}, ["run", "sweep", "method"])
    assert promote(filled, reversed(sorted(set(found.column("run"))))).encode() == first  # noqa: C413
    assert set(found.column("sweep")) == {"demo", "other"}


def test_published_text_names_no_folder_and_is_small(filled: Database, tmp_path: Path) -> None:
    path = publish(filled, tmp_path / "published") / "demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "/home" not in text
    assert "someone" not in text
    assert "model.onnx" in text
    assert len(text) < 64_000


def test_paths_of_inputs_are_emptied(tmp_path: Path) -> None:
    outcome = measured(1, inputs=(Input(role="artifact", id="b-1", path="/data/artifacts/b-1"),))
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest(outcome, None)
        assert "/data" not in promote(database, [outcome.job.run])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("environment: e1", "environment: e9", "no environment 'e9'"),
        ("schema_version: 1", "schema_versio: 1", "extra inputs|Extra inputs"),
        ("value: 100.0", "value: 300.0", "outside its own interval"),
        ("status: oom", "status: lost", "status"),
        ("data: eN", "data: '!!", "not YAML|damaged"),
        ("key: ", "key: 0", "its key 0.* is not the hash of its spec"),
        ("made_up", "made_down", "is not the hash of its spec"),
        ("n: 320", "n: 300", "per_token_latency says n 300 but has 320 samples"),
        ("unit: tok/s", "unit: tok/h", "decode_tps is in 'tok/h', but its unit is 'tok/s'"),
        ("metric: decode_tps", "metric: decod_tps", "unknown metric 'decod_tps'; did you mean 'decode_tps'"),
        ("status: oom", "status: ok", "has status ok and a failure reason"),
    ],
)
def test_a_published_file_edited_into_something_else_is_refused(
    filled: Database, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = publish(filled, tmp_path / "published") / "demo.yaml"
    text = path.read_text(encoding="utf-8")
    if "schema_version" in old and old not in text:
        text = f"{old}\n{text}"
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"demo\.yaml(:\d+)?: .*({message})"):
        read_published(path.parent)


def test_a_run_may_stand_in_the_files_of_two_sweeps_in_the_same_words_alone(filled: Database, tmp_path: Path) -> None:
    folder = publish(filled, tmp_path / "published")
    (folder / "again.yaml").write_bytes((folder / "demo.yaml").read_bytes())
    runs = [outcome.job.run for outcome in read_published(folder).outcomes]
    assert len(runs) == len(set(runs)) > 0
    text = (folder / "again.yaml").read_text(encoding="utf-8")
    (folder / "again.yaml").write_text(text.replace("name: genai-e2e", "name: other"), encoding="utf-8")
    with pytest.raises(ConfigError, match="is given twice with different content"):
        read_published(folder)


def test_a_table_keeps_its_own_runs_where_another_sweep_measured_the_same_jobs_later(
    filled: Database, specs: Path, tmp_path: Path
) -> None:
    folder = publish(filled, tmp_path / "published")
    with from_published(folder) as source:
        before = [item.markdown for item in render([specs], source)]
    run = next(
        outcome
        for outcome in read_published(folder).outcomes
        if outcome.measurements
        and outcome.job.kind == "speed"
        and all(item.array is None for item in outcome.measurements)
    )
    later = run.model_copy(
        update={
            "job": run.job.model_copy(update={"run": "later", "labels": Labels(sweep="mine", method="int8")}),
            "started": run.started + timedelta(days=30),
            "environment": run.environment.model_copy(update={"box": "another"}),
        }
    )
    with Database.open("sqlite://") as database:
        database.ingest(later, None)
        database.place(session(later, labels=Labels(sweep="mine", method="int8")))
        (folder / "mine.yaml").write_text(promote(database, ["later"], ["mine"]), encoding="utf-8")
    mine = tmp_path / "mine.tables.yaml"
    mine.write_text(
        f"m: {{rows: [method, box], cells: {{A: {{metric: {run.measurements[0].metric}}}}}}}", encoding="utf-8"
    )
    with from_published(folder) as source:
        assert [item.markdown for item in render([specs], source)] == before
        assert "| int8 | another |" in render([mine], source)[0].markdown


def test_no_published_files_make_empty_tables(specs: Path, tmp_path: Path) -> None:
    with from_published(tmp_path / "nothing") as source:
        assert {item.markdown for item in render([specs], source)} == {EMPTY}


def test_pages_are_written_and_checked(filled: Database, specs: Path, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# R\n<!-- table: speed -->\n<!-- end: speed -->\n", encoding="utf-8")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "plain.md").write_text("nothing\n", encoding="utf-8")
    assert with_markers(sorted(tmp_path.rglob("*.md"))) == [page]
    assert shown_in([page]) == ["speed"]
    rendered = render([specs], Source(filled), names=["speed"])
    assert [item.tables for item in check_pages([page], rendered)] == [("speed",)]
    assert [item.path for item in write_pages([page], rendered)] == [page]
    assert check_pages([page], rendered) == []
    page.write_text(page.read_text(encoding="utf-8").replace("100.0", "101.0"), encoding="utf-8")
    assert [item.tables for item in check_pages([page], rendered)] == [("speed",)]


def test_a_table_name_belongs_to_one_file(specs: Path, tmp_path: Path) -> None:
    (tmp_path / "more.tables.yaml").write_text(SPECS, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"more.tables.yaml:2: table 'speed' is also in .*demo.tables.yaml:2"):
        specs_in([tmp_path])


def test_an_unknown_table_names_the_nearest(specs: Path, filled: Database) -> None:
    with pytest.raises(ConfigError, match="unknown table 'sped'; did you mean 'speed'"):
        render([specs], Source(filled), names=["sped"])


Edit = Callable[[dict[str, Any]], object]


def edited(folder: Path, kind: str, edit: Edit) -> str:
    """Edit the shipped file's first run of a kind that is ok, and return what reading says; empty where it is accepted."""
    path = ROOT / "results" / "published" / "quickstart.yaml"
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    probe = {"quality": "lm_eval", "speed": "generation"}.get(kind)
    jobs = [run["outcome"]["job"] for run in raw["runs"]]
    place = next(at for at, job in enumerate(jobs) if job["kind"] == kind and probe in {None, job["spec"].get("probe")})
    run = raw["runs"][place]
    edit(run)
    (folder / "quickstart.yaml").write_text(yaml.safe_dump(raw | {"runs": [run]}), encoding="utf-8")
    try:
        read_published(folder)
    except ConfigError as error:
        return str(error)
    return ""


def job_of(run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = run["outcome"]["job"]
    return found


def first(run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = run["outcome"]["measurements"][0]
    return found


def faster(run: dict[str, Any]) -> None:
    """Raise the rate of decoding alone."""
    item = next(one for one in run["outcome"]["measurements"] if one["metric"] == "decode_tps")
    item["value"] *= 1.5


def slower(run: dict[str, Any]) -> None:
    """Lengthen a time whose repetitions are kept."""
    item = next(one for one in run["outcome"]["measurements"] if one["metric"] == "ttft")
    item["value"] *= 1.01


def renamed(run: dict[str, Any]) -> None:
    """Let a run's name tell of another job."""
    job = job_of(run)
    job["run"] = re.sub(r"-s-[0-9a-f]{12}-", "-s-eeeeeeeeeeee-", job["run"])


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("build", lambda run: job_of(run)["spec"]["options"].update(precision="int4"), "is not the hash of its spec"),
        ("build", lambda run: job_of(run).update(artifact="f" * 64), ", its job is ffffffffffff"),
        ("quality", lambda run: job_of(run)["spec"]["workload"].update(limit=60), "is not the hash of its spec"),
        ("quality", lambda run: job_of(run)["spec"]["contents"].popitem(), "is not the hash of its spec"),
        ("quality", lambda run: first(run).update(value=0.84), "lm_eval.acc is 0.84, but its samples give 0.8"),
        ("quality", lambda run: first(run)["array"].update(sha256="0" * 64), "not those that were measured, by their hash"),
        ("quality", lambda run: first(run).pop("array"), "has samples, but its measurement refers to none"),
        ("quality", lambda run: first(run).update(metric="lm_eva.acc"), "unknown metric 'lm_eva.acc'"),
        ("reference", lambda run: job_of(run)["spec"].update(version=7), "is not the hash of its spec"),
        ("speed", renamed, "its name says eeeeeeeeeeee"),
        ("speed", lambda run: job_of(run)["spec"].update(engine="transformers"), "is not the hash of its spec"),
        ("speed", lambda run: first(run).update(unit="ms"), "but its unit is"),
        ("speed", lambda run: first(run).update(n=4000), "says n 4000 but has"),
        ("speed", faster, "but per_token_latency is"),
        ("speed", slower, "but its samples give"),
        ("speed", lambda run: run["outcome"].update(status="failed", reason="it broke"), "is failed and has"),
        ("speed", lambda run: run["outcome"].update(reason="it broke"), "has status ok and a failure reason"),
    ],
)  # fmt: skip
def test_a_run_that_contradicts_itself_is_refused_by_file_run_and_reason(
    tmp_path: Path, kind: str, edit: Edit, message: str
) -> None:
    said = edited(tmp_path, kind, edit)
    assert message in said
    assert "quickstart.yaml: run 2026" in said
    assert said.endswith("restore the file")


@pytest.mark.parametrize("kind", ["build", "quality", "reference", "speed"])
def test_a_run_that_nobody_edited_is_taken(tmp_path: Path, kind: str) -> None:
    assert edited(tmp_path, kind, lambda _run: None) == ""


def test_a_field_that_only_says_where_contents_lie_need_not_be_in_the_key() -> None:
    spec = BuildSpec(
        quantizer="q", version=1, options={"dataset": "here", "bits": 4}, model=digest("m"), contents={"dataset": digest("d")}
    )  # fmt: skip
    for key, sound in ((spec_key(spec), True), (spec_key(spec, ["dataset"]), True), (digest("other"), False)):
        job = built(1).job.model_copy(update={"spec": spec, "key": key})
        assert bool(list(contradictions(built(1).model_copy(update={"job": job}), {}, {}))) != sound


@pytest.mark.parametrize("text", ["", "foo: 1", "- 1", "just words"])
def test_a_file_of_neither_kind_is_told_which_there_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"odd\.yaml: .*start it with `reported:`.*, or write it with `harness promote`"
    ):
        read_published(tmp_path)
