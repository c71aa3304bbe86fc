"""Where a path that a workspace's file says leads: one rule for the desk and for workers."""

from __future__ import annotations

import os
from pathlib import Path

MINE = "HARNESS_WORKSPACE"
"""Variable by which a workspace's folder reaches whatever reads paths of its files, workers too."""
_PACKAGE = Path(__file__).resolve().parents[1]


def workspace_folder() -> Path:
    """Name the folder of this command's workspace; where none was named, the clone, or of an installed package the working folder."""
    said = os.environ.get(MINE)
    if said:
        return Path(said)
    return Path.cwd() if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent


def placed(text: str, root: Path | None = None) -> Path:
    """Give the path that a file of a workspace says: `~` and variables filled in, what is relative seen from the workspace's folder.

    root: that folder, where the caller knows it.
    """
    return (root or workspace_folder()) / Path(os.path.expandvars(text)).expanduser()
