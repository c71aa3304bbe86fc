"""What is on record of two places and is not the same: packages, devices, system, threads and harness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.core.outcome import Environment
from harness.store.dimensions import gpu_of
from harness.tables.columns import PACKAGES


def changed_between(sides: Sequence[tuple[str, Environment, Environment]]) -> Iterator[str]:
    """Say what is not what it was, `NAME OLD to NEW`: packages whose version can change a number, then facts, then other packages.

    sides: a word that stands before (none for where it was measured), and the environment before and after. What changed where it was
    measured is told of that place alone.
    """
    for kind in (_leading, _facts, _others):
        found = [(word, text) for word, old, new in sides for text in _differing(kind(old), kind(new))]
        here = {text for word, text in found if not word}
        yield from dict.fromkeys(word + text for word, text in found if not word or text not in here)


def _differing(old: Mapping[str, str | None], new: Mapping[str, str | None]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name) or 'none'} to {new.get(name) or 'none'}"


def _leading(place: Environment) -> dict[str, str | None]:
    return {name: version for name, version in place.packages.items() if name in PACKAGES}


def _facts(place: Environment) -> dict[str, str | None]:
    return {
        "CPU": place.cpu,
        "cores": str(place.cores),
        "GPU": gpu_of(place),
        "driver": place.gpus[0].driver if place.gpus else None,
        "CUDA": place.cuda,
        "system": place.system,
        "python": place.python,
        "harness": place.harness,
        **place.threads,
    }


def _others(place: Environment) -> dict[str, str | None]:
    return {name: version for name, version in place.packages.items() if name not in PACKAGES}
