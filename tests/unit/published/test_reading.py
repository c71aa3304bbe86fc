"""Published files are read whole, or refused with their line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness.core.errors import ConfigError
from harness.published.reading import read_published
from tests.unit.published.files import SHIPPED, Raw, line, many, raw_of, refusal, rewritten, three, written
from tests.unit.store.outcomes import measured


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    found = read_published(written(tmp_path / "p").parent)
    assert [outcome.job.run for outcome in found.outcomes] == ["run-000001", "run-000002", "run-000003"]
    assert [outcome.environment for outcome in found.outcomes] == [outcome.environment for outcome in three()]
    assert found.outcomes == tuple(three())
    (session,) = found.sessions
    assert (session.session, session.sweep) == ("published-demo", "demo")
    assert [job.labels for job in session.jobs] == [(outcome.job.labels,) for outcome in three()]


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
    """Read a file of so many runs three times; return the least processor seconds."""
    written(folder, many(count), name=f"runs-{count}")
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        assert len(read_published(folder).outcomes) == count
        seconds.append(time.process_time() - begin)
    return min(seconds)


@pytest.mark.alone
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
