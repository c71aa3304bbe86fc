"""What a plan will write, held against what is free."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import hub_data
from harness.commands.machine import Planned
from harness.commands.workspace import shown_path
from harness.core.errors import HarnessError
from harness.core.sizes import size_text
from harness.core.spec import MeasureSpec
from harness.plan.expand import PlannedJob
from harness.plan.model_folders import hub_folder

Verdicts = Mapping[str, tuple[str, str]]
_RUN_BYTES = 100_000
"""Job, outcome and log of a run."""
_POSITION_BYTES = 64
"""What quality probes keep of each scored position: a few numbers."""


@dataclass(frozen=True)
class DiskNeed:
    """What jobs will write to a volume. bytes: None where nobody knows; free: bytes that are."""

    volume: str
    bytes: int | None
    free: int
    text: str


def refuse_what_cannot_fit(disk: Sequence[DiskNeed], results: Path) -> None:
    """Refuse a plan that would fill the disk. Raises: HarnessError with what it needs, what is free and what to do."""
    short = next(((one.bytes, one.free) for one in disk if one.bytes is not None and one.bytes > one.free), None)
    if short is None:
        return
    need, free = short
    counted = [place for place in (results / name for name in ("artifacts", "runs")) if place.is_dir()]
    there = sum(path.lstat().st_size for place in counted for path in place.rglob("*"))  # as `clean` counts
    fits = there + free - need
    clean = f"`harness clean --budget {fits // 10**9}GB` lets what is older go, or " if fits > 10**9 else ""
    raise HarnessError(
        f"this cannot fit: up to {size_text(need)} would be written and {size_text(free)} are free; {clean}"
        "name another folder with --results, or choose less with --only"
    )


def disk_needs(planned: Planned, decided: Verdicts, results: Path) -> list[DiskNeed]:
    """Estimate what the jobs to run will write, by volume, and hold it against what is free (bytes).

    Nothing is deleted while a sweep runs, so that the sum is the peak. Artifacts: parameters times the precision's
    bytes; stored references: states and head, or tokens times vocabulary times 4; runs: per-position results, and scratch files of the
    largest build.
    """
    runs = [job for job in planned.plan.jobs if decided[job.id][0] == "run"]
    made = [job.bytes for job in runs if job.kind in {"build", "reference"}]
    scratch = max((job.bytes for job in runs if job.kind == "build"), default=0)
    folders = {
        "artifacts": (results / "artifacts", sum(made)),
        "runs": (results / "runs", scratch + sum(_RUN_BYTES + _kept(job, planned) for job in runs)),
    }
    volumes: dict[int, list[str]] = {}
    for name, (folder, _) in folders.items():
        volumes.setdefault(_standing(folder).stat().st_dev, []).append(name)
    found = [_volume(names, [folders[name] for name in names], results) for names in volumes.values()]
    downloads = _downloads(planned, decided)
    if downloads:
        cache = hub_data.cache()
        free = shutil.disk_usage(_standing(cache)).free
        text = (
            f"disk: {', '.join(downloads)} must be downloaded to the hub cache {cache}, {free / 1e9:.0f} GB free there"
        )
        found.append(DiskNeed(str(cache), None, free, text))
    return found


def _volume(names: Sequence[str], folders: Sequence[tuple[Path, int]], results: Path) -> DiskNeed:
    need = sum(size for _, size in folders)
    free = shutil.disk_usage(_standing(folders[0][0])).free
    size = f"{need / 1e9:.1f} GB" if need >= 1e9 else f"{need / 1e6:.0f} MB"
    text = f"disk: up to {size} for {' and '.join(names)} in {shown_path(results)}, {free / 1e9:.0f} GB free"
    if need > free:
        text += "; NOT ENOUGH: free some, or name another folder with --results"
    return DiskNeed(str(folders[0][0]), need, free, text)


def _standing(folder: Path) -> Path:
    """Name the folder, or the nearest one above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _kept(job: PlannedJob, planned: Planned) -> int:
    if job.kind != "quality" or not isinstance(job.spec, MeasureSpec):
        return 0
    probe = planned.catalogue.adapters.probe(job.spec.probe)
    return _POSITION_BYTES * (probe.scored_tokens(probe.workload.model_validate(job.spec.workload)) or 0)


def _downloads(planned: Planned, decided: Verdicts) -> list[str]:
    """Name the models of refused jobs that come from the hub and are not in its cache."""
    refused = {labels.model for job in planned.plan.jobs if decided[job.id][0] == "refused" for labels in job.labels}
    entries = {name: model.entry for name, model in planned.catalogue.models.items() if name in refused}
    return sorted(
        name for name, entry in entries.items()
        if entry.hub and name not in planned.catalogue.local.folders and hub_folder(entry.hub, entry.revision) is None
    )  # fmt: skip
