"""Projects whose pages are current."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages.project import Project, before


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose pages are current."""
    made = Project(tmp_path_factory.mktemp("current") / "project")
    made.make()
    made.publish(*before())
    assert made.report("--write").code == 0
    assert 'Up to <!-- value: speed max "Speed-up" -->2.00x<!-- /value --> faster.' in made.text()
    return made


@pytest.fixture
def project(current: Project, tmp_path: Path) -> Project:
    """A copy of it for one test."""
    shutil.copytree(current.root, tmp_path / "project")
    return Project(tmp_path / "project")
