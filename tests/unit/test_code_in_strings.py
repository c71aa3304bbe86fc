"""Code that stands in a string, to be run by another process, imports what there is: no checker of types sees it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMPORT = re.compile(r"\bfrom (harness[\w.]*|tests\.[\w.]+) import (\w+(?: as \w+)?(?:, \w+(?: as \w+)?)*)")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import that stands in a string of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for module, names in IMPORT.findall(node.value):
                yield from ((module, name.split()[0]) for name in names.split(", "))


FOUND = sorted(
    {one for folder in ("harness", "tests") for path in (ROOT / folder).rglob("*.py") for one in imports(path)}
)


@pytest.mark.parametrize(("module", "name"), FOUND)
def test_what_code_in_a_string_imports_is_there(module: str, name: str) -> None:
    if not hasattr(importlib.import_module(module), name):
        importlib.import_module(f"{module}.{name}")


def test_imports_in_strings_are_found() -> None:
    assert ("harness.cli", "main") in FOUND
