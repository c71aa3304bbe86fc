"""Tables over several environments: those that a reader can see at the cells may hang on different packages."""

from __future__ import annotations

import re
import site
import sys
import venv
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.environment_state import python_in
from harness.reference import model_folder
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.conftest import ROOT, Say
from tests.fake_machine import Bench
from tests.tiny_model import write_model
from tests.unit.tables.frames import CATALOGUE, frame, row

VERSIONS = {"e1": {"onnxruntime": "1.31.1"}, "e2": {"onnxruntime": "1.32.0"}, "e3": {"onnxruntime": "1.33.0"}}
CELLS = "cells: {Decode: {metric: decode_tps, format: 0}}"
OLD = row("decode_tps", 10.0, environment="cpu", environment_id="e1")
NEW = row("decode_tps", 20.0, environment="genai-latest", environment_id="e2")


@pytest.mark.parametrize("keyed", ["rows: [environment, method]", "rows: [method]\n  pivot: environment",
                                   "rows: [method]\n  each: environment"])  # fmt: skip
def test_environments_that_are_seen_at_the_cells_may_differ_in_packages(tmp_path: Path, keyed: str) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(f"speed:\n  {keyed}\n  {CELLS}\n", "utf-8")
    (spec,) = read_specs(path)
    made = build(spec, frame(OLD, NEW), CATALOGUE, packages=VERSIONS.__getitem__)
    assert {cell.text for section in made.sections for line in section.rows for cell in line} >= {"10", "20"}
    later = row("decode_tps", 30.0, method="int8", environment="genai-latest", environment_id="e3")
    with pytest.raises(ConfigError, match=r"would mix environment\.onnxruntime: 1\.32\.0, 1\.33\.0"):
        build(spec, frame(OLD, NEW, later), CATALOGUE, packages=VERSIONS.__getitem__)


NIGHTS = {
    "e1": {"mylib": "1.0", "rich": "14"},
    "e2": {"mylib": "1.1.dev0@aaaaaaaaaaaa", "rich": "14", "quant-harness": "0.1@cccccccccccc"},
    "e3": {"mylib": "1.1.dev0@bbbbbbbbbbbb", "rich": "14"},
}


def test_what_a_wheel_file_brought_is_told_of_every_environment_and_two_nights_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(f"speed:\n  rows: [environment, method]\n  {CELLS}\n", "utf-8")
    (spec,) = read_specs(path)
    made = build(spec, frame(OLD, NEW), CATALOGUE, packages=NIGHTS.__getitem__)
    (told,) = [line for line in made.caption if line.startswith("Configuration")]
    assert "mylib 1.0;" in told
    assert "mylib 1.1.dev0@aaaaaaaaaaaa" in told
    assert "rich" not in told
    assert "quant-harness" not in told
    later = row("decode_tps", 30.0, method="int8", environment="genai-latest", environment_id="e3")
    with pytest.raises(ConfigError, match=r"would mix environment\.mylib: 1\.1\.dev0@aaaa"):
        build(spec, frame(OLD, NEW, later), CATALOGUE, packages=NIGHTS.__getitem__)


def test_the_library_that_made_an_artifact_and_runs_it_is_told_and_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(f"speed:\n  rows: [method]\n  {CELLS}\n", "utf-8")
    (spec,) = read_specs(path)
    versions = {"e1": {"bitsandbytes": "0.50.2"}, "e2": {"bitsandbytes": "0.49.0"}}
    one, two = ({"engine": "transformers", "environment_id": name} for name in versions)
    made = row("decode_tps", 10.0, method="nf4", recipe="bitsandbytes", **one)
    told = build(
        spec,
        frame(made, row("decode_tps", 20.0, method="bf16", recipe="source", **two)),
        CATALOGUE,
        packages=versions.__getitem__,
    )
    assert [line for line in told.caption if "bitsandbytes 0.50.2" in line]
    assert not [line for line in told.caption if "bitsandbytes 0.49.0" in line]
    both = frame(made, row("decode_tps", 20.0, method="int8", recipe="bitsandbytes", **two))
    with pytest.raises(ConfigError, match=r"would mix environment\.bitsandbytes: 0\.49\.0, 0\.50\.2"):
        build(spec, both, CATALOGUE, packages=versions.__getitem__)


def other_python(folder: Path) -> Path:
    """Make an environment with all that this one has, but another torch by name."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.rglob("site-packages")
    lines = [*site.getsitepackages(), *(path for path in sys.path if path)]
    (packages / "more.pth").write_text("\n".join(lines) + "\n", "utf-8")
    (packages / "torch-99.0.dist-info").mkdir()
    (packages / "torch-99.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 99.0\n", "utf-8")
    return python_in(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_over_two_environments_ends_in_plain_tables(bench: Bench, say: Say, tmp_path: Path) -> None:
    bench.model(write_model(tmp_path / "tiny"))
    bench.methods({"fp32": {"recipes": {"source": {"dtype": "float32"}}}})
    other = {"python": str(other_python(tmp_path / "v"))}
    bench._write("environments.yaml", {"here": {"python": sys.executable}, "there": other})
    probes = {"perplexity": {"window": 64, "stride": 32, "tokens": 128, "text": str(bench.text)}}
    bench.sweep(method="fp32", engine="transformers", environment=["here", "there"], probes=probes, verify=False)
    said = say(bench, "run", "s")
    assert said.code == 0, said.err
    assert "no table" not in said.out
    lines = [line for line in said.out.splitlines() if line.startswith("| toy")]
    told = ["here" if "| here |" in line else "there" for line in lines if "here |" in line]
    assert told == ["here", "there"] * 2, "the numbers, and the verifications that were left out"
    assert "torch 99.0" in said.out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_real_versions_of_genai_end_in_one_table(bench: Bench, say: Say) -> None:
    """The environment `genai-latest`, where `harness setup --env genai-latest` made it."""
    newest = python_in(ROOT / ".venvs" / "genai-latest")
    if not newest.exists():
        pytest.skip("no environment genai-latest here; `harness setup --env genai-latest` makes it")
    bench.model(model_folder())
    bench.methods({"int4": {"recipes": {"ort-genai": {"precision": "int4"}}}})
    environments = {"cpu": {"python": sys.executable}, "genai-latest": {"python": str(newest)}}
    bench._write("environments.yaml", environments)
    probes = {
        "perplexity": {"window": 64, "stride": 32, "tokens": 128, "text": str(bench.text)},
        "generation": {"prompt": 8, "output": 8, "warmup": 1, "repetitions": 2},
    }
    bench.sweep(method="int4", engine="ort-genai", environment=[*environments], probes=probes)
    said = say(bench, "run", "s")
    assert said.code == 0, said.err
    assert "no table" not in said.out
    rows = [line for line in said.out.splitlines() if line.startswith("| toy")]
    for name in environments:
        assert any(f"| {name} |" in line for line in rows), said.out
    versions = set(bench.frame({"metric": "perplexity"}, ["environment", "environment_id"]).environment)
    assert versions == set(environments)
    assert len(re.findall(r"onnxruntime-genai (\d+\.\d+\.\d+)", said.out)) >= 2, "both versions stand below the table"
