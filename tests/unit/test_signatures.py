"""Types where packages meet: how often a public signature says `Any`, held for each package, and never more than now."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.conftest import ROOT

HELD: dict[str, int] = {
    "bundling": 2,
    "commands": 2,
    "core": 21,
    "engines": 24,
    "explain": 1,
    "formats": 15,
    "gguf": 3,
    "hub_data": 1,
    "numbers": 8,
    "nvml": 5,
    "plan": 10,
    "probes": 9,
    "process_memory": 1,
    "published": 3,
    "quantizers": 27,
    "reference": 1,
    "store": 20,
    "tables": 8,
    "worker": 1,
}
"""Public signatures that say `Any`, by package. A number here only goes down: a record, a protocol or `object` says more."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Yield public functions, and public methods of public classes."""
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body)


def says_any(function: Function) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    types = [one.annotation for one in named if one is not None and one.annotation is not None]
    types += [function.returns] if function.returns is not None else []
    return any(isinstance(part, ast.Name) and part.id == "Any" for one in types for part in ast.walk(one))


def counted() -> Counter[str]:
    found: Counter[str] = Counter()
    for path in sorted((ROOT / "harness").rglob("*.py")):
        package = path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")
        found[package] += sum(map(says_any, functions(ast.parse(path.read_text("utf-8")).body)))
    return Counter({name: count for name, count in found.items() if count})


def test_no_package_says_any_more_often_in_its_public_signatures_than_it_did() -> None:
    more = {name: (count, HELD.get(name, 0)) for name, count in counted().items() if count > HELD.get(name, 0)}
    assert more == {}, "package: (now, held); give the new signature a record, a protocol or a type"


def test_a_signature_that_says_any_is_counted_wherever_it_stands() -> None:
    text = (
        "def one(a: dict[str, Any]) -> None: ...\n"
        "def two(*, b: int) -> list[Any]: ...\n"
        "def three(*c: Any, **d: int) -> None: ...\n"
        "def _four(e: Any) -> None: ...\n"
        "class Five:\n    def six(self, f: Any) -> None: ...\n    def seven(self, g: int) -> str: ...\n"
    )
    assert [one.name for one in functions(ast.parse(text).body) if says_any(one)] == ["one", "two", "three", "six"]


def test_every_probe_says_which_session_it_needs() -> None:
    untyped = []
    for path in sorted((ROOT / "harness" / "probes").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.arg) and node.arg in {"session", "live", "codec"}:
                said = ast.unparse(node.annotation) if node.annotation is not None else "nothing"
                untyped += (
                    [f"{path.name}:{node.lineno}: {node.arg}: {said}"] if "Any" in said or said == "nothing" else []
                )
    assert untyped == []
