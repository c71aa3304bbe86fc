from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from harness.core import limits
from harness.core.errors import ConfigError
from harness.core.options import Options
from harness.plan.yamlfile import Mistakes, Node, parse, plain, read, validate


def test_every_part_knows_its_line() -> None:
    tree = parse("a: 1\nb:\n  c: [x,\n      y]\n")
    assert tree.fields["b"].fields["c"].line == 3
    assert [item.line for item in tree.fields["b"].fields["c"].items] == [3, 4]


def test_scalars_are_read_as_yaml_1_2_reads_them() -> None:
    text = "{on: no, yes: off, t: true, n: ~, i: 12, f: 1e-5, g: 1.5, v: 0.45.0, d: 2024-12-05, s: '7', z: 0123, e: }"
    assert plain(parse(text)) == {
        "on": "no", "yes": "off", "t": True, "n": None, "i": 12, "f": 1e-5, "g": 1.5, "v": "0.45.0",
        "d": "2024-12-05", "s": "7", "z": 123.0, "e": None,
    }  # fmt: skip


def test_a_key_given_twice_is_an_error_that_names_both_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\nb: {c: 1,\n c: 2}\na: 3\n", "x.yaml")
    assert str(caught.value).splitlines() == [
        "x.yaml:3: 'c' is given twice, first in line 2; keep one",
        "x.yaml:4: 'a' is given twice, first in line 1; keep one",
    ]


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx: 1", "a: *b", "a: @", "--- 1\n--- 2"])
def test_what_is_not_yaml_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml:\d+: not YAML"):
        parse(text, "x.yaml")


def test_an_alias_that_contains_itself_is_an_error() -> None:
    with pytest.raises(ConfigError, match="contains itself"):
        parse("a: &a [*a]")


def test_an_alias_gives_the_same_value() -> None:
    assert plain(parse("a: &a {x: 1}\nb: *a")) == {"a": {"x": 1}, "b": {"x": 1}}


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("# nothing\n", encoding="utf-8")
    assert read(tmp_path / "e.yaml") == Node(None, str(tmp_path / "e.yaml"), 1)


def test_a_missing_file_and_one_that_is_not_utf8_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("ä: 1".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml:1: cannot be read as UTF-8"):
        read(tmp_path / "latin.yaml")


def test_duplicate_keys_are_collected_where_other_mistakes_are(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\na: 2\n", encoding="utf-8")
    mistakes = Mistakes()
    assert plain(read(path, mistakes)) == {"a": 2}
    assert [problem.line for problem in mistakes.found] == [2]


def test_a_value_may_depend_on_whether_a_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a: "${HARNESS_TEST_TEXT:-reference}"\nb: ${HARNESS_TEST_TEXT:-512}\nc: "x ${HARNESS_TEST_TEXT:-y}"\n'
    monkeypatch.delenv("HARNESS_TEST_TEXT", raising=False)
    assert plain(parse(text)) == {"a": "reference", "b": 512, "c": "x ${HARNESS_TEST_TEXT:-y}"}
    monkeypatch.setenv("HARNESS_TEST_TEXT", "/some/where.txt")
    assert plain(parse(text))["a"] == "$HARNESS_TEST_TEXT", "what is recorded is no path of a machine"
    monkeypatch.setenv("HARNESS_TEST_TEXT", "wikitext-2")
    assert plain(parse(text))["a"] == "wikitext-2", "a name tells what it is"


# ---------------------------------------------------------------- what nobody means


def bomb(levels: int, each: int) -> str:
    """Aliases of aliases: each ** levels parts in a few lines."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * each)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (bomb(9, 9), 7, "its aliases make more than 300,000 parts"),
        ("a: 1\nb: " + "[" * 3000 + "]" * 3000, 2, "nested deeper than 60 levels"),
        ("\n".join("  " * n + "a:" for n in range(300)), 61, "nested deeper than 60 levels"),
        ("a: 1\nb: " + "7" * 5000, 2, "a number of 5,000 digits; at most 60 are read"),
        (
            "\n".join(
                [
                    f"a0: &a0 {'[' * 50}x{']' * 50}",
                    *(f"a{n}: &a{n} {'[' * 40}*a{n - 1}{']' * 40}" for n in range(1, 50)),
                ]
            ),
            2,
            "nest deeper than 60 levels",
        ),
        ("a: 1e999", 1, "1e999 is no finite number"),
        (
            "a: 1\nb: !!python/object/apply:os.system [ls]",
            2,
            "unknown tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: !include x.yaml", 1, "unknown tag !include; leave it out"),
    ],
)
def test_what_nobody_means_is_refused_with_its_line_before_it_costs_anything(
    text: str, line: int, message: str
) -> None:
    begun = time.process_time()
    with pytest.raises(ConfigError, match=re.escape(message)) as told:
        parse(text, "x.yaml")
    assert told.value.problems[0].line == line
    assert time.process_time() - begun < 5


def test_a_file_larger_than_a_person_writes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "YAML_BYTES", 10)
    (tmp_path / "x.yaml").write_text("a: 1234567890\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.yaml: larger than 10 bytes"):
        read(tmp_path / "x.yaml")


def test_words_for_numbers_that_are_none_do_not_reach_an_option() -> None:
    class Asked(Options):
        share: float = 0.5

    for text in ("share: nan", "share: .inf", "share: Infinity"):
        mistakes = Mistakes()
        assert validate(Asked, parse(text), "x", mistakes) is None, text
        assert mistakes.found
