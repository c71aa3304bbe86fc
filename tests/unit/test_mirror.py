"""`tests/unit` mirrors `harness/`: a folder of tests for each package, a file for each module at its top, a test for each module of `core`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HARNESS, UNIT = ROOT / "harness", ROOT / "tests" / "unit"
PACKAGES = sorted({path.parent.relative_to(HARNESS).as_posix() for path in HARNESS.glob("*/*.py")} - {"."})
ELSEWHERE = {
    "corpus": "tests/unit/test_texts.py",
    "programs": "tests/unit/probes/test_command.py",
    "executors": "tests/unit/test_windows.py",
}
"""What is tested in a file that is called otherwise; an entry goes when the tests have a place of their own."""
LOADED = {"model_config": "tests/unit/engines/test_model_kinds.py", "fault_injection": "tests/test_kill.py"}
"""Modules of `core` that need a model or a process of their own: tests that run them by way of what uses them."""

THROUGH_OTHERS = {
    "adopting": 16, "bundling": 1, "cli": 7, "commands": 6, "comparing": 1, "core": 4, "engines": 5, "explain": 1, "formats": 14,
    "importing": 2, "lint": 6, "markdown": 1, "plan": 9, "probes": 4, "published": 1, "quantizers": 8, "runner": 3, "store": 5,
    "tables": 10, "worker": 1,
}  # fmt: skip
"""Modules of a package that its folder of tests reaches through others alone: no test file is called after them or imports them. Only goes down."""


def _imported(path: Path) -> set[str]:
    """Name all that a file imports, `from a import b` as both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_a_folder_of_tests_that_use_it(package: str) -> None:
    tests = list((UNIT / package).glob("**/test_*.py"))
    if not tests and package in ELSEWHERE:
        tests = [ROOT / ELSEWHERE[package]]
    used = {module for path in tests for module in _imported(path)}
    commands = package == "commands" or any(module.startswith("tests.") for module in used)
    assert commands or any(module.startswith(f"harness.{package}") for module in used), (
        f"tests/unit/{package} is missing"
    )


@pytest.mark.parametrize("module", sorted(path.stem for path in HARNESS.glob("[a-z]*.py")))
def test_a_module_at_the_top_has_a_file_of_tests(module: str) -> None:
    assert (ROOT / ELSEWHERE.get(module, f"tests/unit/test_{module}.py")).is_file(), (
        f"tests/unit/test_{module}.py is missing"
    )


@pytest.mark.parametrize("module", sorted(path.stem for path in (HARNESS / "core").glob("[a-z]*.py")))
def test_a_module_of_core_is_named_by_a_unit_test(module: str) -> None:
    if module in LOADED:
        assert (ROOT / LOADED[module]).is_file()
        return
    assert any(f"harness.core.{module}" in _imported(path) for path in UNIT.rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_more_modules_are_reached_through_others_alone(package: str) -> None:
    tests = list((UNIT / package).rglob("*.py"))
    used = {module for path in tests for module in _imported(path)}
    modules = [path.stem for path in (HARNESS / package).glob("[a-z]*.py")]
    files = {path.name for path in tests}
    others = [one for one in modules if f"test_{one}.py" not in files and f"harness.{package}.{one}" not in used]
    assert len(others) <= THROUGH_OTHERS.get(package, 0), (
        f"one of these lost its test, or is new and has none: {others}"
    )
