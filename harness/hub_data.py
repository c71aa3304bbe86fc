"""Data sets of the model hub: read at a pinned revision, and why one cannot be had, as far as that is known beforehand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, MissingDependency
from harness.core.paths import at_home
from harness.core.privacy import is_offline

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
_SAID = {"1", "on", "yes", "true"}


def load(path: str, config: str | None, revision: str, split: str) -> Any:
    """Read rows of a data set. Raises: MissingDependency without `datasets`; HarnessError where the hub cannot be reached."""
    try:
        import datasets
    except ImportError:
        raise MissingDependency(f"reading '{path}' from the hub needs the package 'datasets'; install it") from None
    try:
        return datasets.load_dataset(path, config, revision=revision, split=split)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise HarnessError(
            f"'{path}' could not be read from the hub ({reason}); give the path of a local copy instead"
        ) from error


def refusal(path: str, packages: Mapping[str, str]) -> str | None:
    """Say why a data set cannot be had by an environment with these packages; None where only asking the hub would tell."""
    if "datasets" not in packages:
        return (
            f"'{path}' comes from the hub, and package datasets is not in this environment: take one that has it, as cpu or cuda "
            "(`harness setup --env cpu`), or give the path of a local copy"
        )
    offline = is_offline() or any(os.environ.get(name, "").lower() in _SAID for name in _OFFLINE)
    if offline and not any(folder.is_dir() for folder in kept(path)):
        return (
            f"'{path}' comes from the hub, which this run may not ask, and no copy of it is on this machine; run once online, "
            "or give the path of a local copy"
        )
    return None


def cache() -> Path:
    """Name the folder into which models and data sets of the hub are downloaded."""
    return at_home(os.environ.get("HF_HUB_CACHE", f"{_home()}/hub"))


def kept(path: str) -> list[Path]:
    """Name the folders in which the libraries of the hub keep a data set."""
    read = at_home(os.environ.get("HF_DATASETS_CACHE", f"{_home()}/datasets"))
    return [cache() / f"datasets--{path.replace('/', '--')}", read / path.replace("/", "___")]


def _home() -> str:
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.environ.get("HF_HOME", f"{caches}/huggingface")
