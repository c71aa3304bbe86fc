"""The old checkout of the whole-MMLU benchmark is called by its commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.benchmarks.whole_mmlu import commit_of


def test_a_checkout_is_called_by_its_commit_and_another_folder_by_its_name(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == tmp_path.name
    said = ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "a"]
    for words in (["init", "-q"], said):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    (whole,) = (tmp_path / ".git" / "refs" / "heads").iterdir()
    assert whole.read_text("utf-8").startswith(commit_of(tmp_path))
