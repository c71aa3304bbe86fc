"""Mistakes in options: each told once, with its path and the nearest right name."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import Field, model_validator

from harness.core.errors import ConfigError
from harness.core.options import Options, canonical_options, placed_problems_of, problems_of, told, validated


class Inner(Options):
    """Stands under others."""

    depth: int = Field(ge=1)
    width: int = 2


class Outer(Options):
    """Has others under it, alone and in a list."""

    noun: ClassVar[str] = "key"
    size: int
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    few: tuple[Inner, ...] | None = None
    names: tuple[str, ...] = ()
    other: int = Field(default=1, alias="else")

    @model_validator(mode="after")
    def _is_even(self) -> Outer:
        if self.size == 13:
            raise told("thirteen is refused, whole and alone")
        if self.size == 15:
            raise ValueError("fifteen is odd")
        return self


@pytest.mark.parametrize(("given", "found"), [
    ({"size": 1}, []), ({}, [(("size",), "probe p needs 'size'")]), ({"sise": 1}, [(("sise",), "unknown key of probe p 'sise'; did you mean 'size'?")]),
    ({"size": 1, "zzz": 1}, [(("zzz",), "unknown key of probe p 'zzz'; there is else, few, inner, names, several, size")]),
    ({"zzz": 1}, [(("size",), "probe p needs 'size'"), (("zzz",), "unknown key of probe p 'zzz'; there is else, few, inner, names, several, size")]),
    ({"size": 1, "inner": {"depht": 1}}, [(("inner", "depht"), "unknown key 'depht' in inner; did you mean 'depth'?")]),
    ({"size": 1, "inner": {}}, [(("inner", "depth"), "inner of probe p needs 'depth'")]),
    ({"size": 1, "several": [{"depth": 1}, {"depth": 0}]}, [(("several", "1", "depth"), "'depth' of item 2 of several of probe p: Input should be greater than or equal to 1 (got 0)")]),
    ({"size": 1, "several": [{"depht": 1}]}, [(("several", "0", "depht"), "unknown key 'depht' in item 1 of several; did you mean 'depth'?")]),
    ({"size": 1, "several": [{"depth": 1}, {}]}, [(("several", "1", "depth"), "item 2 of several of probe p needs 'depth'")]),
    ({"size": 1, "few": [{"depth": 1, "wide": 2}]}, [(("few", "0", "wide"), "unknown key 'wide' in item 1 of few; did you mean 'width'?")]),
    ({"size": 1, "names": ["a", 1]}, [(("names", "1"), "item 2 of names of probe p: Input should be a valid string (got 1)")]),
    ({"size": 1, "inner": {"depth": 0}}, [(("inner", "depth"), "'depth' of inner of probe p: Input should be greater than or equal to 1 (got 0)")]),
    ({"size": 13}, [((), "thirteen is refused, whole and alone")]), ({"size": 15}, [((), "probe p: fifteen is odd")]),
])  # fmt: skip
def test_each_mistake_has_its_place_and_its_words(
    given: dict[str, Any], found: list[tuple[tuple[str, ...], str]]
) -> None:
    assert sorted(placed_problems_of(Outer, given, "probe p")) == sorted(found)
    assert sorted(problems_of(Outer, given, "probe p")) == sorted(
        (path[0] if path else "", said) for path, said in found
    )


def test_all_mistakes_are_told_at_once_and_right_options_are_a_record() -> None:
    with pytest.raises(ConfigError) as raised:
        validated(Outer, {"size": "x", "zzz": 1}, "probe p")
    assert str(raised.value).count("; ") >= 1
    assert "'size' of probe p: Input should be a valid integer" in str(raised.value)
    found = validated(Outer, {"size": 3, "else": 1, "inner": {"depth": 4}}, "probe p")
    assert canonical_options(found) == {"size": 3, "inner": {"depth": 4}}
    for value in (float("inf"), float("nan")):
        assert problems_of(Outer, {"size": value}, "p")
