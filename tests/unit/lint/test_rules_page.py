"""The page of rules is that of the code: `python -m tests.unit.lint.test_rules_page` writes it anew."""

from __future__ import annotations

import pytest

from harness.lint.page import rules_page
from harness.lint.rules.registry import RULES
from tests.conftest import ROOT
from tests.unit.lint.linting import found

PAGE = ROOT / "harness" / "lint" / "RULES.md"


def test_the_page_of_rules_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8") == rules_page()
    assert current, "python -m tests.unit.lint.test_rules_page writes it anew"


@pytest.mark.parametrize("name", list(RULES))
def test_the_example_of_a_rule_shows_that_rule_alone(name: str) -> None:
    assert {one.rule for one in found(RULES[name].example)} == {name}


if __name__ == "__main__":
    PAGE.write_text(rules_page(), encoding="utf-8", newline="\n")
