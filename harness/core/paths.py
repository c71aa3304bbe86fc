"""Where a path that a workspace's file says leads: one rule for the runner and for workers."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from harness.core.errors import HarnessError

FILE = "harness.yaml"
"""Makes a folder a workspace."""
MINE = "HARNESS_WORKSPACE"
"""Variable by which a workspace's folder reaches whatever reads paths of its files, workers too."""
OTHERS = ".venvs"
"""Folder of a workspace's environments."""
_PACKAGE = Path(__file__).resolve().parents[1]


class NoHome(HarnessError):
    """A path begins with `~` and the name of nobody."""


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
    return (root or workspace_folder()) / at_home(os.path.expandvars(text))


def at_home(text: str | Path) -> Path:
    """Fill `~` into a path. Raises: NoHome for a user's that there is not."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise NoHome(
            f"'{text}': no home folder is known for '{Path(text).parts[0]}'; write the whole path, or './{text}' for a file of that name"
        ) from None


def matching(text: str, root: Path) -> list[Path]:
    """List what a pattern of a workspace's file fits, sorted: only in what it says itself are `*`, `?` and `[` signs, not in
    the folders that it is seen from, nor in what `~` and variables stand for.

    Raises: HarnessError for the home folder of a user that there is not.
    """
    said = re.sub(r"\$\w+|\$\{\w+\}", lambda found: glob.escape(os.path.expandvars(found[0])), text)
    home, slash, rest = said.partition("/") if said.startswith("~") else ("", "", said)
    whole = f"{glob.escape(str(at_home(home)))}{slash}{rest}" if home else str(Path(glob.escape(str(root))) / said)
    return sorted(Path(path) for path in glob.glob(whole, recursive=True))  # noqa: PTH207 - Path.glob refuses `**.whl`
