"""Texts and questions by name, and what is said where they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import texts
from harness.core.errors import ConfigError, HarnessError
from harness.core.options import problems_of
from harness.corpus import Corpus


def test_a_plain_file_is_cut_where_blank_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n\n \nthree ü\n", encoding="utf-8")
    text = texts.read(str(path))
    assert text.documents == ("one\ntwo\n\n \n", "three ü\n")
    assert text.whole == path.read_text(encoding="utf-8")
    assert list(texts.read(str(path)).alone) == ["one\ntwo\n\n ", "three ü"]
    assert texts.text_files(str(path)) == {"text": path}


@pytest.mark.parametrize("name", ["wiki.test.raw", "plain.txt"])
def test_a_text_has_one_content_whatever_its_name_line_ends_and_mark(name: str, tmp_path: Path) -> None:
    lines = "One, of ü.\n\nTwo,\nof several lines.\n\nThree.\n"
    path = tmp_path / name
    read = []
    for content in (lines, lines.replace("\n", "\r\n"), "\ufeff" + lines, "\ufeff" + lines.replace("\n", "\r\n")):
        path.write_bytes(content.encode())
        read.append(texts.read(str(path)))
    assert {text.whole for text in read} == {lines}
    assert [len(text.changes) for text in read] == [0, 1, 1, 2]
    assert read[3].changes == ("byte-order mark left out", "line ends CR or CRLF read as LF")


def test_records_with_a_mark_or_crlf_are_the_same_records(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "one\\r\\ntwo"}\r\n{"text": "three"}\r\n')
    assert list(texts.read(str(path)).alone) == ["one\ntwo", "three"]


ARTICLES = " \n = A = \n \n Words @-@ here \n \n = = Part = = \n \n with L \n = 1 rad / s and k = \n 1 ohm \n \n = B b = \n \n End \n"


def test_articles_begin_at_their_headings_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "w.txt"
    path.write_text(ARTICLES, encoding="utf-8")
    text = texts.read(str(path), Corpus(rows="wikitext"))
    assert len(text.documents) == 2
    assert text.documents[0].startswith("\n\n = A = \n")
    assert text.documents[1].startswith(" = B b = \n")
    assert text.noun == "articles"
    assert "WikiText rows joined by blank lines" in text.form
    plain = texts.read(str(path))
    assert len(plain.documents) == 2, "headings are borders of an undeclared text too"
    assert plain.whole == ARTICLES
    assert not plain.declared


def test_a_text_of_one_document_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("A single\nparagraph.\n", encoding="utf-8")
    assert len(texts.read(str(path)).documents) == 1
    path.write_text("Many.\n\nParagraphs.\n", encoding="utf-8")
    assert len(texts.read(str(path), Corpus(documents="whole")).documents) == 1
    assert len(texts.read(str(path), Corpus(documents="lines")).documents) == 2


def test_a_folder_has_a_document_in_each_file(tmp_path: Path) -> None:
    for name, content in (("b", "two"), ("a", "one\n\nmore")):
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
    assert list(texts.read(str(tmp_path)).alone) == ["one\n\nmore", "two"]
    with pytest.raises(ConfigError, match="its documents are files"):
        texts.read(str(tmp_path), Corpus(rows="wikitext"))
    with pytest.raises(ConfigError, match="needs a folder"):
        texts.read(str(tmp_path / "a.txt"), Corpus(documents="files"))


def test_documents_always_join_to_the_text() -> None:
    text = texts.read("reference")
    assert len(text.documents) == 640
    assert text.whole == texts.text_file("reference").read_text(encoding="utf-8")


def test_a_declared_hash_refuses_another_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Some words.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is not the one that is meant: its sha256 is"):
        texts.read("wikitext-2", Corpus(path=str(path), rows="wikitext", sha256=texts.BUILT_IN["wikitext-2"].sha256))


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.txt' is empty"):
        texts.read(str(tmp_path / "a.txt"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": "jsonl", "documents": "titles"}, "rows: jsonl has no documents: titles; it has records, whole"),
        ({"row": "plain"}, "did you mean 'rows'"),
        ({"sha256": "abc"}, "sha256"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_told(given: dict[str, str], said: str) -> None:
    assert said in "; ".join(message for _, message in problems_of(Corpus, given, "text 'mine'"))


def test_environment_variables_and_home_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.setenv("TEXTS", str(tmp_path))
    assert texts.read_text("$TEXTS/a.txt") == "x"


def test_raw_wikitext_is_the_join_of_the_published_rows(tmp_path: Path) -> None:
    path = tmp_path / "any.txt"
    path.write_bytes(b" \n = A = \n \n Words @-@ here \n")
    assert texts.read_text(str(path), Corpus(rows="wikitext")) == "\n\n".join(
        ["", " = A = \n", "", " Words @-@ here \n"]
    )


def test_the_official_wikitext_file_gives_its_4358_rows_and_60_articles(shared_data: Path) -> None:
    path = shared_data / "wikitext-2" / "wiki.test.raw"
    known = texts.BUILT_IN["wikitext-2"]
    text = texts.read("wikitext-2", known.model_copy(update={"path": str(path)}))
    raw = path.read_bytes().decode()
    rows = raw.split("\n")[:-1]
    assert len(rows) == 4358
    assert len(text.whole) == sum(len(row) + 1 for row in rows if row.strip()) + 2 * 4357
    assert text.whole.startswith("\n\n = Robert Boulter = \n\n\n\n\n Robert Boulter is an English film")
    assert len(text.documents) == 60, "as many as its authors count"


def test_json_lines_give_documents_and_name_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n\n{"story": "two"}\n')
    assert list(texts.read(str(path)).alone) == ["one", "two"]
    assert texts.read_text(str(path)) == "one\n\ntwo"
    path.write_text('{"text": "one"}\n{"other": 1}\n')
    with pytest.raises(ConfigError, match=r"a\.jsonl:2: this line has no text"):
        texts.read(str(path))
    path.write_text('{"text": "one"}\n{broken\n')
    with pytest.raises(ConfigError, match=r"a\.jsonl:2: this line is not JSON"):
        texts.read(str(path))


def test_a_text_that_is_not_there_is_named_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no text 'referense'.*did you mean 'reference'"):
        texts.text_file("referense")
    with pytest.raises(ConfigError, match="comes from the hub"):
        texts.text_file("wikitext-2")


def test_a_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc\xff")
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 3\)"):
        texts.read_text(str(tmp_path / "a.txt"))


def test_the_hub_out_of_reach_is_an_error_and_no_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the hub\nmore")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(HarnessError, match=r"could not be read from the hub \(Couldn't reach the hub\).*local copy"):
        texts.read_text("wikitext-2")


def test_the_role_says_how_the_same_bytes_are_read(tmp_path: Path) -> None:
    from harness.texts import text_files

    roles = set()
    for name in ("wiki.test.raw", "plain.txt", "lines.jsonl"):
        path = tmp_path / name
        path.write_text('{"text": "a"}\n', "utf-8")
        roles |= set(text_files(str(path)))
    assert roles == {"text", "text as json lines"}
