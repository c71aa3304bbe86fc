"""The wheel in an environment of its own, outside of any clone: install, init, bench, publish, write, check."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.environments import SHIPPED
from tests.wheel import Installed, command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_both_distributions_hold_what_a_workspace_needs_and_nothing_local(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (source,) = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for folder, pattern in (("configs", "*.yaml"), ("configs/sweeps", "*.yaml"), ("configs/locks", "*.txt"),
                            ("reports/tables", "*.yaml"), ("reports/templates", "*.j2")):  # fmt: skip
        names = {f"harness/shipped/{folder}/{path.name}" for path in (SHIPPED / folder).glob(pattern)}
        assert names - {"harness/shipped/configs/local.yaml"} <= inside, folder
    assert not [
        name for name in inside if name.endswith("local.yaml") or name.startswith(("tests", "tools", "results"))
    ]
    assert any(name.startswith("harness/reference/data/model/") for name in inside)
    with tarfile.open(source) as packed:
        kept = {name.split("/", 1)[1] for name in packed.getnames() if "/" in name}
    assert {
        "configs/models.yaml",
        "configs/locks/cpu.txt",
        "reports/tables/bnb.tables.yaml",
        "harness/cli/app.py",
    } <= kept


def test_the_source_distribution_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (source,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    ran = command([sys.executable, *words], tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]
    (again,) = tmp_path.glob("*.whl")
    assert again.name == wheel.name
    assert _hashes(again) == _hashes(wheel)


def _hashes(wheel: Path) -> set[str]:
    """The record of a wheel: each file with its hash, that of the list of sources apart, which builds order as they like."""
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        return set(archive.read(record).decode("utf-8").splitlines())


def test_a_workspace_outside_of_any_clone_measures_keeps_writes_and_checks(
    installed: Installed, tmp_path: Path
) -> None:
    """`bench` makes its environment by itself, in the workspace, where an index can be reached."""
    home = tmp_path / "theirs"
    home.mkdir()

    def say(*words: str, code: int | None = 0) -> str:
        ran = command([str(installed.script), *words], home)
        assert code is None or ran.returncode == code, f"{words}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert "Traceback" not in ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    assert "there is no harness.yaml" in say("plan", "quickstart", code=2)
    assert "benchmarks.md: a page with" in say("init")
    if installed.by_pip:
        assert "harness setup --env cpu" in say("plan", "quickstart")
        assert "ok  environment" not in say("doctor", code=None)
    else:
        (home / "configs" / "local.yaml").write_text(json.dumps({"python": {"cpu": sys.executable}}), "utf-8")
    quick = (SHIPPED / "configs" / "sweeps" / "quickstart.yaml").read_text("utf-8")
    for old, new in (("rounds: 5", "rounds: 1"), ("tokens: 20000", "tokens: 600"), ("tokens: 4000", "tokens: 600"),
                     ("limit: 25", "limit: 2"), ("repetitions: 16", "repetitions: 3"), ("output: 128", "output: 8"),
                     ("[fp32, int8, int4_k_quant_mixed, {int4_rtn: ort-genai}, int4_rtn_b128, int4_awq_reference]", "[fp32, int8]")):  # fmt: skip
        assert old in quick
        quick = quick.replace(old, new)
    (home / "configs" / "sweeps" / "quickstart.yaml").write_text(quick, "utf-8")
    said = say("bench")
    assert "failed" not in said
    assert (home / ".venvs" / "cpu" / "bin" / "python").exists() is installed.by_pip
    assert "tables written to results/tables/quickstart.md" in said
    assert "runs written to results/published/quickstart.yaml" in say("publish", "quickstart")
    page = (home / "benchmarks.md").read_text("utf-8")
    assert "out of date" in say("report", "--check", code=1)
    assert "benchmarks.md: quickstart" in say("report", "--write", "benchmarks.md")
    assert (home / "benchmarks.md").read_text("utf-8") != page
    assert "| INT8 |" in (home / "benchmarks.md").read_text("utf-8")
    assert "1 pages checked, 0 out of date" in say("report", "--check")
    assert "has no marker" in say("report", "--write", str(_bare(home)), code=2)
    assert "runs and" in say("doctor", "--files")
    assert {path.name for path in home.iterdir()} <= {
        "harness.yaml", "configs", "benchmarks.md", "bare.md", "results", ".venvs",
    }  # fmt: skip
    assert not list(installed.script.parent.parent.rglob("bench.db")), "nothing is kept where the package is installed"


def _bare(home: Path) -> Path:
    page = home / "bare.md"
    page.write_text("no table here\n", "utf-8")
    return page
