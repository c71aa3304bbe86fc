"""The documentation as a text: how long it is, that it keeps to its words, that links, messages and cells it names are there."""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from pathlib import Path

import pytest

from harness.commands.publish import take_published
from harness.published.reported import read_reported
from harness.store.database import Database
from tests.conftest import ROOT

PAGES = ("README.md", "configs/README.md", "configs/MACHINES.md", "results/README.md", "tests/benchmarks/README.md", "CONTRIBUTING.md", "SECURITY.md",
         *sorted(f"reports/{path.name}" for path in (ROOT / "reports").glob("*.md")))  # fmt: skip
MOST = 8000
SUPERSEDED = (
    "box",
    "boxes",
    "desk",
    "workshop",
    "placement",
    "quantity",
    "sitting",
    "slip",
    "slips",
    "grief",
    "border",
)
"""Words that the documentation once had for what the glossary calls otherwise: machine, runner, label, metric, typo and so on.
As names in code they may stand in code: some columns and files are still called so."""
CODE = re.compile(r"^```.*?^```|^(?: {4}).*?$|`[^`\n]*`|<!--.*?-->", re.DOTALL | re.MULTILINE)
RENDERED = re.compile(r"<!-- table: (\S+) -->.*?<!-- end: \1 -->", re.DOTALL)


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def prose(page: str) -> str:
    """Return a page without code, without what is written from results and without the targets of links."""
    return re.sub(r"\]\([^)]*\)", "]", CODE.sub(" ", RENDERED.sub(" ", text_of(page))))


def test_the_documentation_is_at_most_eight_thousand_words() -> None:
    """Words as `wc -w` counts them, in all that is written by hand, tables and examples included, also around rendered tables in reports.

    Left out is what is written from code or results, since nobody reads it through: configs/OPTIONS.md, results/FIELDS.md, rules of
    the linter, rendered tables between their markers.
    """
    counted = {page: len(RENDERED.sub(" ", text_of(page)).split()) for page in PAGES}
    assert sum(counted.values()) <= MOST, counted


def test_no_page_of_documentation_is_left_uncounted() -> None:
    """A further page beside the code would be documentation, too: it is counted, written from something, or a record."""
    others = {
        "CHANGELOG.md", "harness/NOTES.md", "harness/lint/RULES.md", "harness/reference/data/MODEL_CARD.md", "configs/OPTIONS.md",
        "results/FIELDS.md", "configs/MISSION.md", "tests/benchmarks/records/runs.md",
    }  # fmt: skip
    there = {
        str(path.relative_to(ROOT))
        for folder in ("", "configs", "harness", "results", "tests/benchmarks")
        for path in (ROOT / folder).glob("**/*.md" if folder in {"harness", "tests/benchmarks"} else "*.md")
    }
    assert there - {*PAGES, *others} == set()
    assert {"reports/README.md", "reports/stories.md", "reports/gpu.md"} <= {*PAGES}


def test_the_first_screen_has_both_ways_to_start_and_a_table_that_was_measured() -> None:
    screen = text_of("README.md").splitlines()[:30]
    commands = [line.split("#")[0].strip() for line in screen if line.startswith("    ")]
    assert commands == ["make bench", "make test", "pip install quant_harness-*.whl", "harness init", "harness bench"]
    assert any(line.startswith("| INT8 | ") for line in screen)


# ---------------------------------------------------------------- words


def glossary() -> dict[str, str]:
    section = text_of("README.md").split("\n## Words\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^- ([a-z ]+): (.+)$", section, re.MULTILINE))


def test_the_glossary_has_at_most_25_words_and_each_is_one_short_line() -> None:
    words = glossary()
    assert 15 <= len(words) <= 25
    assert [word for word, meaning in words.items() if len(meaning.split()) > 12] == []


def elsewhere() -> str:
    """Return the prose of all pages but for the glossary itself."""
    own = prose("README.md").split("\n## Words\n")[0]
    return " ".join([own, *(prose(page) for page in PAGES[1:])]).lower()


@pytest.mark.parametrize("word", glossary())
def test_a_word_of_the_glossary_is_used_in_the_documentation(word: str) -> None:
    assert re.search(rf"\b{word}(?:s|es)?\b", elsewhere()), f"nobody needs to look up '{word}'"


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_an_old_word_for_something_that_the_glossary_names(page: str) -> None:
    found = re.findall(rf"\b(?:{'|'.join(SUPERSEDED)})\b", prose(page).lower())
    assert found == []


# ---------------------------------------------------------------- what it points at


def anchors(page: Path) -> set[str]:
    """Name a page's headings as Markdown viewers do."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE), re.MULTILINE)  # fmt: skip
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    here = ROOT / page
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", RENDERED.sub("", text_of(page))) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        there = here.parent / path if path else here
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_every_page_that_a_message_of_the_code_names_is_there() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "harness").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"\b((?:[a-z]+/)+README\.md)\b", text)}
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_message_of_troubleshooting_is_one_of_the_code() -> None:
    section = text_of("README.md").split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    messages = [message for line in re.findall(r"^\| (`.+?) \| ", section, re.MULTILINE) for message in re.findall(r"`([^`]+)`", line)]  # fmt: skip
    assert len(messages) > 6
    code = " ".join(path.read_text("utf-8") for path in (ROOT / "harness").rglob("*.py")).replace(
        "{FILE}", "harness.yaml"
    )
    assert [message for message in messages if message not in code] == []


# ---------------------------------------------------------------- results/README.md


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text_of("results/README.md"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the committed runs of the quickstart."""
    folder = tmp_path_factory.mktemp("database")
    (folder / "published").mkdir()
    kept = ROOT / "results" / "published" / "quickstart.yaml"
    (folder / "published" / kept.name).write_text(kept.read_text("utf-8"), "utf-8")
    with Database.open(folder / "bench.db") as opened:
        take_published(opened, folder / "published")
    return folder / "bench.db"


@pytest.mark.parametrize("query", blocks("sql"), ids=lambda query: query.splitlines()[0].strip("- "))
def test_a_query_of_the_documentation_answers(query: str, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(query).fetchall()
    empty = "status <> 'ok'" in query or "4090" in query
    methods = {row[1] for row in rows}
    assert empty or (len(methods) == 1 if "series" in query else methods >= {"fp32", "int8"})
    assert len(rows) == len(set(rows))
    assert not rows if empty else rows


def test_six_queries_are_documented() -> None:
    assert len(blocks("sql")) == 6


def test_the_query_of_speed_has_the_numbers_of_the_table(database: Path) -> None:
    (query,) = (query for query in blocks("sql") if query.startswith("-- decoding speed"))
    with sqlite3.connect(database) as connection:
        found = {row[1]: row[4] for row in connection.execute(query)}
    shown = dict(re.findall(r"^\| (FP32|INT8) \|(?: [^|]+\|){3} ([\d,]+) ", text_of("README.md"), re.MULTILINE))
    assert {name: f"{found[name.lower()]:,.0f}" for name in shown} == shown
    assert len(shown) == 2


def test_the_reported_file_of_the_documentation_is_read(tmp_path: Path) -> None:
    (given,) = blocks("yaml reported")
    path = tmp_path / "page.yaml"
    path.write_text(given, "utf-8")
    first, second = read_reported(path)
    assert [value.metric for value in first.measurements] == ["per_token_latency", "decode_tps"]
    assert second.status == "unsupported"
