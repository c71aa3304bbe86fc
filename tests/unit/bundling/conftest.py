"""A workspace with fake adapters, bundled for this machine, whose Python has all that it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.bundling.making import BundleRequest, asked, make_bundle
from harness.commands.workspace import read_workspace, settle_in
from tests.fake_machine import Bench

QUICK = {
    "perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": "mine"},
    "generation": {"batch": 1, "prompt": 8, "output": 8, "warmup": 1, "repetitions": 2},
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def for_this_machine(to: Path, pieces: str | None = "64kB", **more: Any) -> BundleRequest:
    """Ask for a bundle without wheels."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return asked(to, pieces, python, "manylinux_2_28_x86_64", ["all"], by_block=more.get("by_block", False))


@pytest.fixture
def theirs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A workspace with a sweep of two blocks that reads a declared text."""
    root = bench.configs.parent
    (root / "harness.yaml").write_text("version: 1\n", "utf-8")
    (bench.configs / "texts.yaml").write_text(
        yaml.safe_dump({"mine": {"path": str(bench.text), "documents": "lines"}}), "utf-8"
    )
    bench.sweep(blocks={"one": {"method": ["fp32", "int8"]}, "two": {"method": "int4"}}, probes=QUICK)
    monkeypatch.setenv("HARNESS_CACHE", str(root / "results" / "cache"))
    monkeypatch.setenv("HARNESS_WORKSPACE", str(root))
    monkeypatch.setenv("HARNESS_CONFIGS", "")
    return bench


def make(bench: Bench, to: Path, *sweeps: str, **more: Any) -> list[str]:
    """Make a bundle of a workspace's sweeps; returns what was said."""
    workspace = read_workspace(bench.configs.parent)
    settle_in(workspace)
    return list(make_bundle(sweeps or ["s"], workspace, for_this_machine(to, **more)))


def run(bundle: Path, *words: str, python: str = sys.executable, **more: Any) -> subprocess.CompletedProcess[str]:
    """Start run.sh as a person does, with an empty home and nothing of this project in sight."""
    home = bundle.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    variables = {**kept, "HOME": str(home), "PYTHON": python}
    return subprocess.run(
        ["sh", str(bundle / "run.sh"), *words],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        cwd=home,
        timeout=240,
        **more,
    )


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Whose bundle `made` is."""
    bench = Bench(tmp_path_factory.mktemp("maker"))
    (bench.configs.parent / "harness.yaml").write_text("version: 1\n", "utf-8")
    (bench.configs / "texts.yaml").write_text(yaml.safe_dump({"mine": {"path": str(bench.text)}}), "utf-8")
    bench.sweep(method=["fp32"], probes=QUICK)
    return bench


@pytest.fixture(scope="module")
def made(maker: Bench) -> Path:
    """A bundle that is made once and only read."""
    root = maker.configs.parent
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HARNESS_CACHE": str(root / "cache"), "HARNESS_WORKSPACE": str(root), "HARNESS_CONFIGS": "",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        make(maker, root / "bundle")
    return root / "bundle"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with runs and a session."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    bench.run()
    return bench.results


@pytest.fixture
def brought(whole: Path, tmp_path: Path) -> Path:
    """A copy of `whole`."""
    for name in ("runs", "sessions"):
        shutil.copytree(whole / name, tmp_path / "brought" / name)
    return tmp_path / "brought"


def copied(bundle: Path, to: Path) -> Path:
    shutil.copytree(bundle, to / "brought")
    return to / "brought"


@pytest.fixture(scope="module")
def came(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a stage that was run."""
    bundle = copied(made, tmp_path_factory.mktemp("came"))
    ran = run(bundle)
    assert ran.returncode == 0, ran.stderr
    return next((bundle / "out").glob("*.tar"))
