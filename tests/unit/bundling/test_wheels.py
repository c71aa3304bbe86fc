"""Wheels for another machine, chosen and fetched by pip itself, from an index of small packages in a folder."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from harness.bundling.wheels import RUNNER, Machine, _tried, fetch, machine, needed
from harness.commands.workspace import Workspace, read_workspace
from harness.core.errors import HarnessError
from harness.plan.catalogue import load_catalogue
from tests.conftest import ROOT

THERE = Machine("3.12", "manylinux_2_28_x86_64")
LINUX = "cp312-cp312-manylinux_2_17_x86_64"
BACKEND = """
import zipfile
TAG = {tag!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "plain-1.0-" + TAG + ".whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        archive.writestr("plain-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: plain\\nVersion: 1.0\\n")
        archive.writestr("plain-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: " + TAG + "\\n")
        archive.writestr("plain-1.0.dist-info/RECORD", "")
    return name
"""


def wheel(index: Path, name: str, version: str, *needs: str, tag: str = "py3-none-any") -> None:
    """Put a package into the index."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    asked = "".join(f"Requires-Dist: {one}\n" for one in needs)
    asked += "".join(f"Provides-Extra: {extra}\n" for one in needs for extra in re.findall(r'extra == "(\w+)"', one))
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{asked}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    told = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        for path, text in files.items()
    }
    rows = [f"{path},sha256={told[path].decode()},{len(text)}" for path, text in files.items()]
    with zipfile.ZipFile(index / f"{name.replace('-', '_')}-{version}-{tag}.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""])}.items():
            archive.writestr(path, text)


def source(index: Path, tag: str) -> None:
    """Put a package into the index that has no wheel; what is built of it has this tag."""
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: plain\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(tag=tag),
    }
    with tarfile.open(index / "plain-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"plain-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of what the harness itself needs, pip, and an environment that asks for more on Python 3.12."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in RUNNER:
        wheel(folder, name, _tried(name).removeprefix("=="))
    wheel(folder, "pip", "99.0")
    wheel(
        folder,
        "alpha",
        "1.0",
        'gamma>=1; python_version >= "3.12"',
        "torchlike==2.0",
        "numpy",
        'extra>1; extra == "more"',
        tag=LINUX,
    )
    wheel(folder, "gamma", "1.5")
    wheel(folder, "torchlike", "2.0", "part==1.0", "numpy", "kit[blas]==1.0", tag=LINUX)
    wheel(folder, "kit", "1.0", 'blaslike==1.0; extra == "blas"', 'fftlike; extra == "fft"')
    wheel(folder, "blaslike", "1.0", tag=LINUX)
    wheel(folder, "slice", "1.0", tag=LINUX)
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_CACHE_DIR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return folder


def workspace(tmp_path: Path, entry: dict[str, object], lock: str = "") -> Workspace:
    (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "configs" / "locks").mkdir(parents=True)
    (tmp_path / "configs" / "environments.yaml").write_text(yaml.safe_dump({"theirs": entry}), "utf-8")
    (tmp_path / "configs" / "locks" / "theirs.txt").write_text(lock, "utf-8")
    return read_workspace(tmp_path)


@pytest.mark.slow
def test_versions_are_those_of_the_other_python_and_what_the_machine_has_stays_there(
    index: Path, tmp_path: Path
) -> None:
    there = workspace(tmp_path, {"packages": ["alpha==1.0"]})
    found = needed("theirs", load_catalogue(there.configs), there, THERE, ["torchlike"])
    assert set(found.pins) == {"alpha", "gamma", *RUNNER}, "neither what the machine has nor what only that needs"
    assert found.pins["gamma"] == "1.5"
    assert found.has == {"torchlike": "2.0"}
    folder = tmp_path / "wheels"
    folder.mkdir()
    names = {path.name.split("-")[0] for path in fetch(found.pins, THERE, folder)}
    assert names == {name.replace("-", "_") for name in found.pins} | {"pip"}


@pytest.mark.slow
def test_a_lock_file_is_taken_as_it_is_and_a_package_without_a_wheel_is_built_where_it_is_plain(
    index: Path, tmp_path: Path
) -> None:
    pins = [f"{name}{_tried(name)}" for name in RUNNER]
    there = workspace(tmp_path, {"lock": "locks/theirs.txt"}, "\n".join([*pins, "plain==1.0  # no wheel"]))
    found = needed("theirs", load_catalogue(there.configs), there, THERE, [])
    assert found.requirements == tuple(sorted([*pins, "plain==1.0"]))
    for tag, folder in (("py3-none-any", tmp_path / "one"), ("cp311-cp311-linux_riscv64", tmp_path / "two")):
        source(index, tag)
        folder.mkdir()
        if tag.endswith("any"):
            assert "plain-1.0-py3-none-any.whl" in {path.name for path in fetch({"plain": "1.0"}, THERE, folder)}
        else:
            with pytest.raises(HarnessError, match="can only be built there"):
                fetch({"plain": "1.0"}, THERE, folder)


def test_what_cannot_be_had_is_told_before_anything_is_fetched(index: Path, tmp_path: Path) -> None:
    there = workspace(tmp_path, {"packages": ["alpha==7.0"]})
    catalogue = load_catalogue(there.configs)
    with pytest.raises(HarnessError, match=r"finding versions: .*alpha==7\.0"):
        needed("theirs", catalogue, there, THERE, [])
    for entry, said in (
        ({"python": "/usr/bin/python3"}, "`--has all` leaves them to the machine"),
        (
            {"on": "cpu", "wheel": "git+https://example.org/a@main"},
            "build its wheel for that machine and name the file",
        ),
        ({"lock": "locks/none.txt"}, "environment theirs has no lock file"),
    ):
        (tmp_path / "configs" / "environments.yaml").write_text(yaml.safe_dump({"theirs": entry}), "utf-8")
        with pytest.raises(HarnessError, match=re.escape(said)):
            needed("theirs", load_catalogue([there.configs[0], there.configs[1]]), there, THERE, [])


@pytest.mark.slow
def test_a_wheel_file_of_an_environment_replaces_what_is_locked_and_is_held_against_the_other_machine(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    there = workspace(tmp_path, {"on": "cpu", "wheel": "dist/*.whl"})
    (tmp_path / "dist").mkdir()
    wheel(tmp_path / "dist", "onnx", "1.22.0.dev1", "gamma>=1", tag=LINUX)
    catalogue = load_catalogue(there.configs)
    found = needed("theirs", catalogue, there, THERE, [])
    assert [path.name for path in found.wheels] == [f"onnx-1.22.0.dev1-{LINUX}.whl"]
    assert "onnx" not in found.pins
    assert found.pins["gamma"] == "1.5", "what it needs and no lock file has comes, too"
    assert "onnxruntime" in found.pins
    with pytest.raises(HarnessError, match=r"is for cp312 .* and that machine's Python takes cp313"):
        needed("theirs", catalogue, there, Machine("3.13", THERE.platform), [])


def test_a_machine_is_described_as_pip_knows_it() -> None:
    assert (THERE.architecture, THERE.glibc) == ("x86_64", "2.28")
    assert {"manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"} <= set(THERE.tags)
    assert "manylinux_2_31_x86_64" not in THERE.tags
    for python, platform in (
        ("3.10", "manylinux_2_28_x86_64"),
        ("three", "manylinux_2_28_x86_64"),
        ("3.12", "win_amd64"),
    ):
        with pytest.raises(HarnessError, match=r"write it as|needs 3\.11"):
            machine(python, platform)


def test_a_bundle_brings_all_that_the_harness_needs_but_what_only_exports_and_fetching_do() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[^a-z0-9-]", one)[0] for one in asked}
    assert names - set(RUNNER) == {"pyarrow", "huggingface-hub"}
    assert set(RUNNER) <= names
