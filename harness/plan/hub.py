"""Models that a sweep names and that are not in the local hub cache yet: which they are, and how they get there."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.privacy import is_offline
from harness.core.seam import Facts
from harness.plan.entries import Catalogue
from harness.plan.here import other_gpu
from harness.plan.model_folders import hub_folder
from harness.plan.sweep import Case, Sweep

_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.onnx", "*.onnx.data", "*.onnx_data", "*.data")
"""What a model's folder, or a ready artifact's, is read from; weights in other formats stay on the hub."""
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Absent:
    """A model of the hub that is not in the local cache."""

    name: str
    hub: str
    revision: str | None
    gated: bool


Download = Callable[[Absent], None]


def absent_models(sweep: Sweep, catalogue: Catalogue, here: Mapping[str, Facts] | None = None) -> list[Absent]:
    """List the hub's models that a sweep names and that are not in the local cache.

    With `here`, the environments that are on this machine, those alone that a case could read on it: in one of these
    environments, by an engine that does not refuse, and not on a machine with another GPU.
    """
    names: dict[str, None] = {}
    for case in sweep.cases:
        if here is None or _could_run(case, catalogue, here):
            names |= dict.fromkeys(named.name for named in case.models)
    found = (_absent(name, catalogue) for name in names)
    return [one for one in found if one is not None]


def _could_run(case: Case, catalogue: Catalogue, here: Mapping[str, Facts]) -> bool:
    gpus = [catalogue.local.gpu] if catalogue.local.gpu else [gpu for facts in here.values() for gpu in facts.gpus]
    if other_gpu(case, gpus) is not None:
        return False
    pairs = ((engine, places.of(engine.adapter.name)) for places in case.places for engine in case.engines)
    return any(
        place in here and engine.adapter.refuse(engine.record, here[place]) is None for engine, place in pairs if place
    )


def _absent(name: str, catalogue: Catalogue) -> Absent | None:
    entry = catalogue.models[name].entry
    hub, revision = (entry.ready.hub, entry.ready.revision) if entry.ready else (entry.hub, entry.revision)
    files = entry.ready is not None and entry.ready.format == "files"
    if not hub or name in catalogue.local.folders or hub_folder(hub, revision, files=files):
        return None
    return Absent(name, hub, revision, entry.gated)


def fetch_models(absent: Iterable[Absent], say: Callable[[str], None], download: Download | None = None) -> float:
    """Fetch models into the local hub cache, telling of each what it is and how large; return the seconds that took.

    Gated ones are left out, and nothing is asked of the hub where HF_HUB_OFFLINE is set. One that cannot be fetched is told
    with the reason; planning then refuses its jobs with the remedy.
    """
    begun = time.monotonic()
    for model in absent if not offline() else ():
        if model.gated:
            say(f"model {model.name}: {model.hub} asks for an agreement first and is not fetched")
            continue
        try:
            (download or _Hub(say).download)(model)
        except Exception as error:  # network, hub and disk each have errors of their own
            words = str(error).strip().splitlines() or [type(error).__name__]
            say(f"model {model.name}: {model.hub} cannot be fetched: {words[0]}")
    return time.monotonic() - begun


@dataclass(frozen=True)
class _Hub:
    """The hub as `huggingface_hub` speaks to it."""

    say: Callable[[str], None]

    def download(self, model: Absent) -> None:
        """Fetch one snapshot; what was fetched before an interruption is not fetched again."""
        from huggingface_hub import HfApi, snapshot_download

        wanted: dict[str, Any] = {"revision": model.revision}
        info = HfApi().model_info(model.hub, files_metadata=True, **wanted)
        size = sum(file.size or 0 for file in info.siblings or () if _wanted(file.rfilename))
        self.say(f"model {model.name}: fetching {model.hub} ({size / 1e9:.2f} GB) into the local hub cache")
        snapshot_download(model.hub, allow_patterns=list(_FILES), **wanted)


def _wanted(path: str) -> bool:
    from fnmatch import fnmatch

    return any(fnmatch(path, pattern) for pattern in _FILES)


def offline() -> bool:
    """Tell whether HF_HUB_OFFLINE, or a command that was told to work offline, forbids to ask the hub."""
    return is_offline() or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def hub_reachable() -> bool:
    """Tell whether the model hub answers, through a proxy where one is set; HF_HUB_OFFLINE=1 says no without asking."""
    if offline():
        return False
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_TIMEOUT_SECONDS):  # noqa: S310 - the hub's address
            return True
    except urllib.error.HTTPError:
        return True  # an answer, if not a kind one
    except (OSError, ValueError, http.client.HTTPException):
        return False
