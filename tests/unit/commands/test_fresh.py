"""An environment that follows a wheel: found out before each run, made beside the last one, and the last one kept where it fails."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from harness import environment_state, environments, programs
from harness.commands import fresh
from harness.commands.bench import prepare
from harness.commands.init import make_workspace
from harness.commands.machine import setup_on_top
from harness.commands.workspace import Workspace, here
from harness.core.errors import HarnessError
from harness.environment_state import MARKER
from harness.environments import folder_of
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import EnvironmentEntry

INFO = "tonight-{}.dist-info"


def wheel(folder: Path, version: str = "0.45.0.dev0", inside: str = "", code: str = "x = 1\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tonight-{version}-py3-none-any.whl"
    files = {
        "tonight/__init__.py": code,
        f"{INFO.format(version)}/METADATA": f"Metadata-Version: 2.1\nName: tonight\nVersion: {inside or version}\n",
        f"{INFO.format(version)}/WHEEL": "Wheel-Version: 1.0\n",
    }
    return zipped(path, files, version)


def zipped(
    path: Path, files: dict[str, str], version: str = "0.45.0.dev0", record: dict[str, str] | None = None
) -> Path:
    """Write a wheel of files; record: what its RECORD says of other contents."""
    rows = [f"{name},sha256={hashed(text)},{len(text)}" for name, text in (files if record is None else record).items()]
    name = f"{INFO.format(version)}/RECORD"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, name: "\n".join([*rows, f"{name},,", ""])}.items():
            archive.writestr(member, text)
    return path


def hashed(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which making an environment only writes what would be installed."""
    list(make_workspace(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_OFFLINE", raising=False)

    def made(name: str, *, root: Path, place: Path, wheels: tuple[str, ...], **given: object) -> Path:
        if not place.exists():
            (place / "bin").mkdir(parents=True)
            (place / "bin" / "python").touch()
            (place / MARKER).write_text(json.dumps({"name": name, "wheels": "\n".join(wheels)}), "utf-8")
        return place

    monkeypatch.setattr(fresh, "setup", made)
    return here(start=tmp_path / "home")


def entry(what: str) -> dict[str, EnvironmentEntry]:
    return {"nightly": EnvironmentEntry(on="cpu", wheel=what, refresh="each-run")}


def test_another_wheel_of_the_same_version_is_another_environment(home: Workspace) -> None:
    said: list[str] = []
    path = wheel(home.root / "dist")
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    first = folder_of("nightly", home.root)
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    assert folder_of("nightly", home.root) == first
    assert len(said) == 1
    wheel(home.root / "dist", code="x = 2\n")
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    second = folder_of("nightly", home.root)
    assert first is not None
    assert second not in (None, first)
    assert first.exists(), "last night's stays"
    kept = json.loads((first / MARKER).read_text("utf-8"))["wheels"]
    assert zipfile.ZipFile(kept).read("tonight/__init__.py") == b"x = 1\n", (
        "what was installed did not change underneath"
    )
    assert path.name in said[-1]


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda path: path.unlink(), "there is no wheel dist"),
        (lambda path: path.write_bytes(b"no zip"), "is no wheel"),
        (
            lambda path: wheel(path.parent, inside="0.44.1"),
            "says tonight 0.45.0.dev0 in its name and tonight 0.44.1 inside",
        ),
    ],
    ids=["gone", "no zip", "lying"],
)
def test_what_cannot_be_had_leaves_the_last_one_in_use_and_says_so(home: Workspace, break_it: object, why: str) -> None:
    said: list[str] = []
    path = wheel(home.root / "dist")
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    last = folder_of("nightly", home.root)
    break_it(path)  # type: ignore[operator]
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    assert folder_of("nightly", home.root) == last
    assert last is not None
    assert why in said[-1]
    assert f"{last.name} stays in use" in said[-1]


NOTES = {
    f"{INFO.format('0.45.0.dev0')}/METADATA": "Metadata-Version: 2.1\nName: tonight\nVersion: 0.45.0.dev0\n",
    f"{INFO.format('0.45.0.dev0')}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
}
CODE = {"tonight/__init__.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("files", "record", "why"),
    [
        ({"tonight/__init__.py": "x = 2\n", **NOTES}, {**CODE, **NOTES}, "tonight/__init__.py is not what its RECORD says"),
        ({**CODE, "tonight/more.py": "", **NOTES}, {**CODE, **NOTES}, "its RECORD has no hash of tonight/more.py"),
        (NOTES, {**CODE, **NOTES}, "its RECORD lists tonight/__init__.py, which is not in it"),
        ({**CODE, **NOTES, "other-1.0.dist-info/METADATA": ""}, None, r"has 2 folders \*\.dist-info"),
        ({**CODE, **dict([next(iter(NOTES.items()))])}, None, "lacks .*/WHEEL"),
        ({**CODE, **NOTES, f"{INFO.format('0.45.0.dev0')}/WHEEL": "Tag: cp311-cp311-win_amd64\n"}, None, "says py3-none-any in its name and cp311-cp311-win_amd64 inside"),
        ({**CODE, **NOTES, "../../evil.py": ""}, None, r"would write '\.\./\.\./evil.py', outside"),
        ({**CODE, **NOTES, "/etc/evil": ""}, None, "would write '/etc/evil', outside"),
    ],
    ids=["changed", "more", "fewer", "two infos", "no WHEEL", "another machine", "climbs", "absolute"],
)  # fmt: skip
def test_a_wheel_that_contradicts_itself_is_refused_by_name(
    home: Workspace, files: dict[str, str], record: dict[str, str] | None, why: str
) -> None:
    path = home.root / "dist" / "tonight-0.45.0.dev0-py3-none-any.whl"
    path.parent.mkdir()
    zipped(path, {**CODE, **NOTES})
    assert fresh.resolve("dist/*.whl", home.root).identity.startswith(path.name)
    zipped(path, files, record=record)
    for taken in (
        lambda: fresh.resolve("dist/*.whl", home.root),
        lambda: setup_on_top("n", EnvironmentEntry(on="cpu", wheel=f"dist/{path.name}"), home),
    ):
        with pytest.raises(HarnessError, match=f"{path.name}.*{why}"):
            taken()


def test_a_wheel_whose_notes_are_of_another_version_is_refused(home: Workspace) -> None:
    path = wheel(home.root / "dist", version="0.44.1", inside="0.45.0.dev0")
    path.rename(path.with_name("tonight-0.45.0.dev0-py3-none-any.whl"))
    with pytest.raises(HarnessError, match=r"says tonight 0\.45\.0\.dev0 in its name and tonight 0\.44\.1 inside"):
        fresh.resolve("dist/*.whl", home.root)


def test_a_folder_with_signs_of_patterns_in_its_name_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, mine = tmp_path / "br [1] *", tmp_path / "me [2]"
    here = wheel(root / "dist")
    there = wheel(mine / "dist", code="x = 2\n")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(mine))
    monkeypatch.setenv("BUILDS", str(mine / "dist"))
    kept = {
        asked: Path(fresh.resolve(asked, root).requirement).read_bytes()
        for asked in ("dist/*.whl", "~/dist/t*.whl", "$BUILDS/*.whl", str(here))
    }
    assert kept["dist/*.whl"] == kept[str(here)] == here.read_bytes()
    assert kept["~/dist/t*.whl"] == kept["$BUILDS/*.whl"] == there.read_bytes()


def test_the_home_of_nobody_is_told_and_no_bug(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        HarnessError,
        match=r"environment nightly cannot be made: wheel '~nouser/x.whl': no home folder is known for '~nouser'; write",
    ):
        fresh.refresh(entry("~nouser/x.whl"), home, print)
    with pytest.raises(
        HarnessError, match=r"environment 'nightly': wheel '~nouser/x.whl': no home folder is known for '~nouser'"
    ):
        setup_on_top("nightly", EnvironmentEntry(on="cpu", wheel="~nouser/x.whl"), home)
    with pytest.raises(HarnessError, match="no home folder is known for '~nouser'"):
        list(make_workspace(Path("~nouser/w")))
    assert programs.filled("echo ~nouser", {})[1] == "~nouser", "a word of a command as any other"


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        (f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-{next(sys_tags()).platform}", True),
        ("py2.py3-none-any", True),
        ("cp38-cp38-win32", False),
        ("cp313-cp313t-manylinux_2_28_s390x", False),
    ],
)
def test_a_wheel_for_another_python_or_machine_is_told_before_anything_is_made(
    home: Workspace, tag: str, fits: bool
) -> None:
    path = wheel(home.root / "dist")
    path.rename(path.with_name(f"tonight-0.45.0.dev0-{tag}.whl"))
    if fits:
        assert fresh.resolve("dist/*.whl", home.root).identity.startswith(f"tonight-0.45.0.dev0-{tag}.whl")
        return
    python, abi, machine = tag.split("-")
    with pytest.raises(
        HarnessError, match=rf"is for {python} \({abi}\) on {machine}, and this machine's Python takes cp3"
    ):
        fresh.resolve("dist/*.whl", home.root)


def test_a_sweep_without_tonights_environment_says_so_and_does_not_end_well(home: Workspace) -> None:
    lacking: list[str] = []
    (home.root / "configs" / "environments.yaml").write_text(
        "nightly: {on: cpu, wheel: dist/*.whl, refresh: each-run}\n", "utf-8"
    )
    (home.root / "configs" / "sweeps" / "s.yaml").write_text(
        "{model: reference, method: fp32, environment: nightly, engine: ort-genai, probes: {perplexity: {tokens: 4000}}}",
        "utf-8",
    )
    prepare("s", print, home, lacking=lacking)
    assert len(lacking) == 1
    assert "environment nightly cannot be made" in lacking[0]


def test_a_pattern_without_refresh_is_refused_with_what_it_needs(home: Workspace) -> None:
    with pytest.raises(HarnessError, match=r"there is no file dist/\*\.whl; a pattern needs `refresh: each-run`"):
        setup_on_top("nightly", EnvironmentEntry(on="cpu", wheel="dist/*.whl"), home)


def test_the_last_one_of_another_wheel_is_said_to_be_that(home: Workspace) -> None:
    said: list[str] = []
    wheel(home.root / "dist")
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    first = folder_of("nightly", home.root)
    assert first is not None
    fresh.refresh(entry("other/*.whl"), home, said.append)
    assert said[-1] == (
        f"environment nightly is not refreshed (there is no wheel other/*.whl); {first.name} stays in use, as it was, although it was made of "
        "another `wheel`"
    )
    assert folder_of("nightly", home.root) == first


def test_without_a_last_one_it_is_an_error(home: Workspace) -> None:
    with pytest.raises(HarnessError, match=r"environment nightly cannot be made: there is no wheel dist"):
        fresh.refresh(entry("dist/*.whl"), home, print)


def test_offline_nothing_is_asked(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    wheel(home.root / "dist")
    fresh.refresh(entry("dist/*.whl"), home, said.append)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    fresh.refresh(entry("https://example.com/x.whl"), home, said.append)
    assert "this command works offline" in said[-1]


def test_a_branch_is_followed_and_a_commit_is_itself(home: Workspace, tmp_path: Path) -> None:
    repository = tmp_path / "repository"

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    repository.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    one = git("rev-parse", "HEAD")
    address = f"git+file://{repository}"
    assert fresh.resolve(f"{address}@main", home.root) == fresh.Resolved(f"{address}@{one}", one[:12])
    git("commit", "--quiet", "--allow-empty", "-m", "two")
    assert fresh.resolve(f"{address}@main#subdirectory=x", home.root).requirement.endswith("#subdirectory=x")
    assert fresh.resolve(f"{address}@main", home.root).identity != one[:12]
    assert fresh.resolve(f"{address}@{one}", home.root).identity == one[:12]
    git("branch", "dev/main", one)
    assert fresh.resolve(f"{address}@main", home.root).identity == git("rev-parse", "--short=12", "main"), (
        "not dev/main"
    )
    git("tag", "-a", "v1", "-m", "one", one)
    assert fresh.resolve(f"{address}@v1", home.root).identity == one[:12], "the tag's commit, not the tag"
    assert fresh.resolve(f"{address}@{one[:7]}", home.root).identity == one[:7], "a commit's beginning is one"
    git("branch", "decade1", one)
    assert fresh.resolve(f"{address}@decade1", home.root).identity == one[:12], "a branch goes before it"
    with pytest.raises(HarnessError, match="it has no branch or tag 'nowhere'"):
        fresh.resolve(f"{address}@nowhere", home.root)


@pytest.mark.parametrize(
    "address", ["https://TOKEN@127.0.0.1:1/o/r", "ssh://git@127.0.0.1:1/o/r", "https://--upload-pack=x"]
)
def test_a_user_in_an_address_is_no_branch_and_is_not_told(home: Workspace, address: str) -> None:
    with pytest.raises(HarnessError) as refused:
        fresh.resolve(f"git+{address}@main" if "r" in address[-2:] else f"git+{address}", home.root)
    assert "TOKEN" not in str(refused.value)


def test_all_that_git_says_is_told(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "sh -c 'echo the key is not known >&2; exit 255'")
    with pytest.raises(
        HarnessError,
        match=r"ssh://host/o/r: the key is not known .*correct access rights and the repository exists\.",
    ):
        fresh.resolve("git+ssh://git@host/o/r@main", home.root)


def test_all_environments_are_tried_before_one_that_cannot_be_made_is_told(home: Workspace) -> None:
    wheel(home.root / "dist")
    entries = {"gone": EnvironmentEntry(wheel="none/*.whl", refresh="each-run"), **entry("dist/*.whl")}
    with pytest.raises(HarnessError, match=r"environment gone cannot be made: there is no wheel none"):
        fresh.refresh(entries, home, lambda line: None)
    assert folder_of("nightly", home.root) is not None


def test_a_pattern_may_be_absolute_or_below_the_home_folder(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "person" / "dist")
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    assert fresh.resolve(f"{tmp_path}/person/dist/*.whl", home.root) == fresh.resolve("~/dist/*.whl", home.root)


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


def test_a_fetch_that_breaks_off_leaves_nothing_half(home: Workspace, server: str, tmp_path: Path) -> None:
    path = wheel(tmp_path / "built")
    Half.content, Half.whole = path.read_bytes(), True
    got = fresh.resolve(f"{server}/{path.name}", home.root)
    assert Path(got.requirement).read_bytes() == Half.content
    quoted = fresh.resolve(f"{server}/tonight-0.45.0.dev0-py3-none-any%2Ewhl", home.root)
    assert quoted == got
    with pytest.raises(HarnessError, match=r"broke off|cannot be fetched"):
        fresh.resolve(f"{server}/{path.name}?chunked", home.root)
    flipped = bytearray(Half.content)
    flipped[len(flipped) // 3] ^= 0xFF
    Half.content = bytes(flipped)
    with pytest.raises(HarnessError, match=r"is no wheel|is damaged|says "):
        fresh.resolve(f"{server}/{path.name}", home.root)
    Half.whole = False
    with pytest.raises(HarnessError, match=r"broke off|cannot be fetched"):
        fresh.resolve(f"{server}/{path.name}", home.root)
    assert not list((tmp_path / "cache").rglob("*.partial*"))


def test_clean_leaves_the_last_ones(home: Workspace) -> None:
    for number in range(5):
        wheel(home.root / "dist", code=f"x = {number}\n")
        fresh.refresh(entry("dist/*.whl"), home, lambda line: None)
        time.sleep(0.02)
    there = sorted(path.name for path in (home.root / ".venvs").glob("nightly-*/"))
    assert len(there) == 5
    current = folder_of("nightly", home.root)
    half = home.root / ".venvs" / "nightly-0123456789ab"
    half.mkdir()
    (half / environment_state.MAKING).touch()
    for name, marked in (("nightly-00000000000a", True), ("nightly-00000000000b", False)):  # a `clean` was killed
        gone = half.with_name(f"{name}{environments.GONE}")
        gone.mkdir()
        if marked:
            (gone / MARKER).write_text(json.dumps({"name": "nightly"}), "utf-8")
    said = list(fresh.clean(home, keep=2))
    assert sum("environment" in line for line in said) == 6
    assert sum("wheel" in line for line in said) == 3
    left = list((home.root / ".venvs").glob("nightly-*/"))
    assert current in left
    assert len(left) == 2


def test_a_wheel_file_that_is_installed_is_told_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import host

    found = []
    for name, record in (("a", "tonight/x.py,sha256=1,1\n../../bin/t,sha256=7,1\n"), ("b", "tonight/x.py,sha256=2,1\n"),
                         ("c", "../../bin/t,sha256=8,1\ntonight/x.py,sha256=1,1\nx/direct_url.json,sha256=5,1\n")):  # fmt: skip
        info = tmp_path / name / "tonight-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tonight\nVersion: 1.0\n", "utf-8")
        (info / "direct_url.json").write_text('{"url": "file:///x.whl", "archive_info": {}}', "utf-8")
        (info / "RECORD").write_text(record, "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path / name))
        found.append(host.packages()["tonight"])
        monkeypatch.undo()
    assert found[0] == found[2] != found[1]
    assert found[0].startswith("1.0@")


def test_a_catalogue_says_what_is_followed(home: Workspace) -> None:
    path = home.root / "configs" / "environments.yaml"
    path.write_text("nightly: {on: cpu, wheel: dist/*.whl, refresh: each-run}\n", "utf-8")
    assert load_catalogue(home.configs).environments["nightly"].refresh == "each-run"
    path.write_text("nightly: {on: cpu, packages: [a==1], refresh: each-run}\n", "utf-8")
    with pytest.raises(HarnessError, match="has nothing to refresh"):
        load_catalogue(home.configs)
    assert environments.place_of("nightly", home.root) == home.root / ".venvs" / "nightly"
