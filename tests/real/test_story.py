"""A week and four nights of somebody with an INT4 folder, an interpreter and eight lines of YAML: every command is typed, the engine is real."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.night.files import NIGHTS, read_nights
from harness.night.record import NightRecord
from harness.published.reading import read_published
from harness.store.files import read_session
from harness.store.session import SessionRecord
from tests.real.maintainer import Maintainer, damage, wait_for, worker_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a group of processes otherwise there"),
]
SWEEP = """\
model: mine
method: int4_rtn
engine: {ort-genai: {provider: cpu}}
environment: theirs
rounds: 3
probes:
  perplexity: {tokens: 6000, window: 512, stride: 256}
  generation: {batch: [1, 4], prompt: 32, output: 48, repetitions: 4}
"""
MODELS = "mine: {ready: {path: models/int4, method: int4_rtn, of: reference}}\n"
PLACES = "theirs: {python: venv/bin/python}\ntonight: {python: fork/bin/python}\n"
GATE = "margins: {speed: 55 %}\n"
"""Wide, so that a machine on which other tests run comes to verdicts; what is injected is larger by far."""
NIGHT = "night week --baseline theirs --candidate tonight --budget 12m --disturbed --where metric=decode_tps --issue issue.md"
TRIES = 3
"""Of a night whose canary was lost in what others did on this machine: such a night counts for nothing, as it says."""


@dataclass
class Week:
    """What happened so far."""

    home: Maintainer
    weights: Path
    known: set[Path] = field(default_factory=set)

    @property
    def sessions(self) -> list[SessionRecord]:
        found = [read_session(path) for path in self.home.results.glob("sessions/*.json")]
        return sorted(found, key=lambda one: one.age)

    def another_round_runs(self) -> bool:
        """Say whether a round began that is not over."""
        logs = set(self.home.results.glob("runs/*-s-*/log.txt")) - self.known
        return any(not (log.parent / "outcome.json").exists() for log in logs)


def test_from_eight_lines_to_an_issue_that_closes_itself(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    home = Maintainer(tmp_path / "theirs")
    home.folder.mkdir()
    home.type("init")
    week = Week(home, home.export_int4(tmp_path / "export"))
    home.fork("venv", 1)
    home.write("configs/models.yaml", MODELS)
    home.write("configs/environments.yaml", PLACES)
    home.write("configs/gate.yaml", GATE)
    home.write("configs/sweeps/week.yaml", SWEEP)
    assert len(SWEEP.splitlines()) == 8
    interrupted_and_killed(week)
    a_row_again_and_void(week)
    published = home.type("publish", "week")
    assert "results/published/week.yaml" in published
    nights(week)


def interrupted_and_killed(week: Week) -> None:
    """Plan, Ctrl-C, a killed worker, and the same command to its end: nothing is lost, nothing twice."""
    home = week.home
    planned = home.type("plan", "week")
    assert "perplexity" in planned
    assert not list(home.results.glob("runs/*")), "a plan runs nothing"
    command = home.begin("run", "week")
    wait_for(command, week.another_round_runs)
    os.killpg(command.pid, signal.SIGINT)
    said = command.communicate(timeout=300)[0]
    assert command.returncode == 130, said
    assert "Traceback" not in said
    week.known = set(home.results.glob("runs/*-s-*/log.txt"))
    command = home.begin("run", "week")
    workers = list[int]()

    def at_work() -> bool:
        worker = worker_of(command) if week.another_round_runs() else None
        workers.extend([] if worker is None else [worker])
        return worker is not None

    wait_for(command, at_work)
    while True:  # a round's process may end by itself at this very moment
        with suppress(ProcessLookupError):
            os.kill(workers[-1], signal.SIGKILL)
            break
        wait_for(command, at_work)
    said = command.communicate(timeout=600)[0]
    assert command.returncode == 0, said
    assert len(week.sessions) == 1, "the second command went on with the first one's session"
    good = home.frame(
        {"status": "ok", "metric": ["decode_tps", "perplexity"], "slice": ""}, ["metric", "batch", "round"]
    )
    assert sorted(good.fillna(0).astype({"batch": int, "round": int}).itertuples(index=False, name=None)) == [
        *(("decode_tps", batch, number) for batch in (1, 4) for number in range(3)), ("perplexity", 0, 0),
    ]  # fmt: skip
    assert len(home.frame({"status": "failed"}, ["run"])) >= 1, "the killed worker's round is on record"


def a_row_again_and_void(week: Week) -> None:
    """One row runs again and takes its place in the table until it is void."""
    home = week.home
    first = home.type("report", "week")
    rows = [line for line in first.splitlines() if line.startswith("|") and "INT4" in line]
    assert len(rows) >= 2, first
    home.type("run", "week", "--only", "batch=1", "--probe", "generation", "--rerun", "speed")
    again = week.sessions[-1]
    assert (again.chosen, len([job for job in again.jobs if job.kind == "speed" and job.run])) == (True, 3)
    second = home.type("report", "week")
    assert second != first
    home.type("mark", again.session, "--void", "somebody compiled")
    assert home.type("report", "week") == first


def night(week: Week) -> NightRecord:
    """Have a night; one that others on this machine blinded is had again."""
    for _ in range(TRIES):
        code, said = week.home.typed(*shlex.split(NIGHT))
        record = read_nights(week.home.results / NIGHTS).records[-1]
        assert code == record.exit_code, said[-3000:]
        if all(one.found for one in record.canaries) and record.exit_code != 3 and not record.of("cannot tell"):
            return record
    raise AssertionError(f"no night of {TRIES} could tell anything: {said[-4000:]}")


def issue(week: Week) -> tuple[str, str]:
    """Give the issue's state and body."""
    text = (week.home.folder / "issue.md").read_text("utf-8")
    title, state, body = text.split("\n", 2)
    assert title == "<!-- title: Nightly week: tonight against theirs -->"
    return state.removeprefix("<!-- state: ").removesuffix(" -->"), body


def told(record: NightRecord) -> list[tuple[str, str, str]]:
    return [(one.name, one.word, one.why) for one in record.numbers]


def nights(week: Week) -> None:
    """A quiet night, a slower engine, a damaged weight, and all mended."""
    home = week.home
    home.fork("fork", 2)
    quiet = night(week)
    assert quiet.exit_code == 0, told(quiet)
    assert issue(week)[0] == "closed"
    first = read_nights(home.results / NIGHTS).records[0].night

    slower = home.fork("fork", 3, more=6.0)
    record = night(week)
    assert record.exit_code == 1, told(record)
    assert {one.metric for one in record.alarms} == {"decode_tps"}
    assert {one.covers["batch"] for one in record.alarms} == {"1", "4"}
    state, body = issue(week)
    assert state == "open"
    for part in ("Decode", "reference int4_rtn ort-genai", slower, slower.replace("post3", "post1")):
        assert part in body, f"{part} in {body}"

    home.fork("fork", 4)
    mended = damage(week.weights)
    record = night(week)
    assert record.exit_code == 1, told(record)
    assert {one.metric for one in record.alarms} == {"perplexity"}
    (alarm,) = record.alarms
    assert (alarm.against, alarm.confirmed) == (first, True)
    assert {one.name for one in record.closed} == {one.name for one in record.closed if "Decode" in one.name}
    state, body = issue(week)
    assert state == "open"
    assert "Perplexity, reference int4_rtn ort-genai, theirs itself against night" in body
    assert body.count("- resolved in night") == 2

    mended()
    record = night(week)
    assert record.exit_code == 0, told(record)
    assert issue(week)[0] == "closed"
    lately = read_nights(home.results / NIGHTS).records[-TRIES:]
    assert any("Perplexity" in one.name for past in lately for one in past.closed)
    after(week)


def after(week: Week) -> None:
    """The sweep's own table and what is published know nothing of the candidate."""
    assert "no table" not in week.home.type("report", "week")
    week.home.type("publish", "week", "--to", "later/week.yaml")
    speed = [one for one in read_published(week.home.folder / "later").outcomes if one.job.kind == "speed"]
    assert {one.environment.name for one in speed} == {"theirs"}
