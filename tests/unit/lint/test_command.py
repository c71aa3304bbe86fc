"""`harness lint` as people call it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness import cli
from tests.unit.lint.linting import table

WRONG = table(
    "Method/Batch Size/Latency (s)/Tokens per second", "A/1/0.020/50.0", "A/8/0.040/200.0", "A/32/0.100/250.0"
)
RIGHT = WRONG.replace("250.0", "320.0")


class Lint:
    """Calls `harness lint` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["harness", "lint", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lint:
    return Lint(monkeypatch, capsys)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(WRONG, encoding="utf-8")
    return path


def test_a_finding_names_its_file_line_row_column_and_rule(lint: Lint, page: Path) -> None:
    code, out, err = lint(page)
    first, *rest = out.splitlines()
    assert code == 1
    assert first.startswith(
        f"{page}:5: row 3, column 'Tokens per second': latency-times-throughput: latency 0.100 times"
    )
    assert rest == ["1 table, 1 finding", "  latency-times-throughput  1 of 3"]
    assert err == ""


def test_a_page_without_findings_is_exit_code_0(lint: Lint, page: Path) -> None:
    page.write_text(RIGHT, encoding="utf-8")
    assert lint(page) == (0, "1 table, 0 findings\n", "")


def test_nothing_is_repaired(lint: Lint, page: Path) -> None:
    before = page.read_bytes()
    lint(page)
    assert page.read_bytes() == before


def test_json_holds_findings_counts_and_files_that_cannot_be_read(lint: Lint, page: Path) -> None:
    code, out, _ = lint(page, "--json", page.parent / "none.md")
    read = json.loads(out)
    assert code == 2
    (one,) = read["findings"]
    assert (one["line"], one["row"], one["column"], one["rule"]) == (
        5,
        3,
        "Tokens per second",
        "latency-times-throughput",
    )
    assert read["rules"]["latency-times-throughput"] == {"found": 1, "checked": 3}
    assert len(read["unreadable"]) == 1


def test_one_rule_can_be_chosen(lint: Lint, page: Path) -> None:
    assert lint(page, "--rule", "duplicate-row")[0] == 0
    assert lint(page, "--rule", "duplicate-row", "--rule", "latency-times-throughput")[0] == 1


def test_a_misspelt_rule_is_named_with_the_nearest(lint: Lint, page: Path) -> None:
    assert lint(page, "--rule", "duplicate-rows") == (
        2,
        "",
        "unknown rule 'duplicate-rows'; did you mean 'duplicate-row'?\n",
    )


def test_a_file_that_is_not_there_stops_no_other(lint: Lint, page: Path) -> None:
    none = page.parent / "none.md"
    code, out, err = lint(none, page)
    assert code == 2
    assert "1 finding" in out
    assert err == f"{none}: there is no such file; give the path of a Markdown file\n"


def test_a_file_that_is_not_utf8_is_named_with_its_first_bad_byte(lint: Lint, page: Path) -> None:
    page.write_bytes(b"| A \xff |\n")
    assert lint(page) == (2, "0 tables, 0 findings\n", f"{page}: is not UTF-8 (byte 4 is 0xff); save it as UTF-8\n")


def test_a_folder_is_no_file(lint: Lint, tmp_path: Path) -> None:
    code, _, err = lint(tmp_path)
    assert code == 2
    assert str(tmp_path) in err


def test_a_malformed_table_is_a_finding_and_no_traceback(lint: Lint, page: Path) -> None:
    page.write_text("| A | B |\r\n|---|\r\n| 1 | 2 | 3 |\r\n", encoding="utf-8", newline="")
    code, out, _ = lint(page)
    assert code == 1
    assert out.startswith(f"{page}:1: malformed-table: no table: the header row has 2 cells, the alignment row 1")


def test_files_are_reported_in_the_order_given_and_the_same_every_time(lint: Lint, page: Path) -> None:
    other = page.with_name("a.md")
    other.write_text(WRONG, encoding="utf-8")
    _, out, _ = lint(page, other)
    assert [line.split(":")[0] for line in out.splitlines()[:2]] == [str(page), str(other)]
    assert lint(page, other)[1] == out
