"""What releases of bitsandbytes can do."""

from __future__ import annotations

import re

CPU_SINCE = (0, 46)
"""First release that quantizes and computes on a CPU: tried, 0.45.5 says that CUDA is required, and 0.46.0 does both."""


def computes_on_cpus(version: str) -> bool:
    """Tell by its version whether a bitsandbytes needs no GPU; one that cannot be read is taken for a new one."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is None or tuple(map(int, found.groups())) >= CPU_SINCE


def needs_a_gpu(version: str, where: str = "") -> str | None:
    """Say why a bitsandbytes does nothing on a CPU, and which environment has one that does; None where it does."""
    if computes_on_cpus(version):
        return None
    since = ".".join(map(str, CPU_SINCE))
    return f"bitsandbytes {version}{where} needs an NVIDIA GPU; since {since} it computes on a CPU, too: take environment bnb, which `harness setup --env bnb` makes"
