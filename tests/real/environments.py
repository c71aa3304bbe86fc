"""Environments of a test that differ from the one it runs in by a package: beside its packages, nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest


def beside(folder: Path, *pins: str) -> Path:
    """Make an interpreter that sees this environment's packages, and these pins before them; skips the test where they cannot be had."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    made = next(folder.glob("bin/python"), folder / "Scripts" / "python.exe")
    site = next(folder.rglob("site-packages"))
    (site / "this.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")
    if pins:
        words = ["-m", "pip", "install", "--quiet", "--no-deps", "--retries", "1", "--target", str(site), *pins]
        ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=300)
        if ran.returncode:
            pytest.skip(f"{', '.join(pins)} cannot be installed here: {ran.stderr.strip()[-200:]}")
    return made
