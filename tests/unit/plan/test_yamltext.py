"""Values from events: the same as the safe loader's, within bounds, and never by walking down."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ConfigError
from harness.plan.yamltext import values_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=20
)
PIECES = st.lists(
    st.sampled_from(
        ["a", "'b'", '"]"', "1", "1e3", "~", "on", "2026-01-31", "!!str 1", "!own x", "!!binary aGk=", "&x", "*x", "<<", ":", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ", ", "---\n", "...\n", "? ", "#", "|\n", ">\n", "=", "0x1f", ".inf", "12:30:00"]
    ),
    max_size=14,
)  # fmt: skip


def both(text: str) -> tuple[Any, Any]:
    """What the safe loader makes of a text and what we make of it; None in a tuple where it is refused."""
    found: list[Any] = []
    for read in (lambda: yaml.safe_load(text), lambda: values_of(text, "text")[0]):
        try:
            found.append(repr(read()))
        except (yaml.YAMLError, ConfigError, ValueError, TypeError):
            found.append(None)
    return found[0], found[1]


@given(VALUES, st.booleans())
def test_what_is_written_is_read_as_the_safe_loader_reads_it(value: object, flow: bool) -> None:
    theirs, ours = both(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True))
    assert theirs is not None
    assert ours == theirs


@given(PIECES)
def test_any_text_is_read_as_the_safe_loader_reads_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    theirs, ours = both(text)
    assert ours == theirs or (ours is None and "<<" in text)


@pytest.mark.parametrize("count", [61, 3_000, 200_000])
@pytest.mark.parametrize("masked", ["[", '["]", ', "- ", "? "])
def test_what_is_nested_without_end_is_refused_whatever_hides_it(count: int, masked: str) -> None:
    with pytest.raises(ConfigError, match="text:1: nested deeper than 60 levels"):
        values_of(masked * count, "text")


def test_aliases_are_told_and_share_what_they_name() -> None:
    found, has_aliases = values_of("a: &x [1, 2]\nb: *x\n", "text")
    assert has_aliases
    assert isinstance(found, dict)
    assert found["a"] is found["b"]
    assert values_of("a: [1, 2]\n", "text") == ({"a": [1, 2]}, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {<<: {b: 1}}", "merge key"),
        ("a: *b", "undefined alias"),
        ("--- 1\n--- 2\n", "another document"),
        ("!own [1]", "the tag '!own'"),
        ("!own x", "tag '!own'"),
    ],
)
def test_what_is_not_for_us_is_refused(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        values_of(text, "text")
