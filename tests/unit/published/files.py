"""Published files as tests make and change them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from harness.core.errors import ConfigError
from harness.core.identity import digest
from harness.core.outcome import Outcome
from harness.environments import ROOT
from harness.published.publish import PublishableRun, text_of
from harness.published.reading import read_published
from harness.published.records import content_of
from tests.unit.store.outcomes import built, environment, failed, measured, measurement

Raw = dict[str, Any]
SHIPPED = ROOT / "results" / "published"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def three() -> list[Outcome]:
    """A measured run, one that failed on another machine, and a build."""
    return [measured(1), failed(2, place=environment("cuda").model_copy(update={"machine_id": "another"})), built(3)]


def written(folder: Path, outcomes: Iterable[Outcome] = (), name: str = "demo") -> Path:
    """Write outcomes as a published file of a folder that is made."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    runs = [PublishableRun(outcome, (outcome.job.labels,)) for outcome in outcomes or three()]
    path.write_text(text_of(runs), encoding="utf-8", newline="\n")
    return path


def raw_of(path: Path) -> Raw:
    found: Raw = yaml.load(path.read_text("utf-8"), Loader=LOADER)
    return found


def rewritten(path: Path, edit: Callable[[Raw], object]) -> None:
    """Edit each run of a file and give it the hash of its new content, as who means to deceive would."""
    raw = raw_of(path)
    for run in raw["runs"]:
        edit(run)
        head = run["run"]
        items = raw.get("items", {}).get(head["name"])
        head["content"] = content_of(run, digest(raw["environments"][head["environment"]]), items)
    path.write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")


def refusal(path: Path) -> str:
    """Return what reading a file's folder says; empty where it is taken."""
    try:
        read_published(path.parent)
    except ConfigError as error:
        return str(error)
    return ""


def many(count: int) -> list[Outcome]:
    """Runs of speed as a sweep leaves them, all of one machine."""
    metrics = ("decode_tps", "prefill_tps", "e2e_tps", "ttft", "e2e_latency", "load_seconds")
    items = [measurement(metric, 1.0, samples=(1.0, 1.5, 2.0)) for metric in metrics]
    place = environment(**{f"package-{number}": "1.0" for number in range(50)})
    return [measured(number, items, workload={"batch": number}, place=place) for number in range(count)]


def line(path: Path, begins: str, number: int = 0) -> int:
    """Find the line of the text's NUMBERth line that begins so, counted from 1."""
    found = [at for at, text in enumerate(path.read_text("utf-8").splitlines(), 1) if text.startswith(begins)]
    return found[number]
