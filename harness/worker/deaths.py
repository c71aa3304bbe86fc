"""What a worker died of: only the kernel's own count is evidence of a kill for memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.spec import Status

_MEMBERSHIP, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_V2, _V1 = "memory.events", "memory.oom_control"


def cause(code: int, words: Sequence[str], before: int | None, after: int | None) -> tuple[Status, str]:
    """Tell what a worker died of; only the kernel's count of kills, before and after, is evidence of one for memory."""
    if code == -9 and before is not None and after is not None and after > before:
        return Status.OOM, "killed for memory: the cgroup counted an out-of-memory kill"
    if code < 0:
        return Status.FAILED, f"the worker was killed by signal {-code}"
    said = f": {words[-1]}" if words else ""
    return Status.FAILED, f"the worker exited with code {code}{said}"


def oom_kills(membership: Path = _MEMBERSHIP, cgroups: Path = _CGROUPS) -> int | None:
    """Read how many processes the kernel has killed for memory in our cgroup; None where it does not say.

    Whoever starts a worker shares its cgroup, so that our count tells of it.
    Source: Linux, cgroup-v2 (memory.events) and cgroup-v1 (memory.oom_control).
    """
    try:
        path = _events(membership.read_text("ascii"), cgroups)
        rows = dict(line.split() for line in path.read_text("ascii").splitlines()) if path else {}
        return int(rows["oom_kill"]) if "oom_kill" in rows else None
    except (OSError, ValueError):
        return None


def _events(membership: str, cgroups: Path) -> Path | None:
    """Find the file with the count: the nearest one upwards, since a container may see only a part of the tree."""
    lines = [line.split(":", 2) for line in membership.splitlines()]
    v1 = [name for _, controllers, name in lines if "memory" in controllers.split(",")]
    v2 = [name for number, controllers, name in lines if number == "0" and not controllers]
    top, file = (cgroups / "memory", _V1) if v1 else (cgroups, _V2)
    inner = Path(*(v1 or v2 or ["."])[:1]).as_posix().strip("/")
    folder = top / inner
    for candidate in (folder, *folder.parents):
        if (candidate / file).is_file():
            return candidate / file
        if candidate == top:
            break
    return None
