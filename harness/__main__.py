"""`python -m harness` is the command `harness`; `setup` works before anything is installed."""

from __future__ import annotations

import sys


def _bootstrap(words: list[str]) -> bool:
    """Serve `setup [--env NAME] [--quiet]` from the standard library alone, where a lock file is all that is needed."""
    if words[:1] != ["setup"] or "--help" in words:
        return False
    from pathlib import Path

    from harness.environments import IN_CLONE, LOCKS, ROOT, setup

    here = Path.cwd()
    nearest = next((one for one in (here, *here.parents) if (one / "harness.yaml").is_file()), None)
    if not IN_CLONE or nearest != ROOT:  # another workspace, which must be read first
        return False

    rest = [word for word in words[1:] if word != "--quiet"]
    name = rest[1] if rest[:1] == ["--env"] and len(rest) == 2 else None
    if (rest and name is None) or (name is not None and not (LOCKS / f"{name}.txt").exists()):
        return False
    setup(name, quiet="--quiet" in words)
    return True


if __name__ == "__main__":
    if not _bootstrap(sys.argv[1:]):
        from harness.cli import main

        main()
