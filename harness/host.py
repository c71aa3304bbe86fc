"""The machine and environment that a job stands in: packages, processor, GPUs, memory high-water marks."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import uuid
from pathlib import Path

from harness import __version__
from harness.core.outcome import Environment
from harness.core.seam import Facts
from harness.nvml import _cuda, gpus, open_nvml

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_AFFINITY")


# ---------------------------------------------------------------- environment


def environment(name: str) -> Environment:
    """Describe the place where this process runs; what cannot be found is left out, never guessed."""
    nvml = open_nvml()
    return Environment(
        name=name,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=cpu_model(),
        cores=cores(),
        memory_bytes=_memory_bytes(),
        machine_id=machine_id(),
        gpus=gpus(nvml),
        cuda=_cuda(nvml),
        packages=packages(),
        threads={key: os.environ[key] for key in _THREAD_SETTINGS if key in os.environ},
        harness=harness_version(),
    )


def facts(environment: Environment) -> Facts:
    """Reduce an environment to what planning asks of it."""
    sizes = [gpu.memory_bytes for gpu in environment.gpus if gpu.memory_bytes is not None]
    told = [(gpu.compute.split("."), gpu.name) for gpu in environment.gpus if gpu.compute]
    most = max((((int(major), int(minor)), name) for (major, minor), name in told), default=None)
    return Facts(
        packages=environment.packages,
        system=environment.system,
        gpus=tuple(gpu.name for gpu in environment.gpus),
        gpu_bytes=max(sizes) if sizes else None,
        memory_bytes=environment.memory_bytes,
        compute=most[0] if most else None,
        compute_gpu=most[1] if most else "",
    )


def packages() -> dict[str, str]:
    """List installed distributions: version with its build behind `+`; behind `@` a source's commit, or of a wheel file its content."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name, version = _called(distribution)
        if name:
            found.setdefault(_normal(name), f"{version}{_commit_of(distribution)}")
    return dict(sorted(found.items()))


def _called(distribution: importlib.metadata.Distribution) -> tuple[str | None, str | None]:
    """Read name and version from the head of a distribution's metadata; parsing it whole takes ten times as long."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    name, version = (re.search(rf"^{field}: *(\S+)$", head, re.MULTILINE) for field in ("Name", "Version"))
    if name and version:
        return name[1], version[1]
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def _commit_of(distribution: importlib.metadata.Distribution) -> str:
    """Read the commit of a distribution that was installed from a repository; of one from a file or an address, hash its contents.

    Two wheels of one version are two things. Source: PEP 610 (direct_url.json), PEP 376 (RECORD).
    """
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    if not isinstance(origin, dict) or not origin:
        return ""
    commit = origin.get("vcs_info", {}).get("commit_id")
    if isinstance(commit, str):
        return f"@{commit[:12]}"
    if "archive_info" not in origin:  # a folder that is worked on, as our own
        return ""
    rows = [row.split(",")[:2] for row in (distribution.read_text("RECORD") or "").splitlines()]
    listed = sorted(f"{path},{sha}" for path, sha in (row for row in rows if len(row) == 2) if _of_wheel(path, sha))
    return "@" + hashlib.sha256("\n".join(listed).encode()).hexdigest()[:12]


def _of_wheel(path: str, sha: str) -> bool:
    """Tell what a wheel brings from what an installer writes: scripts of this place, and notes on the installation."""
    written = ("direct_url.json", "INSTALLER", "REQUESTED")
    return bool(sha) and not path.startswith("..") and path.rsplit("/", 1)[-1] not in written


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def harness_version() -> str:
    """Return the harness's version and, from a git checkout, its commit, `-dirty` where tracked files were changed."""
    version = __version__
    root = Path(__file__).resolve().parent.parent
    commit = _git(root, "rev-parse", "--short=12", "HEAD") if (root / ".git").exists() else None
    if not commit:
        return f"{version}+{told}" if (told := _told_commit()) else version
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{version}+{commit}{'-dirty' if dirty else ''}"


@functools.cache
def code_digest() -> str:
    """Hash this package's code as it lies on the disk, once in a process; `-dirty` trees of one commit have one version and are many."""
    return code_digest_of(Path(__file__).resolve().parent)


def code_digest_of(folder: Path) -> str:
    """Hash the names and bytes of all Python files below a folder, tracked or not."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        whole.update(b"%d %d %b%b" % (len(name), len(content), name, content))
    return whole.hexdigest()


def _told_commit() -> str:
    """Read the commit that a bundle says its harness is of."""
    try:
        return (Path(__file__).resolve().parent / "commit.txt").read_text("utf-8").strip()
    except OSError:
        return ""


def _git(root: Path, *words: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def cpu_model() -> str:
    """Return the processor's marketing name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def machine_id() -> str:
    """Hash what tells this machine from others: its machine id (else network address) and processor."""
    try:
        identity = Path("/etc/machine-id").read_text("utf-8").strip()
    except OSError:
        identity = ""
    identity = identity or f"{uuid.getnode():x}"
    return hashlib.sha256(f"{identity}|{cpu_model()}|{platform.machine()}".encode()).hexdigest()[:12]


# ---------------------------------------------------------------- GPUs


# ---------------------------------------------------------------- memory


def load_average() -> tuple[float, float, float] | None:
    """Return the system's load averages where it keeps them."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None
