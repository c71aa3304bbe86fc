"""A branch of the hub is looked up once; the commit is kept, taken from then on, and never followed silently."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.core.errors import ConfigError
from harness.plan.catalogue import load_catalogue
from harness.plan.hub_commits import lock_models, sha_of
from harness.plan.models_lock import FILE, read_lock
from harness.plan.sources import find

ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    models = {
        "moves": {"hub": "a/moves"}, "branch": {"hub": "a/branch", "revision": "dev"}, "fixed": {"hub": "a/fixed", "revision": ONE},
        "here": {"folder": "/nowhere"}, "made": {"ready": {"hub": "a/ready", "method": "m", "of": "moves"}},
    }  # fmt: skip
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(models, sort_keys=False), "utf-8")
    (tmp_path / "methods.yaml").write_text("m: {title: M}\n", "utf-8")
    (tmp_path / "environments.yaml").write_text("e: {packages: [a==1]}\n", "utf-8")
    return tmp_path


def asked(folder: Path, answer: str | None) -> list[str]:
    said: list[str] = []
    lock_models(load_catalogue(folder).models.values(), folder, said.append, lambda hub, branch: answer)
    return said


def test_a_branch_is_looked_up_once_and_its_commit_taken_from_then_on(folder: Path) -> None:
    assert asked(folder, ONE) == [
        f"model moves: main of a/moves is {ONE[:12]}, kept in {FILE}",
        f"model branch: dev of a/branch is {ONE[:12]}, kept in {FILE}",
        f"model made: main of a/ready is {ONE[:12]}, kept in {FILE}",
    ]
    models = load_catalogue(folder).models
    assert models["moves"].entry.revision == models["branch"].entry.revision == ONE
    assert models["made"].entry.ready is not None
    assert models["made"].entry.ready.revision == ONE
    assert asked(folder, ONE) == [], "nothing is said twice"


def test_a_branch_that_moved_is_told_and_not_followed(folder: Path) -> None:
    asked(folder, ONE)
    before = (folder / FILE).read_text("utf-8")
    said = asked(folder, TWO)
    assert said[0] == (
        f"model moves: main of a/moves has moved to {TWO[:12]}; {FILE} keeps {ONE[:12]}, take its line out to follow"
    )
    assert (folder / FILE).read_text("utf-8") == before
    lines = [line for line in before.splitlines(keepends=True) if not line.startswith("a/moves")]
    (folder / FILE).write_text("".join(lines), "utf-8")
    asked(folder, TWO)
    assert read_lock(folder)["a/moves", "main"] == TWO
    assert read_lock(folder)["a/branch", "dev"] == ONE


def test_without_the_hub_its_local_cache_says_what_will_be_read_and_else_nothing_is_written(folder: Path) -> None:
    assert asked(folder, None) == []
    assert not (folder / FILE).exists()
    reference = folder / "cache" / "models--a--moves" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    reference.write_text(TWO, "utf-8")
    asked(folder, None)
    assert read_lock(folder) == {("a/moves", "main"): TWO}


def test_the_key_of_a_model_that_is_not_here_holds_its_commit(folder: Path) -> None:
    from harness.plan.yamlfile import Mistakes

    before = find("moves", load_catalogue(folder), Mistakes()).identity
    asked(folder, ONE)
    assert find("moves", load_catalogue(folder), Mistakes()).identity == f"absent:moves@{ONE}" != before


def test_a_line_that_is_none_is_told_with_its_place(folder: Path) -> None:
    (folder / FILE).write_text(f"# said\na/moves main {ONE}\na/moves main abc\n", "utf-8")
    with pytest.raises(ConfigError, match=r"models\.lock:3: is not HUB-ID BRANCH COMMIT"):
        load_catalogue(folder)


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/api/models/a/moves/revision/main": {"sha": ONE}, "/api/models/a/odd/revision/x%2Fy": {"sha": 7}}
        found = known.get(self.path)
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    serving = http.server.HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{serving.server_port}")
    yield
    serving.shutdown()
    serving.server_close()


@pytest.mark.usefixtures("hub")
def test_the_hub_is_asked_as_its_api_says() -> None:
    assert sha_of("a/moves", "main") == ONE
    assert sha_of("a/gone", "main") is None
    assert sha_of("a/odd", "x/y") is None


def test_a_branch_that_is_locked_twice_is_a_mistake_with_both_lines(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(f"a/b main {ONE}\na/b dev {ONE}\n# merged\na/b main {TWO}\n", "utf-8")
    with pytest.raises(
        ConfigError,
        match=r"models\.lock:4: 'main' of a/b is locked twice, here and in line 1; take one of the lines out",
    ):
        read_lock(tmp_path)
