"""A workspace with a page of somebody's, and what there is around its tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from harness.adopting.adopt import AdoptContext, Adoption, WantedTables, adopt
from harness.commands.workspace import Workspace, read_workspace
from harness.tables.catalogue import TableCatalogue, catalogue_of
from tests.conftest import ROOT

DAY = date(2026, 1, 31)
Take = Callable[..., Adoption]
"""Adopt a text as a page, and write nothing: `take(text, table=1)`."""


@pytest.fixture(scope="session")
def catalogue() -> TableCatalogue:
    return catalogue_of(ROOT / "configs")


@pytest.fixture
def take(catalogue: TableCatalogue, tmp_path: Path) -> Take:
    def adopted(text: str, **wanted: object) -> Adoption:
        asked = WantedTables(**wanted)  # type: ignore[arg-type]
        return adopt(text, tmp_path / "page.md", "page.md", asked, AdoptContext(catalogue, tmp_path), DAY)

    return adopted


@pytest.fixture
def theirs(tmp_path: Path) -> Workspace:
    """A workspace whose pages are all Markdown files of its folder."""
    root = tmp_path / "theirs"
    root.mkdir()
    (root / "harness.yaml").write_text('version: 1\npages: ["*.md"]\n', "utf-8")
    return read_workspace(root)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
