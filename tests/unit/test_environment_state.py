"""Whether an environment's folder is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import environment_state

BROKEN = environment_state._broken


LONG = "#!/bin/sh\n'''exec' \"{}/bin/python\" \"$0\" \"$@\"\n' '''\n"
"""How pip writes a script whose interpreter has a space in its path, or a long one."""


@pytest.mark.parametrize("text", ["#!{}/bin/python\n", LONG])
def test_a_folder_that_was_not_moved_is_not_taken_for_one_that_was(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a b" / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "bin" / "pip").write_text(text.format(folder), "utf-8")
    assert BROKEN(folder, None) == ""
    (folder / "bin" / "pip").write_text(text.format("/elsewhere/env"), "utf-8")
    assert BROKEN(folder, None) == "was made in another place and moved"
    (folder / "bin" / "pip").unlink()

    def slow(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", slow)
    assert BROKEN(folder, None) == "", "slow is not broken"
