"""Where what is followed comes from: branches, addresses, folders."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import fresh
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from tests.unit.commands.wheels import wheel


def test_a_branch_is_followed_and_a_commit_is_itself(nights: Workspace, tmp_path: Path) -> None:
    repository = tmp_path / "repository"

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    repository.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    one = git("rev-parse", "HEAD")
    address = f"git+file://{repository}"
    assert fresh.resolve(f"{address}@main", nights.root) == fresh.Resolved(f"{address}@{one}", one[:12])
    git("commit", "--quiet", "--allow-empty", "-m", "two")
    assert fresh.resolve(f"{address}@main#subdirectory=x", nights.root).requirement.endswith("#subdirectory=x")
    assert fresh.resolve(f"{address}@main", nights.root).identity != one[:12]
    assert fresh.resolve(f"{address}@{one}", nights.root).identity == one[:12]
    git("branch", "dev/main", one)
    assert fresh.resolve(f"{address}@main", nights.root).identity == git("rev-parse", "--short=12", "main"), (
        "not dev/main"
    )
    git("tag", "-a", "v1", "-m", "one", one)
    assert fresh.resolve(f"{address}@v1", nights.root).identity == one[:12], "the tag's commit, not the tag"
    assert fresh.resolve(f"{address}@{one[:7]}", nights.root).identity == one[:7], "a commit's beginning is one"
    git("branch", "decade1", one)
    assert fresh.resolve(f"{address}@decade1", nights.root).identity == one[:12], "a branch goes before it"
    with pytest.raises(HarnessError, match="it has no branch or tag 'nowhere'"):
        fresh.resolve(f"{address}@nowhere", nights.root)


@pytest.mark.parametrize(
    "address", ["https://TOKEN@127.0.0.1:1/o/r", "ssh://git@127.0.0.1:1/o/r", "https://--upload-pack=x"]
)
def test_a_user_in_an_address_is_no_branch_and_is_not_told(nights: Workspace, address: str) -> None:
    with pytest.raises(HarnessError) as refused:
        fresh.resolve(f"git+{address}@main" if "r" in address[-2:] else f"git+{address}", nights.root)
    assert "TOKEN" not in str(refused.value)


def test_all_that_git_says_is_told(nights: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "sh -c 'echo the key is not known >&2; exit 255'")
    with pytest.raises(
        HarnessError,
        match=r"ssh://host/o/r: the key is not known .*correct access rights and the repository exists\.",
    ):
        fresh.resolve("git+ssh://git@host/o/r@main", nights.root)


def test_a_pattern_may_be_absolute_or_below_the_home_folder(
    nights: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "person" / "dist")
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    assert fresh.resolve(f"{tmp_path}/person/dist/*.whl", nights.root) == fresh.resolve("~/dist/*.whl", nights.root)


class Half(http.server.BaseHTTPRequestHandler):
    content = b""
    whole = True

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith("?chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ffff\r\nonly a little")
            return
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content if self.whole else self.content[: len(self.content) // 2])

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    serving = http.server.HTTPServer(("127.0.0.1", 0), Half)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


def test_a_fetch_that_breaks_off_leaves_nothing_half(nights: Workspace, server: str, tmp_path: Path) -> None:
    path = wheel(tmp_path / "built")
    Half.content, Half.whole = path.read_bytes(), True
    got = fresh.resolve(f"{server}/{path.name}", nights.root)
    assert Path(got.requirement).read_bytes() == Half.content
    quoted = fresh.resolve(f"{server}/tonight-0.45.0.dev0-py3-none-any%2Ewhl", nights.root)
    assert quoted == got
    with pytest.raises(HarnessError, match=r"broke off|cannot be fetched"):
        fresh.resolve(f"{server}/{path.name}?chunked", nights.root)
    flipped = bytearray(Half.content)
    flipped[len(flipped) // 3] ^= 0xFF
    Half.content = bytes(flipped)
    with pytest.raises(HarnessError, match=r"is no wheel|is damaged|says "):
        fresh.resolve(f"{server}/{path.name}", nights.root)
    Half.whole = False
    with pytest.raises(HarnessError, match=r"broke off|cannot be fetched"):
        fresh.resolve(f"{server}/{path.name}", nights.root)
    assert not list((tmp_path / "cache").rglob("*.partial*"))


@pytest.mark.parametrize(
    "address", ["http://ada:secret@127.0.0.1:1/a.whl?signature=hidden", "http://secret@127.0.0.1:1/a.whl"]
)
def test_no_message_repeats_who_fetches_or_a_signature(nights: Workspace, address: str) -> None:
    with pytest.raises(HarnessError, match=r"http://127.0.0.1:1/a.whl cannot be fetched") as refused:
        fresh.resolve(address, nights.root)
    assert not [word for word in ("secret", "ada", "hidden") if word in str(refused.value)]
