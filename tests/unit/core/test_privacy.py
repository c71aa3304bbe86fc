"""What libraries are told to keep to themselves, and sockets that are refused offline."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from harness.core import privacy

ROOT = Path(privacy.__file__).resolve().parents[2]


def test_telemetry_is_switched_off_where_nobody_has_said_otherwise() -> None:
    variables = {"DO_NOT_TRACK": "0"}
    privacy.silence(variables)
    assert variables == {"DO_NOT_TRACK": "0", "ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def test_caches_lie_in_ours_where_nobody_has_placed_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    found = privacy.caches({"TRITON_CACHE_DIR": "/mine"})
    assert set(found) == set(privacy._CACHES) - {"TRITON_CACHE_DIR"}
    assert found["CUDA_CACHE_PATH"] == str(tmp_path / "cuda")
    monkeypatch.delenv("HARNESS_CACHE")
    assert privacy.cache_folder() == ROOT / "results" / "cache"


@pytest.mark.parametrize(("said", "is_offline"), [("1", True), ("0", False), ("", False), (None, False)])
def test_offline_is_said_by_a_variable(monkeypatch: pytest.MonkeyPatch, said: str | None, is_offline: bool) -> None:
    monkeypatch.delenv(privacy.OFFLINE, raising=False)
    if said is not None:
        monkeypatch.setenv(privacy.OFFLINE, said)
    assert privacy.is_offline() is is_offline


@pytest.mark.parametrize(("event", "family"), [
    ("socket.__new__", socket.AF_INET), ("socket.__new__", socket.AF_INET6), ("socket.getaddrinfo", 0), ("socket.gethostbyname", 0),
    ("socket.gethostbyaddr", 0), ("socket.getnameinfo", 0),
])  # fmt: skip
def test_sockets_of_a_network_and_look_ups_are_refused(event: str, family: int) -> None:
    with pytest.raises(OSError, match="works offline") as found:
        privacy._refuse(event, (None, family, 0, 0))
    assert found.value.errno == errno.ENETUNREACH


@pytest.mark.parametrize(
    ("event", "family"), [("socket.__new__", socket.AF_UNIX), ("open", socket.AF_INET), ("socket.bind", socket.AF_INET)]
)
def test_what_needs_no_network_is_not(event: str, family: int) -> None:
    privacy._refuse(event, (None, family, 0, 0))
