"""What is published and shown tells of no folder, user or machine, wherever a sweep's texts and models lie."""

from __future__ import annotations

import getpass
import io
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.commands.pages import write_pages
from harness.commands.plain import plain
from harness.commands.workspace import Workspace
from harness.core.executed import Executed
from harness.core.outcome import ArrayRef, Artifact, Environment, Gpu, Measurement, Outcome, Protocol, Scheme
from harness.core.spec import BuildSpec, Input, Job, MeasureSpec, Note, Record
from harness.environments import ROOT
from harness.executors.process import variables
from harness.probes.facts import FACTS
from harness.published import kept
from harness.published.kept import _absolute, _cut
from harness.published.publish import publish
from harness.published.reading import read_published
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.store.workload import place_label
from tests.fake_machine import Bench
from tests.unit.published.files import written
from tests.unit.store.outcomes import built, environment, measured

PLANTED = ("planted-user", "planted-host", "planted-token")
ELSEWHERE = """
import getpass, os, platform, socket
socket.gethostname = socket.getfqdn = platform.node = lambda *given: "planted-host"
getpass.getuser = os.getlogin = lambda: "planted-user"
named = os.uname()
os.uname = lambda: os.uname_result((named.sysname, "planted-host", named.release, named.version, named.machine))
"""
"""Python of a machine and user with names that nothing else has: for workers, as `sitecustomize`."""


@pytest.fixture
def planted(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A sweep whose text and model lie in a folder of a name that nobody else needs to know."""
    user, host, token = PLANTED
    for name, value in {"USER": user, "LOGNAME": user, "HOSTNAME": host, "HF_TOKEN": token}.items():
        monkeypatch.setenv(name, value)
    for place in ("socket.gethostname", "socket.getfqdn", "platform.node"):
        monkeypatch.setattr(place, lambda *given: host)
    for place in ("getpass.getuser", "os.getlogin"):
        monkeypatch.setattr(place, lambda: user)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "sitecustomize.py").write_text(ELSEWHERE, "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "elsewhere"), os.environ.get("PYTHONPATH", "")]))
    folder = tmp_path / "planted-user" / "secret project"
    folder.mkdir(parents=True)
    text = folder / "notes.txt"
    text.write_text(bench.text.read_text("utf-8"), "utf-8")
    probes = {
        "perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(text)},
        "generation": {"batch": 1, "prompt": 8, "output": 8, "warmup": 1, "repetitions": 2, "text": str(text)},
    }
    bench.sweep(method=["fp32", "int8"], probes=probes)
    bench.run()
    return bench


def test_published_text_and_tables_tell_nothing_of_where_a_text_lies(planted: Bench, tmp_path: Path) -> None:
    with Database.open(planted.results / "bench.db") as database:
        assert facts_of(database) - set(FACTS) == set(), "each has its meaning, and what has none is not published"
        runs = sorted(set(database.frame({}, ["run"])["run"]))
        told = publish(database, runs)
        tables = plain("s", NumberSource(database), planted.workspace)
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "s.yaml").write_text(told, "utf-8")
    assert len(read_published(folder).outcomes) == len(runs)
    with from_published(folder) as source:
        again = plain("s", source, planted.workspace)
    assert again == tables
    page = _written_page(tmp_path, told)
    for text in (told, page, *tables):
        assert leaks(text, tmp_path) == []
    assert any("notes.txt" in table for table in tables)
    assert "./notes.txt" in told
    assert "notes.txt" in page
    for word in (*PLANTED, *real_names()):
        assert leaks(told.replace("toy", word), tmp_path) != [], "what would be told is found"


def test_workers_of_the_planted_machine_take_its_names_for_their_own(planted: Bench) -> None:
    code = "import getpass, os, platform, socket; print(socket.gethostname(), platform.node(), os.uname().nodename, getpass.getuser())"
    said = subprocess.run([sys.executable, "-c", code], env=variables({}), capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["planted-host"] * 3 + ["planted-user"]


HOST, USER = socket.gethostname(), getpass.getuser()
"""Of this machine, before anything is planted."""


def real_names() -> list[str]:
    """Names of this machine and user, but such as tell of nobody."""
    return [
        name for name in (HOST, USER) if len(name) >= 4 and name.lower() not in {"root", "user", "localhost", "runner"}
    ]


def leaks(text: str, folder: Path) -> list[str]:
    """List the lines that tell of a machine, a user, a token or a folder."""
    told = (*PLANTED, "secret project", str(folder), "/home/", "/tmp/")
    real = [re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])") for name in real_names()]
    return [
        line
        for line in text.splitlines()
        if any(word in line for word in told) or any(one.search(line) for one in real)
    ]


def _written_page(folder: Path, published: str) -> str:
    """Write a page with tables of published results, as `report --write` does."""
    root = folder / "planted-user" / "workspace"
    (root / "results" / "published").mkdir(parents=True)
    (root / "tables").mkdir()
    (root / "results" / "published" / "s.yaml").write_text(published, "utf-8")
    cells = "{PPL: {metric: perplexity, format: 3}, Decode (tok/s): {metric: decode_tps, format: 1}}"
    (root / "tables" / "s.tables.yaml").write_text(f"mine:\n  rows: [model, method]\n  cells: {cells}\n", "utf-8")
    page = root / "README.md"
    page.write_text("# Page\n\n<!-- table: mine -->\n<!-- end: mine -->\n", "utf-8")
    workspace = Workspace(root, (ROOT / "configs",), (root / "tables",), root / "results", pages=("README.md",))
    assert write_pages(Console(file=io.StringIO()), workspace) == 0
    assert "| toy" in page.read_text("utf-8")
    return page.read_text("utf-8")


def facts_of(database: Database) -> set[str]:
    protocols = [database.outcome(run).protocol for run in database.run_names()]
    return {name for protocol in protocols if protocol is not None for name in protocol.facts}


LEFT_OUT: dict[type[Record], set[str]] = {
    Outcome: {"schema_version", "job", "environment", "measurements", "origin", "citation", "printed"},
    Job: {"schema_version", "run", "out"},
    Input: {"path"},
}
"""Fields that stand elsewhere in a published file, that only others' numbers have, or that lead to somebody's folder."""


def fields(record: type[Record]) -> set[str]:
    on_disk = {field.serialization_alias or name for name, field in record.model_fields.items()}
    return on_disk - LEFT_OUT.get(record, set())


@pytest.mark.parametrize(
    ("listed", "records"),
    [
        (kept.OUTCOME, [Outcome]), (kept.JOB, [Job]), (kept.JOB["spec"], [BuildSpec, MeasureSpec]), (kept.JOB["inputs"], [Input]),
        (kept.JOB["notes"], [Note]), (kept.ARTIFACT, [Artifact]), (kept.OUTCOME["scheme"], [Scheme]), (kept.OUTCOME["executed"], [Executed]), (kept.PROTOCOL, [Protocol]),
        (kept.MEASUREMENT, [Measurement]), (kept.MEASUREMENT["array"], [ArrayRef]), (kept.ENVIRONMENT, [Environment]),
        (kept.ENVIRONMENT["gpus"], [Gpu]),
    ],
    ids=lambda value: value[0].__name__ if isinstance(value, list) else "",
)  # fmt: skip
def test_every_field_of_a_record_is_listed_or_left_out_on_purpose(
    listed: dict[str, Any], records: list[type[Record]]
) -> None:
    assert set(listed) == set().union(*map(fields, records))


def test_what_no_list_names_is_not_published(tmp_path: Path) -> None:
    """Free mappings are where something of somebody could be: facts of a report, of a model and an artifact, packages."""
    secret = {"customer": "planted-user"}
    protocol = Protocol(name="p", facts={"seed": 1, **secret})
    inputs = (Input(role="model", id="m", path="", provenance={"hub": "a/b", **secret}),)
    made = built(2)
    assert made.artifact is not None
    artifact = made.artifact.model_copy(update={"facts": {"parameters": 3, **secret}})
    place = environment(**{"torch": "2.8.0", "planted-user-tool": "1.0", "numpy": "2.4.6", "fork": "1.0@0123abcd"})
    ours = measured(1, protocol=protocol, inputs=inputs, place=place)
    ours = ours.model_copy(update={"job": ours.job.model_copy(update={"inputs": inputs})})
    path = written(tmp_path / "p", [ours, made.model_copy(update={"artifact": artifact})])
    assert "planted-user" not in path.read_text("utf-8")
    one, other = read_published(path.parent).outcomes
    assert one.protocol is not None
    assert other.artifact is not None
    assert (one.protocol.facts, one.inputs[0].provenance, other.artifact.facts) == (
        {"seed": 1}, {"hub": "a/b"}, {"parameters": 3},
    )  # fmt: skip
    assert one.job.inputs == one.inputs
    assert one.environment.packages == {"torch": "2.8.0", "numpy": "2.4.6", "fork": "1.0@0123abcd"}


def test_a_command_line_loses_its_folders_and_its_key_stays(tmp_path: Path) -> None:
    line = ["python", "/home/planted-user/it.py", "--out=/data/secret/x", "{out}"]
    ours = measured(1, workload={"run": line})
    (found,) = read_published(written(tmp_path / "p", [ours]).parent).outcomes
    assert isinstance(found.job.spec, MeasureSpec)
    assert found.job.spec.workload["run"] == ["python", "./it.py", "--out=x", "{out}"]
    assert found.job.key == ours.job.key


@pytest.mark.parametrize(
    "path",
    [
        "/a b/secret project/x.txt", "~/secret project/x.txt", "C:\\a b\\secret project\\x.txt",
        "\\\\server\\my share\\secret project\\x.txt",
    ],
)  # fmt: skip
def test_paths_of_every_system_are_known_as_such(path: str) -> None:
    assert _absolute({"text": path}) == {path}
    cut = _cut({"text": path, "said": f"cannot read {path}: gone"}, [path])
    assert cut == {"text": "./x.txt", "said": "cannot read x.txt: gone"}


@pytest.mark.parametrize(
    ("text", "contents", "label"),
    [
        ("reference", {"text": "ab" * 32}, "reference"),
        ("wikitext-2", {}, "wikitext-2"),
        ("/home/me/wiki.txt", {"text": "0123456789" * 6 + "abcd"}, "wiki.txt 012345"),
        (r"C:\\Users\\me\\wiki.txt", {"text": "0123456789" * 6 + "abcd"}, "wiki.txt 012345"),
        ("$EVALUATION_TEXT", {"text": "0123456789" * 6 + "abcd"}, "$EVALUATION_TEXT 012345"),
        ("~/tasks/mine.yaml", {"task": "f" * 64, "beside x.py": "e" * 64}, "mine.yaml ffffff"),
        ("texts/wiki.txt", {"text": "0123456789" * 6 + "abcd"}, "wiki.txt 012345"),
        ("Salesforce/wikitext", {}, "Salesforce/wikitext"),
        ("../wiki.txt", {}, "wiki.txt"),
        (None, {}, None),
    ],
)
def test_a_path_is_told_by_its_name_and_content(text: str | None, contents: dict[str, str], label: str | None) -> None:
    assert place_label(text, contents) == label
