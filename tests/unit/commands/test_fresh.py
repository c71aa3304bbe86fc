"""An environment that follows a wheel: found out before each run, made beside the last one, and the last one kept where it fails."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest

from harness import environment_state, environments, programs
from harness.commands import fresh
from harness.commands.bench import prepare
from harness.commands.init import make_workspace
from harness.commands.machine import checked_sweep, setup_on_top
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.environment_state import MARKER
from harness.environments import folder_of
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import EnvironmentEntry
from tests.unit.commands.wheels import entry, wheel


def test_another_wheel_of_the_same_version_is_another_environment(nights: Workspace) -> None:
    said: list[str] = []
    path = wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    first = folder_of("nightly", nights.root)
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    assert folder_of("nightly", nights.root) == first
    assert len(said) == 1
    wheel(nights.root / "dist", code="x = 2\n")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    second = folder_of("nightly", nights.root)
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
def test_what_cannot_be_had_leaves_the_last_one_in_use_and_says_so(
    nights: Workspace, break_it: object, why: str
) -> None:
    said: list[str] = []
    path = wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    last = folder_of("nightly", nights.root)
    break_it(path)  # type: ignore[operator]
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    assert folder_of("nightly", nights.root) == last
    assert last is not None
    assert why in said[-1]
    assert f"{last.name} stays in use" in said[-1]


def test_the_home_of_nobody_is_told_and_no_bug(nights: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        HarnessError,
        match=r"environment nightly cannot be made: wheel '~nouser/x.whl': no home folder is known for '~nouser'; write",
    ):
        fresh.refresh(entry("~nouser/x.whl"), nights, print)
    with pytest.raises(
        HarnessError, match=r"environment 'nightly': wheel '~nouser/x.whl': no home folder is known for '~nouser'"
    ):
        setup_on_top("nightly", EnvironmentEntry(on="cpu", wheel="~nouser/x.whl"), nights)
    with pytest.raises(HarnessError, match="no home folder is known for '~nouser'"):
        list(make_workspace(Path("~nouser/w")))
    assert programs.filled("echo ~nouser", {})[1] == "~nouser", "a word of a command as any other"


def test_a_sweep_without_tonights_environment_says_so_and_does_not_end_well(nights: Workspace) -> None:
    lacking: list[str] = []
    (nights.root / "configs" / "environments.yaml").write_text(
        "nightly: {on: cpu, wheel: dist/*.whl, refresh: each-run}\n", "utf-8"
    )
    (nights.root / "configs" / "sweeps" / "s.yaml").write_text(
        "{model: reference, method: fp32, environment: nightly, engine: ort-genai, probes: {perplexity: {tokens: 4000}}}",
        "utf-8",
    )
    prepare(checked_sweep("s", nights), print, lacking=lacking)
    assert len(lacking) == 1
    assert "environment nightly cannot be made" in lacking[0]


def test_a_pattern_without_refresh_is_refused_with_what_it_needs(nights: Workspace) -> None:
    with pytest.raises(HarnessError, match=r"there is no file dist/\*\.whl; a pattern needs `refresh: each-run`"):
        setup_on_top("nightly", EnvironmentEntry(on="cpu", wheel="dist/*.whl"), nights)


def test_the_last_one_of_another_wheel_is_said_to_be_that(nights: Workspace) -> None:
    said: list[str] = []
    wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    first = folder_of("nightly", nights.root)
    assert first is not None
    fresh.refresh(entry("other/*.whl"), nights, said.append)
    assert said[-1] == (
        f"environment nightly is not refreshed (there is no wheel other/*.whl); {first.name} stays in use, as it was, although it was made of "
        "another `wheel`"
    )
    assert folder_of("nightly", nights.root) == first


def test_without_a_last_one_it_is_an_error(nights: Workspace) -> None:
    with pytest.raises(HarnessError, match=r"environment nightly cannot be made: there is no wheel dist"):
        fresh.refresh(entry("dist/*.whl"), nights, print)


def test_offline_nothing_is_asked(nights: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    fresh.refresh(entry("https://example.com/x.whl"), nights, said.append)
    assert "this command works offline" in said[-1]


def test_offline_a_wheel_that_is_installed_already_is_used_and_another_is_named(
    nights: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    first = folder_of("nightly", nights.root)
    wheel(nights.root / "dist", code="x = 2\n")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    wheel(nights.root / "dist")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    assert folder_of("nightly", nights.root) == first, "its bytes are those of the first night"
    assert len(said) == 3
    wheel(nights.root / "dist", code="x = 3\n")
    fresh.refresh(entry("dist/*.whl"), nights, said.append)
    assert "and dist/*.whl is not installed yet; run the same once without --offline" in said[-1]
    fresh.refresh(entry("git+https://me:secret@host/a/b@main"), nights, said.append)
    assert "and https://host/a/b@main has to be asked for; run the same once" in said[-1]
    assert "secret" not in said[-1]


def test_all_environments_are_tried_before_one_that_cannot_be_made_is_told(nights: Workspace) -> None:
    wheel(nights.root / "dist")
    entries = {"gone": EnvironmentEntry(wheel="none/*.whl", refresh="each-run"), **entry("dist/*.whl")}
    with pytest.raises(HarnessError, match=r"environment gone cannot be made: there is no wheel none"):
        fresh.refresh(entries, nights, lambda line: None)
    assert folder_of("nightly", nights.root) is not None


def test_clean_leaves_the_last_ones(nights: Workspace) -> None:
    for number in range(5):
        wheel(nights.root / "dist", code=f"x = {number}\n")
        fresh.refresh(entry("dist/*.whl"), nights, lambda line: None)
        time.sleep(0.02)
    there = sorted(path.name for path in (nights.root / ".venvs").glob("nightly-*/"))
    assert len(there) == 5
    current = folder_of("nightly", nights.root)
    half = nights.root / ".venvs" / "nightly-0123456789ab"
    half.mkdir()
    (half / environment_state.MAKING).touch()
    for name, marked in (("nightly-00000000000a", True), ("nightly-00000000000b", False)):  # a `clean` was killed
        gone = half.with_name(f"{name}{environments.GONE}")
        gone.mkdir()
        if marked:
            (gone / MARKER).write_text(json.dumps({"name": "nightly"}), "utf-8")
    said = list(fresh.clean(nights, keep=2))
    assert sum("environment" in line for line in said) == 6
    assert sum("wheel" in line for line in said) == 3
    left = list((nights.root / ".venvs").glob("nightly-*/"))
    assert current in left
    assert len(left) == 2


def test_a_catalogue_says_what_is_followed(nights: Workspace) -> None:
    path = nights.root / "configs" / "environments.yaml"
    path.write_text("nightly: {on: cpu, wheel: dist/*.whl, refresh: each-run}\n", "utf-8")
    assert load_catalogue(nights.configs).environments["nightly"].refresh == "each-run"
    path.write_text("nightly: {on: cpu, packages: [a==1], refresh: each-run}\n", "utf-8")
    with pytest.raises(HarnessError, match="has nothing to refresh"):
        load_catalogue(nights.configs)
    assert environments.place_of("nightly", nights.root) == nights.root / ".venvs" / "nightly"
