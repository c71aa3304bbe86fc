"""Fixtures that every test may use."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands.workspace import Workspace, read_workspace
from tests.fake_box import Bench, Said, Say
from tests.wheel import built, installed

__all__ = ["built", "installed"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real models, corpora and result files; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not here: real models and corpora are needed for this test")
    return folder


@pytest.fixture(scope="session")
def sketches(shared_data: Path) -> Path:
    """Folder of whole sweep and table files that people want to write; tests that need it skip where it is absent."""
    folder = shared_data.parent / "sketches"
    if not folder.is_dir():
        pytest.skip("../shared/sketches is not here: the files that people want to write are needed for this test")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the tests a temporary folder of their own, so that they wait for no other command's speed jobs, nor it for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(scope="session")
def home() -> Workspace:
    """The workspace that the project's own folder is."""
    return read_workspace(ROOT)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty box with fake adapters."""
    return Bench(tmp_path)


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run the command line in this process, as `say(bench, "run", "s")`."""
    from harness import cli

    def command(bench: Bench, *words: str) -> Said:
        folders = ["--results", str(bench.results)]
        folders += ["--configs", str(bench.configs)] if words[0] in {"run", "plan", "bench"} else []
        monkeypatch.setattr(sys, "argv", ["harness", *words, *folders])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)

    return command


@pytest.fixture(scope="session")
def published_pages(shared_data: Path) -> Path:
    """Folder of pages whose tables we must be able to write; tests that need it skip where it is absent."""
    folder = shared_data.parent / "seeds"
    if not folder.is_dir():
        pytest.skip("../shared/seeds is not here: the published pages are needed for this test")
    return folder
