"""Watch a command from outside: in a network namespace and an empty home, with strace to see what it reaches for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

_INTERNET = re.compile(r"socket\(AF_INET6?\b")
_REACHES = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET6?\b(?P<address>[^}]*)\}")
_LOOPBACK = re.compile(r'inet_addr\("127\.|"::1"')
_MADE = re.compile(
    r'\b(?:open(?:at)?\([^"]*"(?P<opened>/[^"]+)"[^)]*O_CREAT|creat\("(?P<created>/[^"]+)"|mkdir(?:at)?\([^"]*"(?P<folder>/[^"]+)"'
    r'|rename(?:at2?)?\([^"]*"[^"]*"[^"]*"(?P<renamed>/[^"]+)").*\) = (?!-1)'
)
"""A file or folder that was made under an absolute path."""
_FILES = "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
_SYSTEM = ("/dev/", "/proc/", "/sys/")
_KEPT_OUT = (
    "HOME",
    "XDG_",
    "HF_",
    "HARNESS_",
    "ORT_",
    "MPLCONFIGDIR",
    "TRITON_",
    "TORCH",
    "CUDA_CACHE",
    "CUPY_",
    "DO_NOT",
)


@dataclass(frozen=True)
class Watched:
    """What a command did: exit code, text, files in its home, files made outside of project, home and temporary folder,
    Internet sockets, and other machines that it spoke to."""

    code: int
    text: str
    written: list[str]
    strays: list[str]
    sockets: list[str]
    reached: list[str]


@cache
def namespace() -> tuple[str, ...]:
    """Words that put a command into a namespace without a network; empty where this machine allows none."""
    for words in (("unshare", "-rn"), ("unshare", "-n")):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            return words
    return ()


@cache
def tracing() -> bool:
    """Whether strace is here and may watch a process."""
    words = ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "true"]
    return bool(shutil.which("strace")) and subprocess.run(words, capture_output=True, check=False).returncode == 0


def watch(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> Watched:
    """Run `python WORDS` in an empty home, without a network where a namespace is allowed, and traced where strace may watch.

    Where only a namespace is to be had, what was opened is not seen, and what was left in the home is. Skips the test without either.
    """
    if not tracing() and not namespace():
        pytest.skip(
            "neither strace nor a network namespace is to be had here: what a command reaches for cannot be seen"
        )
    home, log = folder / "home", folder / "strace.log"
    home.mkdir(parents=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_KEPT_OUT)}
    tracer = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace=network,{_FILES}", "-o", str(log))
    command = [*namespace(), *(tracer if tracing() else ()), sys.executable, *words]
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(variables or {})}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    lines = log.read_text("utf-8", errors="replace").splitlines() if tracing() else []
    allowed = (
        *_SYSTEM,
        *(f"{place}/" for place in (ROOT, folder, folder.resolve(), tempfile.gettempdir(), "/tmp")),
    )
    return Watched(
        ran.returncode,
        ran.stdout + ran.stderr,
        [path.relative_to(home).as_posix() for path in sorted(home.rglob("*"))],
        sorted({path for line in lines if (path := _made(line)) and _is_outside(path, allowed, home)}),
        [line for line in lines if _INTERNET.search(line)],
        [line for line in lines if (found := _REACHES.search(line)) and not _LOOPBACK.search(found["address"])],
    )


def _is_outside(path: str, allowed: tuple[str, ...], home: Path) -> bool:
    """Tell what was made in somebody's home, though it be gone again, or outside of what a command may write."""
    return path.startswith(f"{home}/") or not path.startswith(allowed)


def _made(line: str) -> str:
    """Return the path of what a traced call made; empty where it made nothing."""
    found = _MADE.search(line)
    return next((path for path in found.groups() if path), "") if found else ""
