"""What our processes keep to themselves: no telemetry, nothing in a person's home, and, offline, no socket at all."""

from __future__ import annotations

import errno
import functools
import os
import random
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from harness.core.paths import at_home

OFFLINE = "HARNESS_OFFLINE"
"""Variable by which `--offline` reaches workers."""
_SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime and onnxruntime-genai; their own switch in Python comes too late
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",  # what other libraries agreed on
}
_CACHES = {
    "CUDA_CACHE_PATH": "cuda",
    "CUPY_CACHE_DIR": "cupy",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
    "TRITON_CACHE_DIR": "triton",
}
"""What libraries compile and keep, by default below the home folder."""
_HUB = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_LOOK_UPS = frozenset(f"socket.{name}" for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo"))


def silence(environ: MutableMapping[str, str]) -> None:
    """Switch off the telemetry of libraries that this process, or one with this environment, may import.

    What a person has set stays. It must stand there before the library is loaded: onnxruntime reads it then.
    """
    for name, value in _SILENT.items():
        environ.setdefault(name, value)


def cache_folder() -> Path:
    """Name the folder of what can be fetched or made again: HARNESS_CACHE, else `results/cache` of the project."""
    said = os.environ.get("HARNESS_CACHE")
    return at_home(said) if said else Path(__file__).resolve().parents[2] / "results" / "cache"


def caches(environ: Mapping[str, str]) -> dict[str, str]:
    """Name places in our own cache for what libraries would else keep in the home folder, where nobody has set them."""
    return {name: str(cache_folder() / part) for name, part in _CACHES.items() if name not in environ}


def go_offline() -> None:
    """Allow this process and the workers it starts no connection, and libraries no question to a hub."""
    os.environ.update(dict.fromkeys((OFFLINE, *_HUB), "1"))
    forbid_sockets()


def is_offline() -> bool:
    """Tell whether this process was started for work without a network."""
    return os.environ.get(OFFLINE) == "1"


def forbid_sockets() -> None:
    """Refuse network sockets and name look-ups of Python code, for the rest of this process.

    Source: PEP 578. `uuid.uuid1` is told a random node, since it would ask a socket for the network card's address.
    """
    import uuid

    node = random.SystemRandom().getrandbits(48) | 1 << 40  # the multicast bit: no card's own address (RFC 4122, 4.5)
    uuid.uuid1 = functools.partial(uuid.uuid1, node)
    sys.addaudithook(_refuse)


def _refuse(event: str, given: tuple[Any, ...]) -> None:
    if event in _LOOK_UPS or (event == "socket.__new__" and given[1] in _network_families()):
        raise OSError(
            errno.ENETUNREACH, "this process works offline (--offline); run without it to fetch what is missing"
        )


@functools.cache
def _network_families() -> frozenset[int]:
    import socket

    return frozenset({socket.AF_INET, socket.AF_INET6})
