from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import hub_data
from harness.core import privacy
from harness.executors.process import variables
from harness.installing import pip_variables

OFFLINE = """
import socket, uuid
from harness.core.privacy import forbid_sockets
forbid_sockets()
for ask in (lambda: socket.socket(), lambda: socket.socket(socket.AF_INET6), lambda: socket.getaddrinfo("a.example", 1),
            lambda: socket.gethostbyname("a.example"), lambda: socket.create_connection(("127.0.0.1", 1))):
    try:
        ask()
        raise SystemExit("a socket was opened")
    except OSError as error:
        assert "--offline" in str(error), error
socket.socketpair()
first, second = uuid.uuid1(), uuid.uuid1()
assert first != second and first.version == 1 and first.node >> 40 & 1, first
"""


def test_workers_are_started_with_telemetry_off_and_caches_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    monkeypatch.setenv("HARNESS_CACHE", "/elsewhere")
    monkeypatch.setenv("MPLCONFIGDIR", "/mine")
    given = variables({})
    assert given["ORT_DISABLE_TELEMETRY"] == "1"
    assert Path(given["TRITON_CACHE_DIR"]) == Path("/elsewhere/triton")
    assert given["MPLCONFIGDIR"] == "/mine", "what a person has set stays"


def test_importing_the_package_switches_telemetry_off_before_a_runtime_can_be_imported() -> None:
    code = "import os, harness; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])"
    clean = {"PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    assert said.stdout.split() == ["1", "1"]


def test_offline_python_code_opens_no_network_socket_and_names_no_network_card() -> None:
    ran = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_our_cache_is_the_projects_own_unless_a_person_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    assert privacy.cache_folder() == Path(__file__).parents[2] / "results" / "cache"
    monkeypatch.setenv("HARNESS_CACHE", "~/mine")
    assert privacy.cache_folder() == Path.home() / "mine"


def test_the_hub_cache_lies_where_the_hubs_own_library_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert hub_data.cache() == Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert hub_data.cache() == Path("/x/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "/h")
    assert hub_data.cache() == Path("/h/hub")


def test_pip_makes_no_cache_in_a_home_that_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    assert "pip-cache" in pip_variables(tmp_path)["PIP_CACHE_DIR"]
    (tmp_path / ".cache" / "pip").mkdir(parents=True)
    assert "PIP_CACHE_DIR" not in pip_variables(tmp_path)
