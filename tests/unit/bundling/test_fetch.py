"""What a sweep needs of a network is fetched, told thing by thing, and never half there; from a hub of our own on this machine."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.bundling.fetching import fetch
from harness.commands.workspace import read_workspace
from harness.core.errors import ConfigError
from harness.plan.model_folders import hub_folder
from tests.conftest import ROOT
from tests.fake_machine import Bench

COMMIT, HUB = "3" * 40, "somebody/toy"
_PARTS = {
    f"model-0000{number}-of-00002.safetensors": b"\x02" + bytes(7) + b"{}" + bytes([number]) * 400_000
    for number in (1, 2)
}
FILES = {
    "config.json": b'{"model_type": "llama", "vocab_size": 257}',
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {f"w{number}": name for number, name in enumerate(_PARTS)}}
    ).encode(),
    **_PARTS,
}


class Hub(http.server.ThreadingHTTPServer):
    """Serves one model as the hub does; while `stuck`, its last file stops in the middle."""

    stuck = False
    asked: list[str]


class Answers(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        if path == f"/api/models/{HUB}/revision/{COMMIT}":
            listed = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            self._send(json.dumps({"id": HUB, "sha": COMMIT, "siblings": listed}).encode(), "application/json")
        elif path.startswith(f"/{HUB}/resolve/{COMMIT}/") and (name := path.rsplit("/", 1)[-1]) in FILES:
            self._send(FILES[name], "application/octet-stream", stuck=self.server.stuck and name == list(_PARTS)[-1])
        else:
            self._send(b"", "text/plain", 200 if path == "/" else 404)

    def _send(self, data: bytes, kind: str, status: int = 200, *, stuck: bool = False) -> None:
        begin = int(self.headers["Range"].split("=")[1].split("-")[0]) if "Range" in self.headers else 0
        self.send_response(206 if begin else status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data) - begin), "ETag": f'"{hash(data)}"', "X-Repo-Commit": COMMIT,
                            "Accept-Ranges": "bytes"}.items():  # fmt: skip
            self.send_header(name, value)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "GET":
            part = data[begin:]
            self.wfile.write(part[: len(part) // 2] if stuck else part)
            self.wfile.flush()
            until = time.monotonic() + 300
            while stuck and self.server.stuck and time.monotonic() < until:
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), Answers)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.stuck = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def theirs(bench: Bench) -> Bench:
    root = bench.configs.parent
    (root / "harness.yaml").write_text("version: 1\n", "utf-8")
    (bench.configs / "models.yaml").write_text(yaml.safe_dump({"toy": {"hub": HUB, "revision": COMMIT}}), "utf-8")
    bench.sweep(method="fp32", probes={"perplexity": {"window": 64, "stride": 32, "tokens": 256}})
    return bench


def start(bench: Bench, hub: Hub, *words: str, **more: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HARNESS_"))}
    variables = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "HF_HOME": str(bench.configs.parent / "hf"),
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        **more,
    }
    command = [sys.executable, "-m", "harness", "--workspace", str(bench.configs.parent), *words]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    monkeypatch.setenv("HF_HUB_CACHE", str(bench.configs.parent / "hf" / "hub"))
    return hub_folder(HUB, COMMIT)


@pytest.mark.slow
def test_a_fetch_that_is_killed_leaves_nothing_half_and_the_same_command_goes_on(
    theirs: Bench, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.stuck = True
    first = start(theirs, hub, "fetch", "s")
    there = theirs.configs.parent / "hf" / "hub" / f"models--{HUB.replace('/', '--')}"
    until = time.monotonic() + 300
    while time.monotonic() < until and not (
        (there / "snapshots" / COMMIT / "config.json").is_file()
        and list(there.glob(f"snapshots/*/{next(iter(_PARTS))}"))
        and list(there.glob("blobs/*.incomplete"))
    ):
        time.sleep(0.02)
    first.kill()
    first.communicate()
    assert (there / "snapshots" / COMMIT / "config.json").is_file()
    assert folder(theirs, monkeypatch) is None, "a part of the weights is no model"
    hub.stuck = False
    said, _ = (again := start(theirs, hub, "fetch", "s")).communicate(timeout=120)
    assert again.returncode == 0
    assert f"model toy: fetched, 0.8 MB, from the hub, {HUB}" in said
    assert "environment here: here already" in said
    assert "2 things, all here" in said
    found = folder(theirs, monkeypatch)
    assert found is not None
    assert {path.name: path.read_bytes() for path in found.iterdir()} == FILES
    hub.asked.clear()
    third = start(theirs, hub, "fetch", "s", HF_HUB_OFFLINE="1")
    assert "model toy: here already, 0.8 MB" in third.communicate(timeout=120)[0]
    assert third.returncode == 0
    assert not hub.asked, "a compute node needs no hub any more"


@pytest.mark.slow
def test_what_cannot_be_had_is_told_thing_by_thing_and_the_code_is_1(theirs: Bench, hub: Hub) -> None:
    models = {"toy": {"hub": HUB, "revision": COMMIT}, "gone": {"hub": "somebody/gone", "revision": "4" * 40}}
    (theirs.configs / "models.yaml").write_text(yaml.safe_dump(models), "utf-8")
    lacking = {"here": {"python": sys.executable}, "none": {"lock": "locks/none.txt"}}
    (theirs.configs / "environments.yaml").write_text(yaml.safe_dump(lacking), "utf-8")
    theirs.sweep(
        model=["toy", "gone"],
        method="fp32",
        environment=["here", "none"],
        probes={"perplexity": {"window": 64, "stride": 32, "tokens": 256}},
    )
    ran = start(theirs, hub, "fetch", "s")
    said, trouble = ran.communicate(timeout=240)
    assert ran.returncode == 1, trouble
    assert "environment none: NOT HERE, from the package index: no lock file configs/locks/none.txt" in said
    assert "model gone: NOT HERE, from the hub, somebody/gone: model gone: somebody/gone cannot be fetched: " in said
    assert f"model toy: fetched, 0.8 MB, from the hub, {HUB}" in said
    assert "4 things, 2 of them not here" in said


def test_a_sweep_that_cannot_be_read_fetches_nothing(theirs: Bench) -> None:
    theirs.sweep(method="fp33")
    said: list[str] = []
    with pytest.raises(ConfigError, match="unknown method 'fp33'"):
        fetch("s", read_workspace(theirs.configs.parent), said.append)
    assert not said
