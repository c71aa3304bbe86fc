"""Whoever edits a published run is told so: with file and line, both hashes, and what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness.core.errors import ConfigError
from harness.environments import ROOT
from harness.published.reading import read_published
from tests.unit.published.files import Raw, many, raw_of, refusal, rewritten, three, written
from tests.unit.store.outcomes import environment, measured

SHIPPED = ROOT / "results" / "published"


def line(path: Path, begins: str, number: int = 0) -> int:
    """Find the line of the text's NUMBERth line that begins so, counted from 1."""
    found = [at for at, text in enumerate(path.read_text("utf-8").splitlines(), 1) if text.startswith(begins)]
    return found[number]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    found = read_published(written(tmp_path / "p").parent)
    assert [outcome.job.run for outcome in found.outcomes] == ["run-000001", "run-000002", "run-000003"]
    assert [outcome.environment for outcome in found.outcomes] == [outcome.environment for outcome in three()]
    assert found.outcomes == tuple(three())
    (session,) = found.sessions
    assert (session.session, session.sweep) == ("published-demo", "demo")
    assert [job.labels for job in session.jobs] == [(outcome.job.labels,) for outcome in three()]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value: 100.0", "value: 300.0"),
        ("value: 100.0", "value: 100"),
        ("metric: decode_tps", "metric: prefill_tps"),
        ("unit: tok/s", "unit: s"),
        ("samples: [99.5,", "samples: [99.25,"),
        ("batch: 1", "batch: 2"),
        ("method: int4_rtn", "method: int8"),
        ("provider: cpu", "provider: cuda"),
        ("2026-01-31T12:00:01Z", "2027-01-31T12:00:01Z"),
        ("2026-01-31T12:00:01Z", "2026-01-31T12:00:01"),
        ("started: '2026-01-31T12:00:01Z'", "started: 2026-01-31"),
        ("value: 100.0", "value: .nan"),
        ("n: 3, samples", "n: 3, note: well, samples"),
        ("name: run-000001", "name: run-000009"),
    ],
)
def test_an_edited_run_is_refused_with_its_line_and_both_hashes(tmp_path: Path, old: str, new: str) -> None:
    path = written(tmp_path / "p")
    text = path.read_text("utf-8")
    assert old in text
    (was,) = {run["run"]["content"] for run in raw_of(path)["runs"] if run["run"]["name"] == "run-000001"}
    path.write_text(text.replace(old, new, 1), "utf-8")
    said = refusal(path)
    name = "run-000009" if "run-" in new else "run-000001"
    assert (
        f"demo.yaml:{line(path, '- run:')}: run {name} was edited, or its environment (line {line(path, '  cpu:')}): "
        in said
    )
    hashes = re.search(r"the file says (sha256:\S+), and its content is (sha256:\S+);?", said)
    assert hashes is not None
    assert was.startswith(hashes[1])
    assert hashes[1] != hashes[2]
    assert "publish it again with `harness publish`, or, where it is somebody else's number" in said
    assert "`reported:`" in said


def test_an_edited_hash_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    content = raw_of(path)["runs"][2]["run"]["content"]
    path.write_text(path.read_text("utf-8").replace(content, f"sha256:{'0' * 64}"), "utf-8")
    said = refusal(path)
    assert f"demo.yaml:{line(path, '- run:', 2)}: run run-000003 was edited" in said
    assert f"the file says sha256:{'0' * 12}, and its content is {content[:19]};" in said


def test_an_edited_environment_is_refused_by_every_run_of_it_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path / "p", [*many(8), measured(9, place=environment("cuda"))])
    path.write_text(path.read_text("utf-8").replace("cores: 2", "cores: 4", 1), "utf-8")
    said = refusal(path)
    assert said.count(f"was edited, or its environment (line {line(path, '  cpu:')})") == 5
    assert "and 3 more" in said
    assert "run-000002 was edited" in said
    assert "run-000009" not in said


def test_runs_that_were_swapped_are_refused(tmp_path: Path) -> None:
    """What was measured for one recipe stands under the name of another, each part of it genuine."""
    path = written(tmp_path / "p", [measured(1), measured(2, workload={"batch": 2})])
    raw = raw_of(path)
    one, other = raw["runs"]
    one["measurements"], other["measurements"] = [{**other["measurements"][0], "value": 50.0}], one["measurements"]
    path.write_text(yaml.safe_dump(raw), "utf-8")
    assert "run run-000001 was edited" in refusal(path)
    raw = raw_of(written(tmp_path / "p", [measured(1), measured(2, workload={"batch": 2})]))
    heads = [run["run"] for run in raw["runs"]]
    raw["runs"][0]["run"], raw["runs"][1]["run"] = heads[1], heads[0]
    path.write_text(yaml.safe_dump(raw), "utf-8")
    assert {"run run-000001 was edited", "run run-000002 was edited"} == set(
        re.findall(r"run run-\d+ was edited", refusal(path))
    )


def test_the_order_of_runs_and_the_short_name_of_an_environment_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    raw = raw_of(path)
    raw["environments"] = {"mine" if name == "cpu" else name: place for name, place in raw["environments"].items()}
    for run in raw["runs"]:
        run["run"]["environment"] = run["run"]["environment"].replace("cpu", "mine")
    path.write_text(yaml.safe_dump({**raw, "runs": raw["runs"][::-1]}), "utf-8")
    assert read_published(path.parent).outcomes == tuple(three()[::-1])


def test_a_run_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "p", [measured(1), measured(2), measured(1)])
    assert (
        f"demo.yaml:{line(path, '- run:', 2)}: run run-000001 stands in line {line(path, '- run:')} already; keep one"
        in refusal(path)
    )


def test_a_run_may_stand_in_two_files_in_the_same_words_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    written(tmp_path / "p", name="again")
    assert read_published(path.parent).outcomes == tuple(three())
    written(tmp_path / "p", [measured(1, provider="cuda")], name="again")
    assert "run run-000001 is given twice with different content" in refusal(path)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("3", "has format 3, and this harness reads 2; take the harness that wrote it, or a later one"),
        ("1", "has format 1, and this harness reads 2; publish it again with `harness publish`"),
        ("two", "has format two, and this harness reads 2; publish it again"),
    ],
)
def test_a_file_of_another_version_is_refused_with_what_to_do(tmp_path: Path, version: str, told: str) -> None:
    path = written(tmp_path / "p")
    path.write_text(path.read_text("utf-8").replace("format: 2", f"format: {version}"), "utf-8")
    assert f"demo.yaml:{line(path, 'format:')}: {told}" in refusal(path)


def test_a_file_of_0_1_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(
        "environments:\n  e1: {name: cpu}\nruns:\n- environment: e1\n  labels: []\n", "utf-8"
    )
    said = refusal(tmp_path / "old.yaml")
    assert (
        "old.yaml:1: was written by harness 0.1, with its arrays and without hashes; publish it again with `harness publish`"
        in said
    )


def test_a_file_is_refused_wherever_it_was_cut_short(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    lines = path.read_bytes().splitlines(keepends=True)
    whole = read_published(path.parent)
    for kept in range(len(lines)):
        path.write_bytes(b"".join(lines[:kept]))
        assert "demo.yaml" in refusal(path), f"{kept} of {len(lines)} lines"
    for lost in range(1, 60):
        path.write_bytes(b"".join(lines)[:-lost])
        if raw_or_none(path) != yaml.safe_load(b"".join(lines)):
            assert "demo.yaml" in refusal(path), f"{lost} bytes less"
    path.write_bytes(b"".join(lines))
    assert read_published(path.parent) == whole


def raw_or_none(path: Path) -> object:
    try:
        return raw_of(path)
    except yaml.YAMLError:
        return None


def test_a_run_that_was_taken_out_is_missed(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    raw = raw_of(path)
    del raw["runs"][1]
    path.write_text(yaml.safe_dump(raw), "utf-8")
    assert re.search(
        r"demo\.yaml:\d+: says that it holds 3 runs, and 2 are in it: it was cut short, or one was taken out",
        refusal(path),
    )


def test_line_ends_of_windows_and_another_layout_are_no_edit(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_published(path.parent).outcomes == tuple(three())
    path = written(tmp_path / "p")
    path.write_text("# for the paper\n" + yaml.safe_dump(raw_of(path), width=40, default_flow_style=False), "utf-8")
    assert read_published(path.parent).outcomes == tuple(three())


def test_items_that_were_edited_or_belong_to_no_run_are_refused(tmp_path: Path) -> None:
    shipped = SHIPPED / "quickstart.yaml"
    path = tmp_path / "quickstart.yaml"
    raw = raw_of(shipped)
    run = next(iter(raw["items"]))
    place = next(iter(raw["items"][run]))
    kind = next(iter(raw["items"][run][place]))
    raw["items"][run][place][kind] = raw["items"][run][place][kind].replace("e", "f", 1)
    path.write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")
    assert f"run {run} was edited" in refusal(path)
    raw = raw_of(shipped)
    raw["items"]["run-nobody"] = raw["items"][run]
    path.write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")
    assert "items of run run-nobody, which is not there" in refusal(path)
    raw = raw_of(shipped)
    del raw["items"][run]
    path.write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")
    assert f"run {run} was edited" in refusal(path)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda raw: raw["runs"][0]["run"].update(environment="gone"),
            "run run-000001: no environment 'gone' in this file",
        ),
        (lambda raw: raw["runs"][1].pop("job"), r"runs.1.job: Field required"),
        (lambda raw: raw.update(schema_version=1), r"schema_version: Extra inputs are not permitted"),
        (lambda raw: raw.update(environments=[]), r"environments: Input should be a valid dictionary"),
        (lambda raw: raw.pop("count"), r"count: Field required"),
    ],
)
def test_a_file_that_is_not_whole_is_told_with_its_line(
    tmp_path: Path, edit: Callable[[Raw], object], told: str
) -> None:
    path = written(tmp_path / "p")
    raw = raw_of(path)
    edit(raw)
    path.write_text(yaml.safe_dump(raw), "utf-8")
    said = refusal(path)
    assert told in said
    assert re.search(r"demo\.yaml:\d+: ", said)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda run: run["outcome"].update(origin="imported"), "is imported, and only what was measured is published; where it is somebody else's"),
        (lambda run: run["outcome"].update(status="lost"), "status: Input should be"),
        (lambda run: run["job"].update(secret="x"), "job.secret: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_right_hash_makes_nothing_a_run_that_is_none(
    tmp_path: Path, edit: Callable[[Raw], object], told: str
) -> None:
    path = written(tmp_path / "p")
    rewritten(path, edit)
    assert told in refusal(path)


def test_an_environment_that_is_none_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "p")
    raw = raw_of(path)
    raw["environments"]["cpu"]["cores"] = "many"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")
    rewritten(path, lambda run: None)
    assert re.search(r"demo\.yaml:\d+: environment cpu: cores: Input should be a valid integer", refusal(path))


@pytest.mark.parametrize("text", ["", "foo: 1", "- 1", "just words"])
def test_a_file_of_neither_kind_is_told_which_there_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"odd\.yaml: .*start it with `reported:`.*, or write it with `harness publish`"
    ):
        read_published(tmp_path)


def test_a_session_begins_with_its_first_run(tmp_path: Path) -> None:
    (session,) = read_published(written(tmp_path / "p").parent).sessions
    assert session.started == datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)


def seconds_of(folder: Path, count: int) -> float:
    written(folder, many(count), name=f"runs-{count}")
    begin = time.process_time()
    assert len(read_published(folder).outcomes) == count
    return time.process_time() - begin


def test_reading_takes_time_in_proportion_to_the_runs(tmp_path: Path) -> None:
    """Of 2,000 runs; a second look at each for every other would be eight times as long, and is told from a busy machine."""
    few, lots = seconds_of(tmp_path / "few", 500), seconds_of(tmp_path / "lots", 2000)
    assert lots < 7 * few
    assert lots < 12


@pytest.mark.parametrize("name", ["quickstart", "smollm2", "gpu-reference", "gpu-smollm2"])
def test_a_shipped_file_is_read_by_people(name: str) -> None:
    """An environment once, a run in a few lines, what pairs in one line a run."""
    text = (SHIPPED / f"{name}.yaml").read_text("utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert text.count("\n") < 14 * len(raw["runs"])
    assert len(raw["items"]) == sum(one.startswith("  2026") for one in text.splitlines())
    assert all(len(item.get("samples", [])) <= 8 for run in raw["runs"] for item in run.get("measurements", []))
