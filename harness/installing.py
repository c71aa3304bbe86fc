"""How an environment's packages get into its folder. Standard library only, as `harness.environments`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from harness.core.errors import Trouble
from harness.core.paths import OTHERS, at_home

INSTALL_SECONDS = 4 * 3600.0
"""Longest that a step of making an environment, or waiting for another command that makes it, may take."""
PARTS, AT_A_TIME = 12, 3
"""Into how many parts a lock file is cut to be installed, and how many of them are installed at a time."""
_TOLD, _REASONS = 300, 3
"""Characters of a reason of pip's that are told, and how many reasons are."""
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^\s;]+")


def run_step(step: list[str], root: Path) -> None:
    """Run one step of making an environment. Raises: Trouble where it fails, or takes hours."""
    try:
        result = subprocess.run(
            step, check=False, env=pip_variables(root), timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Trouble(f"installing took longer than {INSTALL_SECONDS / 3600:.0f} hours: {' '.join(step)}") from None
    sys.stderr.write(result.stderr)
    if result.returncode != 0:
        why = "; ".join(pip_reasons(result.stderr))
        raise Trouble(f"installing failed ({result.returncode}){f', pip says: {why}' if why else ''}: {' '.join(step)}")


def pip_reasons(said: str) -> list[str]:
    """Pick out of what pip printed on standard error why it failed: each reason once, and only the last ones."""
    reasons = [line.removeprefix("ERROR:").strip() for line in said.splitlines() if line.startswith("ERROR:")]
    told = [
        reason[:_TOLD] for reason in dict.fromkeys(reasons) if reason and not reason.startswith("ResolutionImpossible")
    ]
    return told[-_REASONS:]


def in_parts(pip: list[str], lock: Path, root: Path) -> None:
    """Install what a lock file pins with several pips at a time, each of which unpacks on one processor and waits for the disk.

    What fails, or has lines that are no plain pins, is left to the step after this one, which goes over the whole file.
    """
    lines = [line for line in lock.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < PARTS or not all(_PIN.fullmatch(line) for line in lines):
        return

    def install(part: list[str]) -> None:
        subprocess.run(
            [*pip, *part], check=True, env=pip_variables(root), timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    with ThreadPoolExecutor(AT_A_TIME) as pool, suppress(OSError, TimeoutError, subprocess.SubprocessError):
        parts = [pool.submit(install, lines[begin::PARTS]) for begin in range(PARTS)]
        try:
            for part in parts:
                part.result(timeout=INSTALL_SECONDS)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def compile_packages(folder: Path, python: Path) -> None:
    """Compile what was installed, packages' own tests left out; what cannot be compiled is somebody's template, and no trouble.

    Left to the first import it would be done by every process where Python may not write beside its files.
    """
    words = [
        "-m",
        "compileall",
        "-qq",
        "-j",
        "0",
        "-x",
        r"[/\\]tests?[/\\]",
        str(folder / ("Lib" if os.name == "nt" else "lib")),
    ]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [str(python), *words], check=False, timeout=INSTALL_SECONDS, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def pip_variables(root: Path) -> dict[str, str]:
    """Let pip keep its cache beside the environments, unless a person has one or has said where it is."""
    own = at_home(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "pip"
    asks = {
        "PIP_NO_INPUT": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }  # an index that wants a password is an error, not a question
    return {**({} if own.is_dir() else {"PIP_CACHE_DIR": str(root / OTHERS / "pip-cache")}), **asks, **os.environ}
