"""What is committed and shown tells of no folder, user or machine, wherever a sweep's texts and models lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands.report import plain
from harness.published.committed import _absolute, _cut, promote, read_published
from harness.published.sources import Source, from_published
from harness.store.database import Database
from harness.store.workload import place_label
from tests.fake_box import Bench

PLANTED = ("planted-user", "planted-host", "planted-token")


@pytest.fixture
def planted(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A sweep whose text and model lie in a folder of a name that nobody else needs to know."""
    for name, value in zip(("USER", "HOSTNAME", "HF_TOKEN"), PLANTED, strict=True):
        monkeypatch.setenv(name, value)
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
        runs = sorted(set(database.frame({}, ["run"])["run"]))
        told = promote(database, runs)
        tables = plain("s", Source(database), planted.workspace)
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "s.yaml").write_text(told, "utf-8")
    assert len(read_published(folder).outcomes) == len(runs), "each key still is the hash of its spec"
    with from_published(folder) as source:
        again = plain("s", source, planted.workspace)
    assert again == tables
    for text in (told, *tables):
        said = [word for word in (*PLANTED, "secret project", str(tmp_path), "/home/", "/tmp/") if word in text]
        assert said == [], next(line for line in text.splitlines() if said[0] in line)
    assert any("notes.txt" in table for table in tables)
    assert "./notes.txt" in told


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
