"""What `harness clean` took out of a run folder, kept in it: its outcome stays, and its arrays are known by hash and shape."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from harness.core.errors import ConfigError, Problem
from harness.core.files import write_whole
from harness.core.outcome import ArrayRef
from harness.core.spec import Record

CLEANED = "cleaned.json"


class CleanedRun(Record):
    """`results/runs/RUN/cleaned.json`."""

    schema_version: int = 1
    cleaned: AwareDatetime
    arrays: tuple[ArrayRef, ...] = ()
    """What `arrays.npz` held."""


def read_cleaned(folder: Path) -> CleanedRun | None:
    """Read what was taken out of a run folder; None where nothing was. Raises: ConfigError naming the file and what to do."""
    path = folder / CLEANED
    if not path.exists():
        return None
    try:
        return CleanedRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            [Problem(f"cannot be read ({error}); remove the run folder and run the same command again", path)]
        ) from error


def write_cleaned(folder: Path, cleaned: CleanedRun) -> None:
    """Note what is about to be taken out of a run folder, whole."""
    write_whole(folder / CLEANED, cleaned.model_dump_json(indent=1) + "\n")
