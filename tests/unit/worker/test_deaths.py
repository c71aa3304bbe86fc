"""What a dead worker died of: only the kernel's own count is evidence of a kill for memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.spec import Status
from harness.worker.deaths import cause, oom_kills

V2_EVENTS = "low 0\nhigh 0\nmax 412\noom 3\noom_kill {}\noom_group_kill 0\n"
"""memory.events as Linux 6 writes it."""
V1_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
"""memory.oom_control as Linux 5 and 6 write it."""


def recorded(root: Path, membership: str, files: dict[str, str]) -> int | None:
    (root / "cgroup").write_text(membership, "ascii")
    for name, text in files.items():
        path = root / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "ascii")
    return oom_kills(root / "cgroup", root / "tree")


@pytest.mark.parametrize(("membership", "files", "kills"), [
    ("0::/\n", {"memory.events": V2_EVENTS.format(2)}, 2),
    ("0::/user.slice/run.scope\n", {"user.slice/run.scope/memory.events": V2_EVENTS.format(1)}, 1),
    ("0::/user.slice/run.scope\n", {"user.slice/memory.events": V2_EVENTS.format(4)}, 4),
    ("0::/docker/abc\n", {"memory.events": V2_EVENTS.format(5)}, 5),
    ("4:memory:/job/7\n0::/\n", {"memory/job/7/memory.oom_control": V1_CONTROL.format(3)}, 3),
    ("4:cpu,memory:/docker/abc\n", {"memory/memory.oom_control": V1_CONTROL.format(6)}, 6),
    ("0::/\n", {}, None),
    ("0::/\n", {"memory.events": "low 0\n"}, None),
    ("0::/\n", {"memory.events": "not a table of two\n"}, None),
], ids=["root", "nested", "controller-above", "container", "v1", "v1-container", "no-file", "no-count", "garbage"])  # fmt: skip
def test_the_count_is_read_from_the_cgroup_that_we_are_in(
    membership: str, files: dict[str, str], kills: int | None, tmp_path: Path
) -> None:
    assert recorded(tmp_path, membership, files) == kills


def test_a_system_without_cgroups_has_no_count(tmp_path: Path) -> None:
    assert oom_kills(tmp_path / "nothing", tmp_path) is None


def test_only_a_count_that_rose_makes_a_death_one_for_memory() -> None:
    assert cause(-9, [], 1, 2)[0] is Status.OOM
    for before, after in ((1, 1), (None, 2), (1, None), (None, None)):
        assert cause(-9, [], before, after) == (Status.FAILED, "the worker was killed by signal 9")
    assert cause(-11, [], 1, 2)[0] is Status.FAILED
    assert cause(1, ["Traceback", "ValueError: no"], 1, 2) == (
        Status.FAILED,
        "the worker exited with code 1: ValueError: no",
    )
