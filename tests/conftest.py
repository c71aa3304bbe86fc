"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.commands.workspace import Workspace, read_workspace
from tests.fake_machine import Bench, Said, Say
from tests.wheel import built, installed

__all__ = ["built", "installed"]

ROOT = Path(__file__).resolve().parent.parent

# Draws are the same on every machine and day, and a slow moment is no mistake; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


EXTRA = "HARNESS_TEST_DATA"
"""Variable that names the folder of extra data; sketches, published pages and odd models lie beside it."""
_MISSING = "needs extra data: "


def extra(*parts: str) -> Path:
    """Return a folder of the extra data, or skip the test where it is not here."""
    folder = Path(os.environ.get(EXTRA) or ROOT.parent / "shared" / "data").absolute().joinpath(*parts).resolve()
    if not folder.is_dir():
        pytest.skip(f"{_MISSING}{folder}")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell in one line, not one for each, how many tests had no extra data; all other skips keep a line with their reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    missing = [report for report in skipped if _MISSING in str(report.longrepr)]
    if missing:
        terminalreporter.stats["skipped"] = [report for report in skipped if report not in missing]
        terminalreporter.stats["without extra data"] = missing
        terminalreporter.write_line(f"{len(missing)} tests need extra data: set {EXTRA} (CONTRIBUTING.md)")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real models, corpora and result files; tests that need it skip where it is absent."""
    return extra()


@pytest.fixture(scope="session")
def sketches() -> Path:
    """Folder of whole sweep and table files that people want to write; tests that need it skip where it is absent."""
    return extra("..", "sketches")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of models with oddities; tests that need it skip where it is absent."""
    return extra("..", "cases")


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
    """An empty machine with fake adapters."""
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
def published_pages() -> Path:
    """Folder of pages whose tables we must be able to write; tests that need it skip where it is absent."""
    return extra("..", "seeds")
