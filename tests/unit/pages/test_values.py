"""Numbers in prose: what a marker asks, what a table answers, what is wrong with a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.pages.value_marks import ValueQuestion, marks, parse
from harness.pages.values import answer
from harness.pages.writing import check_pages, fresh, shown_in, with_markers, write_pages
from harness.tables.markdown import Rendered
from harness.tables.result import Cell, Section, Table, TableColumn

HEADER = ("Model", "Method", "Decode (tok/s)", "Speed-up <sub>v2</sub>", "Change")


def section(*rows: tuple[str, ...], headings: tuple[str, ...] = ()) -> Section:
    cells = tuple(tuple(Cell(text, literal=place < 2) for place, text in enumerate(row)) for row in rows)
    return Section(headings, tuple(TableColumn(name) for name in HEADER), cells)


def table(name: str, *sections: Section, each: tuple[str, ...] = ()) -> Rendered:
    return Rendered(name, "| T |", Table(name, "", "table", sections, (), ()), each=each, keys=2)


SPEED = table(
    "speed",
    section(
        ("Llama", "FP16", "1,519 ± 2", "1.00x", "-"),
        ("", "INT4", "4,110.5 ± 4", "2.70x ± 0.01", "-2.0% (lower is better)"),
        ("Phi | `3`", "FP16", "oom", "N/A", "-"),
        ("", "INT4", "900", "12.30x", "+0.5%"),
    ),
)
BY_GPU = table(
    "by-gpu",
    section(("Llama", "INT4", "10", "1.1x", "-"), headings=("NVIDIA T4",)),
    section(("Llama", "INT4", "90", "1.9x", "-"), headings=("NVIDIA H200",)),
    each=("gpu",),
)
TABLES = {item.name: item for item in (SPEED, BY_GPU, table("empty"))}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('speed max "Decode (tok/s)"', "4,110.5"),
        ('speed min "Decode (tok/s)"', "900"),
        ('speed max "Decode (tok/s)" whole', "4,110.5 ± 4"),
        ('speed max "Speed-up v2"', "12.30x"),
        ('speed max "Speed-up v2" where Model=Llama', "2.70x"),
        ('speed min "Speed-up <sub>v2</sub>"', "1.00x"),
        ('speed min Change', "-2.0%"),
        ('speed cell "Decode (tok/s)" where Method=FP16 and Model=Llama', "1,519"),
        ("speed cell 'Decode (tok/s)' where Model='Phi | `3`' and Method = INT4", "900"),
        ('by-gpu max "Decode (tok/s)"', "90"),
        ('by-gpu cell "Decode (tok/s)" where gpu="NVIDIA T4"', "10"),
        ('by-gpu cell "Decode (tok/s)" where GPU="NVIDIA T4" and Method=INT4', "10"),
    ],
)  # fmt: skip
def test_a_table_answers(said: str, text: str) -> None:
    assert answer(parse(said), TABLES) == text


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('sped max "Change"', "unknown table 'sped'; did you mean 'speed'"),
        ('speed max "Decode (tok)"', r"unknown column 'Decode \(tok\)'; did you mean 'Decode \(tok/s\)'"),
        ('speed max Change where Modle=Llama', "unknown column 'Modle'; did you mean 'Model'"),
        ('speed max Change where Model=Lama', "unknown Model 'Lama'; did you mean 'Llama'"),
        ('by-gpu max Change where gpu="NVIDIA H20"', "unknown gpu 'NVIDIA H20'; did you mean 'NVIDIA H200'"),
        ('by-gpu max Change where model=Llama and method=INT8', "unknown column 'model'; did you mean 'Model'"),
        ('speed cell "Decode (tok/s)" where Method=FP16 and Model="Phi | `3`"', "there is no number there; the column shows 'oom'"),
        ('speed cell "Decode (tok/s)" where Method=FP16', "2 rows fit, and `cell` takes one"),
        ('by-gpu cell "Decode (tok/s)" where Method=INT4', "2 rows fit"),
        ('empty max Change', "table 'empty' has no results yet"),
    ],
)  # fmt: skip
def test_what_a_table_cannot_answer_is_told_with_the_nearest_name(said: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        answer(parse(said), TABLES)


def test_rows_that_never_meet_are_told() -> None:
    only = table("t", section(("a", "x", "1", "", ""), ("b", "y", "2", "", "")))
    with pytest.raises(HarnessError, match="no row has Model=a and Method=y"):
        answer(parse("t max 'Decode (tok/s)' where Model=a and Method=y"), {"t": only})


def test_two_columns_of_one_name_are_not_guessed_between() -> None:
    twice = Section((), (TableColumn("A"), TableColumn("A")), ((Cell("1"), Cell("2")),))
    with pytest.raises(HarnessError, match="2 columns are called 'A'"):
        answer(ValueQuestion("t", "max", "A"), {"t": table("t", twice)})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("speed", "is not understood; write TABLE min"),
        ('speed maximum "A"', "unknown function 'maximum'; did you mean 'max'"),
        ('speed max "A', "quote without its other one"),
        ("speed max A where", "is not understood at 'where'"),
        ("speed max A where Model Llama", "is not understood at"),
        ("speed max A where Model=a or Model=b", "is not understood at 'or"),
        ("speed max A where Model=a and Model=b", "two conditions on one column"),
        ("speed max Decode tok", "is not understood at 'Decode|is not understood at 'tok'"),
    ],
)
def test_a_question_that_is_not_understood_is_told_with_the_grammar(said: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        parse(said)


def test_whole_may_also_be_what_a_condition_says() -> None:
    assert parse("t max A where B=whole") == ValueQuestion("t", "max", "A", (("B", "whole"),))
    assert parse("t max A where B=whole whole") == ValueQuestion("t", "max", "A", (("B", "whole"),), whole=True)


OPEN = '<!-- value: speed max "Speed-up v2" -->'
END = "<!-- /value -->"


def page(folder: Path, text: str) -> Path:
    path = folder / "README.md"
    path.write_bytes(text.encode())
    return path


def test_the_text_between_markers_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    other = '<!-- value: speed\n  cell "Decode (tok/s)" where Method=INT4\n  and Model=Llama whole -->'
    path = page(tmp_path, f"Up to {OPEN}?{END} faster, {other}{END} a second.\r\n\r\nAgain {OPEN}12.30x{END}.")
    assert with_markers(sorted(tmp_path.glob("*.md"))) == [path]
    assert shown_in([path]) == ["speed"]
    stale = check_pages([path], [SPEED])[0]
    assert stale.tables == ()
    assert stale.values == (
        'speed max "Speed-up v2"',
        'speed cell "Decode (tok/s)" where Method=INT4 and Model=Llama whole',
    )
    assert write_pages([path], [SPEED]) == [stale]
    assert path.read_bytes().decode() == (
        f"Up to {OPEN}12.30x{END} faster, {other}4,110.5 ± 4{END} a second.\r\n\r\nAgain {OPEN}12.30x{END}."
    )
    assert check_pages([path], [SPEED]) == []


def test_tables_and_numbers_of_one_page_are_written_together(tmp_path: Path) -> None:
    path = page(tmp_path, f"{OPEN}{END}\n<!-- table: speed -->\n<!-- end: speed -->\n{OPEN}{END}")
    found = fresh(path, [SPEED])
    assert found.new == (f"{OPEN}12.30x{END}\n<!-- table: speed -->\n\n| T |\n\n<!-- end: speed -->\n{OPEN}12.30x{END}")


@pytest.mark.parametrize(
    "text",
    [
        f"`{OPEN}x{END}`",
        f"`` ` {OPEN}{END} ``",
        f"```\n{OPEN}\n```",
        f"\ufeff~~~\n{OPEN}\n~~~",
        "<!-- a value: of its own -->",
        "<!-- values -->",
        f"\\`{OPEN.replace('value', 'other')}",
    ],
)
def test_code_and_other_comments_hold_no_markers(text: str) -> None:
    assert marks(text, Path("page.md")) == []


def test_an_escaped_backtick_opens_no_code() -> None:
    assert len(marks(f"\\` {OPEN}{END} `", Path("page.md"))) == 1
    assert len(marks(f"a lone ` {OPEN}{END}", Path("page.md"))) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a\n{OPEN}1", r"page.md:2: value 'speed max .*' has no end"),
        (f"{OPEN}1\n\n2{END}", r"page.md:1: value .* has no end in its part of the page"),
        (f"{OPEN}1\n\n2{END}", r"page.md:3: the end of a value has no beginning"),
        (f"a\n\n{END}", r"page.md:3: the end of a value has no beginning"),
        (f"{OPEN}1{END}{END}", r"page.md:1: the end of a value has no beginning"),
        (f"{OPEN}\n{OPEN}1{END}", r"page.md:2: a value begins inside value 'speed max"),
        (f"{OPEN}{OPEN}1{END}{END}", r"page.md:1: a value begins inside value 'speed max"),
        (f"<!-- table: speed -->\n{OPEN}1{END}\n<!-- end: speed -->", r"page.md:2: a value's marker stands inside table 'speed'"),
        ("x\n<!-- value: speed max A", r"page.md:2: a value's marker is not closed; end it with -->"),
        (f"x\n<!-- value: speed mix A -->1{END}", r"page.md:2: value 'speed mix A': unknown function 'mix'"),
    ],
)  # fmt: skip
def test_markers_that_do_not_fit_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        marks(text, Path("page.md"))


def test_all_mistakes_of_a_page_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    text = f"{OPEN}1{END}\n\n<!-- value: speed max Nothing -->1{END}\n\n<!-- value: other max A -->1{END}\n"
    path = page(tmp_path, text)
    with pytest.raises(ConfigError) as told:
        write_pages([path], [SPEED])
    assert [problem.line for problem in told.value.problems] == [3, 5]
    assert path.read_text(encoding="utf-8") == text
    with pytest.raises(ConfigError, match=r"README.md:5: unknown table 'other'; there is speed"):
        shown_in([path], ["speed"])


def test_a_name_injects_nothing_into_prose(tmp_path: Path) -> None:
    hostile = table("speed", section(("a", "b", "", "", "")))
    (row,), columns = hostile.table.sections[0].rows, hostile.table.sections[0].columns
    cells = (*row[:2], Cell("1 <script> `x` <!-- /value -->"), *row[3:])
    path = page(tmp_path, f'<!-- value: speed max "Decode (tok/s)" whole -->{END}')
    found = fresh(path, [table("speed", Section((), columns, (cells,)))])
    assert "<script>" not in found.new
    assert found.new.count("<!--") == 2
    assert len(marks(found.new, path)) == 1
