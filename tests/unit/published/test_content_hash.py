"""Whoever edits a published run is told so: with file and line, both hashes, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.published.reading import read_published
from tests.unit.published.files import SHIPPED, Raw, line, many, raw_of, refusal, rewritten, three, written
from tests.unit.store.outcomes import environment, measured


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
