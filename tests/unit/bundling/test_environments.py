"""An environment made of a bundle's wheels without a network, on top of this interpreter's own packages; by the pip that travels."""

from __future__ import annotations

import ensurepip
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.bundling import stages
from harness.bundling.packing import libraries
from harness.bundling.records import Manifest, PackedEnvironment, Refused
from harness.bundling.stages import MADE, held_by, make_environment, not_as_made, version_of
from harness.bundling.target import check_machine
from tests.unit.bundling.test_wheels import wheel

PLACE = PackedEnvironment("theirs", ("alpha==1.0",), ("beta-2.0-py3-none-any.whl",))


def manifest(**more: object) -> Manifest:
    known: dict[str, object] = {
        "harness": "0", "python": "3.11", "exact": False, "machine": "x86_64", "glibc": "", "own": True, "has": {}, "environments": (PLACE,),
        "stages": (), "folders": {}, "bytes": 0, "scripts": (), "pieces": (), "files": (),
    }  # fmt: skip
    return Manifest(**{**known, **more})  # type: ignore[arg-type]


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Wheels of two small packages, and a real pip."""
    folder = tmp_path / "content" / "wheels"
    folder.mkdir(parents=True)
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copyfile(pip, folder / pip.name)
    wheel(folder, "alpha", "1.0")
    wheel(folder, "beta", "2.0")
    return folder.parent


def seen(python: Path, *names: str) -> list[str]:
    code = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    return subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_it_holds_the_wheels_and_sees_what_the_machine_has_or_nothing_of_it_and_is_made_anew_where_it_was_not_made_to_its_end(
    content: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alpha = content / "wheels" / "alpha-1.0-py3-none-any.whl"
    whole = alpha.read_bytes()
    alpha.write_bytes(whole[:100])
    with pytest.raises(Refused, match="then the same command goes on"):
        make_environment(PLACE, manifest(own=False), content, tmp_path)
    half = tmp_path / "env-theirs" / "bin" / "python"
    found = subprocess.run([str(half), "-c", "import pydantic"], capture_output=True, check=False)
    assert found.returncode == 1, "of the machine's own packages it sees none"
    alpha.write_bytes(whole)
    capsys.readouterr()
    python = make_environment(PLACE, manifest(has={"pydantic": "0.1", "numpy": ""}), content, tmp_path)
    assert seen(python, "alpha", "beta", "pydantic") == ["1.0", "2.0", version_of("pydantic")]
    said = capsys.readouterr().out
    assert f"this machine's pydantic {version_of('pydantic')} stands in the place of 0.1" in said
    assert "numpy" not in said
    assert make_environment(PLACE, manifest(), content, tmp_path) == python
    assert "installing" not in capsys.readouterr().out, "it is made once"
    (module,) = (tmp_path / "env-theirs").rglob("beta*/METADATA")
    module.unlink()
    assert seen(make_environment(PLACE, manifest(), content, tmp_path), "alpha", "beta") == ["1.0", "2.0"]
    assert capsys.readouterr().out.count("making it anew") == 1


def test_an_environment_that_was_broken_by_hand_is_noticed(content: Path, tmp_path: Path) -> None:
    folder = tmp_path / "env-theirs"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/*/site-packages")
    for path in (content / "wheels").glob("[ab]*.whl"):
        zipfile.ZipFile(path).extractall(site)
    python = folder / "bin" / "python"
    held, why = held_by(python, PLACE)
    assert (held, why) == ({"alpha": "1.0", "beta": "2.0"}, "")
    wanted: list[object] = ["as asked"]
    (folder / MADE).write_text(json.dumps({"wanted": wanted, "held": held}), "utf-8")
    assert not_as_made(PLACE, folder, wanted) == ""
    assert "from other wheels" in not_as_made(PLACE, folder, ["another"])
    (metadata,) = site.glob("alpha*/METADATA")
    metadata.write_text(metadata.read_text("utf-8").replace("1.0", "1.1"), "utf-8")
    assert not_as_made(PLACE, folder, wanted) == "holds alpha 1.1 and should hold 1.0"
    shutil.rmtree(metadata.parent)
    assert "alpha" in not_as_made(PLACE, folder, wanted)
    python.unlink()
    assert "no Python that starts" in not_as_made(PLACE, folder, wanted)
    (folder / MADE).write_text("", "utf-8")
    assert not_as_made(PLACE, folder, wanted) == "was not made to its end"


def test_a_step_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LIMIT_SECONDS", 0.2)
    with pytest.raises(Refused, match="this step took longer than"):
        stages._step([sys.executable, "-c", "import time; time.sleep(60)"])


def test_libraries_of_cuda_that_the_machine_has_are_found_from_an_environment_on_top_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cublas", "cudnn"):
        (tmp_path / "nvidia" / name / "lib").mkdir(parents=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/before")
    assert libraries([str(tmp_path)]) == f"{tmp_path}/nvidia/cublas/lib:{tmp_path}/nvidia/cudnn/lib:/before"
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert libraries([str(tmp_path / "none")]) == ""


def test_a_machine_that_is_another_one_is_told() -> None:
    check_machine(manifest())
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    check_machine(manifest(python=here, exact=True, glibc="2.17", has={"pydantic": ""}))
    for more, said in (
        ({"python": "3.99"}, r"needs Python 3\.99 or newer"),
        ({"python": "3.2", "exact": True}, r"needs Python 3\.2; this is"),
        ({"machine": "riscv64"}, "is for Linux on riscv64"),
        ({"glibc": "2.999"}, r"needs glibc 2\.999 or newer"),
        ({"has": {"no-such-package-of-ours": "1"}}, "lacks no-such-package-of-ours"),
    ):
        with pytest.raises(Refused, match=said):
            check_machine(manifest(**more))
