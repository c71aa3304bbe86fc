"""The documentation of the rules, made from the rules: what each is about, an example, and what it says of the example."""

from __future__ import annotations

from harness.lint.finding import Rule
from harness.lint.linter import lint_pages
from harness.lint.rules.registry import RULES
from harness.lint.tables import page_of

HEAD = """# What `harness lint` looks for

`harness lint FILE.md...` reads the Markdown tables of any page and reports what contradicts itself, as

    FILE:LINE: row R, column 'C': RULE: what was found

Rows count from 1 below the last header row; blank repeated keys, group headers and headers in the first body row are understood, tables in
code are not read. `--rule NAME` (repeatable) runs some rules only, `--json` prints findings and counts as JSON. Exit codes: 0 nothing found,
1 findings, 2 a file cannot be read. Nothing is repaired, and where headers leave open what a column means, nothing is said.

After the findings stands for each rule how many of the things that it could decide do not hold, as `27 of 47`.

**Tolerance.** A printed input may be half a unit of its last digit off, since it was rounded. A derived cell may be one whole unit
off, since nobody knows whether it was rounded to the nearest, up or down. A contradiction is what no values within these bounds explain; bounds are
computed exactly, as intervals of fractions. A derived cell that is marked ‡ says that it was not made of the numbers beside it, and is not held against them.
"""


def rules_page() -> str:
    """Write the page of all rules, as Markdown."""
    contents = "\n".join(f"- [{name}](#{name})" for name in RULES)
    return "\n".join([HEAD, contents, "", *(_section(rule) for rule in RULES.values())])


def _section(rule: Rule) -> str:
    found = lint_pages([page_of(rule.example, "example.md")], [rule]).findings
    said = "\n".join(str(one) for one in found)
    return f"## {rule.name}\n\n{rule.about}\n\n```markdown\n{rule.example}\n```\n\n```text\n{said}\n```\n"
