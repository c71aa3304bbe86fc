"""Fixtures of commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands import fresh, night
from harness.commands.init import make_workspace
from harness.commands.workspace import (
    Workspace,
    here,
)
from harness.environment_state import MARKER


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which making an environment only writes what would be installed."""
    list(make_workspace(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_OFFLINE", raising=False)

    def made(name: str, *, root: Path, place: Path, wheels: tuple[str, ...], **given: object) -> Path:
        if not place.exists():
            (place / "bin").mkdir(parents=True)
            (place / "bin" / "python").touch()
            (place / MARKER).write_text(json.dumps({"name": name, "wheels": "\n".join(wheels)}), "utf-8")
        return place

    monkeypatch.setattr(fresh, "setup", made)
    return here(start=tmp_path / "home")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A fresh workspace."""
    folder = tmp_path / "theirs"
    list(make_workspace(folder))
    return folder


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nights take their canaries for found: rounds of these are tested by themselves."""
    from tests.unit.night.numbers import FOUND

    monkeypatch.setattr(night, "run_canaries", lambda *given: list(FOUND))
