"""Which releases of bitsandbytes compute on a CPU, and what is said of those that do not."""

from __future__ import annotations

import importlib.metadata

import pytest

from harness.core.bitsandbytes_versions import computes_on_cpus, needs_a_gpu
from harness.core.errors import MissingDependency
from harness.core.linear_layers import import_bitsandbytes


@pytest.mark.parametrize(("version", "does"), [
    ("0.44.1", False), ("0.45.5", False), ("0.45.0.dev", False), ("0.46.0", True), ("0.50.2", True), ("1.0", True), ("main", True),
])  # fmt: skip
def test_releases_since_0_46_compute_on_a_cpu(version: str, does: bool) -> None:
    assert computes_on_cpus(version) is does
    assert (needs_a_gpu(version) is None) is does


def test_one_without_support_for_cpus_is_told_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.44.1" if name == "bitsandbytes" else "")
    with pytest.raises(
        MissingDependency, match=r"bitsandbytes 0.44.1 needs an NVIDIA GPU; since 0.46 .* `harness setup --env bnb`"
    ):
        import_bitsandbytes("cpu")
