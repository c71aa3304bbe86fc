"""A public class or type is called by one name, and the name means one thing in all of the harness."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = frozenset({"Workload"})
"""Names that the adapter contract gives: each adapter has its own."""


def _types(tree: ast.Module) -> Iterator[str]:
    """Give the classes of a module, and the types that it names by assignment."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (
            one.id for one in targets if isinstance(one, ast.Name) and one.id[0].isupper() and not one.id.isupper()
        )


def _places(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for name in _types(ast.parse(path.read_text(encoding="utf-8"))):
            if not name.startswith("_"):
                found[name].append(path.relative_to(folder).as_posix())
    return found


def _several(folder: Path) -> dict[str, list[str]]:
    return {name: places for name, places in _places(folder).items() if len(places) > 1 and name not in CONTRACT}


def test_no_public_class_or_type_name_means_two_things() -> None:
    assert _several(ROOT / "harness") == {}, "give one of them a name of its own"


def test_names_are_found_however_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "class Thing:\n    class Inner: ...\n\nKIND = 1\nKind = int | str\n_Own = int\n", "utf-8"
    )
    (tmp_path / "two.py").write_text(
        "Kind: type = int\n\ndef f() -> None:\n    class Thing: ...\n\n_Own = str\n", "utf-8"
    )
    assert _several(tmp_path) == {"Kind": ["one.py", "two.py"]}
