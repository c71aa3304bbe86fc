"""Where a path that a workspace's file says leads: one rule for the desk and for workers."""

from __future__ import annotations

import os
from pathlib import Path

FILE = "harness.yaml"
"""Makes a folder a workspace."""
MINE = "HARNESS_WORKSPACE"
"""Variable by which a workspace's folder reaches whatever reads paths of its files, workers too."""
OTHERS = ".venvs"
"""Folder of a workspace's environments."""
_PACKAGE = Path(__file__).resolve().parents[1]


def workspace_folder() -> Path:
    """Name the folder of this command's workspace.

    Where no command has named one, as for a worker that a scheduler starts, it is the workspace that one stands in; without any, the clone,
    or of an installed package the working folder.
    """
    if said := os.environ.get(MINE):
        return Path(said)
    return workspace_around() or (Path.cwd() if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent)


def workspace_around() -> Path | None:
    """Find the workspace that one stands in."""
    here = Path.cwd()
    return next((one for one in (here, *here.parents) if (one / FILE).is_file()), None)


def placed(text: str, root: Path | None = None) -> Path:
    """Give the path that a file of a workspace says: `~` and variables filled in, what is relative seen from the workspace's folder.

    root: that folder, where the caller knows it.
    """
    return (root or workspace_folder()) / Path(os.path.expandvars(text)).expanduser()
