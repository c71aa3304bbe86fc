"""Fixtures of explanations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.commands.workspace import pages_of, read_workspace
from harness.environments import ROOT
from harness.explain.archive import archive_of
from harness.explain.cell import Shown
from harness.pages import writing
from harness.published.sources import from_published
from harness.tables.catalogue import catalogue_of
from tests.unit.explain.site import PUBLISHED, Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    catalogue = catalogue_of(ROOT / "configs")
    specs = writing.specs_in([ROOT / "reports" / "tables"], catalogue)
    with from_published(PUBLISHED) as source:
        render = writing.renderer(source, catalogue)
        archive = archive_of(source)
        tables = {spec.name: Shown(render(spec), spec, catalogue.renamed(spec.titles), archive) for spec in specs}
        yield Site(tuple(writing.with_markers(pages_of(read_workspace(ROOT)))), tables, source, catalogue)
