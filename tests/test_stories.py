"""The stories that `reports/stories.md` prints, as it prints them: its blocks are written and typed in a fresh workspace."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.wheel import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = ROOT / "reports" / "stories.md"
_BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def story(title: str) -> list[tuple[str, str]]:
    """Give the blocks below a heading: name of the file, or nothing for commands, and text."""
    text = PAGE.read_text("utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [(found["name"] or "", found["text"]) for found in _BLOCK.finditer(text)]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@dataclass
class Home:
    """Somebody's repository, in which `harness` is a command."""

    folder: Path
    variables: dict[str, str]

    def type(self, text: str) -> str:
        """Type commands into a shell that ends at the first that fails; what they print."""
        ran = subprocess.run(
            ["/bin/sh", "-ec", text], cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False,
            timeout=400,
        )  # fmt: skip
        if "No matching distribution" in ran.stderr or "Could not fetch" in ran.stderr:
            pytest.skip("no package index can be reached: environments cannot be made")
        assert ran.returncode == 0, f"{text}\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}"
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    def type_and_answer(self, text: str, answer: str) -> str:
        """Type commands at a terminal, where the one question that comes is answered; what they print."""
        ours, theirs = os.openpty()
        with subprocess.Popen(
            ["/bin/sh", "-ec", text], cwd=self.folder, env={**self.variables, "TERM": "dumb"}, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
        ) as shell:  # fmt: skip
            os.close(theirs)
            os.write(ours, f"{answer}\n".encode())
            said = b""
            with suppress(OSError):  # the end of a terminal
                while part := os.read(ours, 1 << 16):
                    said += part
        os.close(ours)
        assert shell.returncode == 0, said[-4000:].decode("utf-8", "replace")
        return said.decode("utf-8", "replace")

    def tell(self, blocks: list[tuple[str, str]], answer: str = "") -> Iterator[str]:
        """Write files and type commands, one block after another; gives what each of the commands printed."""
        for name, text in blocks:
            if name:
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
            else:
                yield self.type_and_answer(text, answer) if answer else self.type(text)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")


@pytest.fixture
def home(tmp_path: Path, installed: Installed) -> Home:
    tools = script(tmp_path / "tools" / "harness", f'exec "{installed.script}" "$@"').parent
    variables = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}} | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1", "COLUMNS": "200",
        "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "a",
        "GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "a@example.com",
    }  # fmt: skip
    made = Home(tmp_path / "theirs", variables)
    made.folder.mkdir()
    made.type("git init --quiet && harness init")
    return made


SPEED = """
import json, pathlib, sys, time
from tabulate import tabulate

rows = [[place, place * place] for place in range(20)]
tabulate(rows)
begun = time.perf_counter()
for _ in range(40):
    tabulate(rows)
speed = 40 / (time.perf_counter() - begun)
pathlib.Path(sys.argv[2], "report.json").write_text(json.dumps({"speed": speed}))
"""
SLOWER = """

def slower(real):
    import time

    return lambda *given, **more: (time.sleep({seconds}), real(*given, **more))[1]


tabulate = slower(tabulate)
"""


def fork(folder: Path, seconds: float) -> None:
    """Build a wheel of a library that is installed here, changed: each call takes longer."""
    released = importlib.metadata.distribution("tabulate")
    version = f"{released.version}.post1.dev0"
    info = f"tabulate-{version}.dist-info"
    found = [file for file in released.files or () if file.suffix == ".py" and file.parts[0] == "tabulate"]
    files = {file.as_posix(): file.read_text() for file in found}
    files["tabulate/__init__.py"] += SLOWER.format(seconds=seconds)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: tabulate\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    told = {name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for name, text in files.items()}
    rows = [f"{name},sha256={told[name].rstrip(b'=').decode()},{len(text.encode())}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"tabulate-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def cells(page: str) -> list[float]:
    """Give the numbers of a page's only row."""
    (row,) = [line for line in page.splitlines() if line.startswith("| INT8")]
    return [float(re.sub(r"[^\d.].*", "", cell.strip().replace(",", ""))) for cell in row.strip("| ").split("|")[1:]]


def test_a_release_and_tonights_wheel_every_night(home: Home) -> None:
    fork(home.folder / "dist", 0.002)
    (home.folder / "my_bench.py").write_text(SPEED, "utf-8")
    (home.folder / "models" / "net").mkdir(parents=True)
    (home.folder / "models" / "net" / "net.bin").write_bytes(b"weights")
    (home.folder / "configs" / "local.yaml").write_text(f"python: {{cpu: '{sys.executable}'}}\n", "utf-8")
    lock = (
        home.folder / "configs" / "locks" / "cpu.txt"
    )  # torch and all that would take minutes, and nothing here needs it
    lock.parent.mkdir()
    lock.write_text(f"filelock=={importlib.metadata.version('filelock')}\n", "utf-8")
    nights = home.tell(story("Tonight's wheel"))
    assert "post1.dev0-py3-none-any.whl" in next(nights)
    first = home.read("benchmarks.md")
    assert "| Method | CPU | tonight |" in first
    release, tonight = cells(first)
    assert tonight < 500 < release, "each call sleeps for 2 ms"
    fork(home.folder / "dist", 0.02)
    told = next(nights)
    assert len(list((home.folder / ".venvs").glob("tonight-*/"))) == 2, "of one version, and two environments"
    assert re.search(r"tabulate[^|]*post1\.dev0@\w+[^|]*post1\.dev0@\w+", told), told
    assert re.search(rf"\| {re.escape(f'{tonight:g}')}[^|]*\| [1-4]\d\.", told), told
    with pytest.raises(StopIteration):
        next(nights)


BENCH = """
import json, pathlib, statistics, sys, time
import numpy, onnxruntime

session = onnxruntime.InferenceSession(next(pathlib.Path(sys.argv[1]).glob("*.onnx")), providers=["CPUExecutionProvider"])
runs = []
for batch in (1, 64):
    x, times = numpy.ones((batch, 256), numpy.float32), []
    for _ in range(30):
        begun = time.perf_counter()
        session.run(None, {"x": x})
        times.append(time.perf_counter() - begun)
    runs.append({"batch": batch, "sps": batch / statistics.median(times)})
pathlib.Path(sys.argv[2], "report.json").write_text(json.dumps({"runs": runs}))
"""


def net(folder: Path, layers: int) -> None:
    """Write a model of matrix products."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True)
    weights = [numpy_helper.from_array(np.eye(256, dtype=np.float32), f"w{place}") for place in range(layers)]
    names = ["x", *(f"h{place}" for place in range(1, layers)), "y"]
    nodes = [helper.make_node("MatMul", [names[place], f"w{place}"], [names[place + 1]]) for place in range(layers)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 256]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "net.onnx")


def test_a_folder_of_onnx_files_and_a_script(home: Home) -> None:
    net(home.folder / "models" / "fp32", 8)
    net(home.folder / "models" / "int8", 4)
    script(home.folder / "venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    (home.folder / "my_bench.py").write_text(BENCH, "utf-8")
    (said,) = home.tell(story("ONNX files"))
    assert "failed" not in said
    page = home.read("docs/page.md")
    rows = [line.split("|")[1:3] for line in page.splitlines() if re.match(r"\| (FP32|INT8) ", line)]
    assert [[part.strip() for part in row] for row in rows] == [
        ["FP32", "1"],
        ["FP32", "64"],
        ["INT8", "1"],
        ["INT8", "64"],
    ]
    assert "unverified: fp32 of net was not held against its model" in page


ZOO = """\
# Our zoo

| Method | Decode (tok/s) | Size (MB) |
| --- | ---: | ---: |
| FP32 | 1,050 | 16.9 |
| INT8 | 2,040 | 9.44 |

Measured on our own machine.
"""


def test_a_page_becomes_data_and_a_measured_row_stands_beside_the_old_ones(home: Home) -> None:
    page = home.folder / "docs" / "zoo.md"
    page.parent.mkdir()
    page.write_text(ZOO, "utf-8")
    (home.folder / "configs" / "local.yaml").write_text(f"python: {{cpu: '{sys.executable}'}}\n", "utf-8")
    adopted, said = home.tell(story("A new row"), answer="y")
    assert "adopted as 'zoo'" in adopted
    assert "table 'zoo' would mix metric_version" in said, "it is asked before ours stands beside theirs"
    lines = page.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[:4] == [line for line in ZOO.splitlines() if line.startswith("|")], "what was there stays as it was"
    assert re.fullmatch(r"\| INT4 RTN <sup>1</sup> \| [\d,]+( <sup>[\d,]+</sup>)? \| 6\.30 \|", rows[4])
    assert len(rows) == 5
    assert any(line.startswith("- <sup>1</sup> Measured here") for line in lines)
    assert "0 of 4 cells changed, 1 row added, 0 removed." in said
    assert "- added: row INT4 RTN" in said
    assert "1 pages checked" in home.type("harness report --check docs/zoo.md")
