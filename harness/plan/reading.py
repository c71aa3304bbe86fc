"""Read a sweep file: merge top, blocks and cases, and read each product."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.plan import case_numbers
from harness.plan.axes import merged
from harness.plan.case_reader import Reader
from harness.plan.entries import Catalogue
from harness.plan.sweep import SCOPE, Sweep
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, plain, read

TOP = (*SCOPE, "blocks", "title", "tables", "rerun", "verify")


def sweep_name(path: Path) -> str:
    """Name a sweep after its file."""
    return path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".sweep")


def read_sweep(path: Path, catalogue: Catalogue, tables: Collection[str] | None = None) -> Sweep:
    """Read a sweep file and hold everything in it against the catalogue, the adapters and the tables that there are.

    `tables` None leaves the names of tables unchecked.
    Raises: ConfigError with every mistake of the file, each with its line and the nearest right name.
    """
    with collecting() as mistakes:
        root = read(path, mistakes)
        top = mapping(root, "a sweep", mistakes, TOP)
        reader = Reader(catalogue, catalogue.adapters, mistakes)
        cases = tuple(
            reader.case(block, fields, node) for block, fields, node in _scopes(top, root, mistakes) if fields
        )
        return Sweep(
            name=sweep_name(path),
            path=path,
            cases=tuple(case for case in cases if case is not None),
            title=str(plain(top["title"])) if "title" in top else "",
            tables=reader.tables(top["tables"], tables) if "tables" in top else (),
            rerun=reader.rerun(top["rerun"]) if "rerun" in top else (),
            verify=case_numbers.verify(top["verify"], mistakes) if "verify" in top else True,
        )


def _scopes(top: dict[str, Node], root: Node, mistakes: Mistakes) -> list[tuple[str, dict[str, Node], Node]]:
    """Merge top, block and case into flat sets of keys, one for each product."""
    defaults = {name: node for name, node in top.items() if name in SCOPE}
    if "blocks" not in top:
        return _cases("", defaults, root, mistakes)
    blocks = mapping(top["blocks"], "'blocks'", mistakes)
    if not blocks:
        mistakes.add("'blocks' names no block", top["blocks"])
    found: list[tuple[str, dict[str, Node], Node]] = []
    for name, node in blocks.items():
        fields = mapping(node, f"block '{name}'", mistakes, SCOPE)
        found += _cases(name, merged(defaults, fields), node, mistakes)
    return found


def _cases(
    block: str, fields: dict[str, Node], node: Node, mistakes: Mistakes
) -> list[tuple[str, dict[str, Node], Node]]:
    cases = fields.pop("cases", None) if "cases" in fields else None
    if cases is None:
        return [(block, fields, node)]
    if not isinstance(cases.value, list) or not cases.value:
        mistakes.add("'cases' must be a list of at least one case", cases)
        return []
    keys = tuple(key for key in SCOPE if key != "cases")
    return [(block, merged(fields, mapping(case, "a case", mistakes, keys)), case) for case in cases.value]
