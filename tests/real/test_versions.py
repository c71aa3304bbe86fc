"""Two releases of bitsandbytes, measured side by side by a short form of the shipped sweep: the page's eight columns, from what really ran."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.real.environments import beside
from tests.real.machine import RealMachine

pytest.importorskip("optimum_benchmark")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
METHODS, ROUNDS = {"nf4": "NF4"}, 2
HEADERS = [
    "", "Batch Size", "Mean Latency (s) <sub>v0.50.2</sub>", "Throughput <sub>v0.50.2</sub>", "Mean Latency (s) <sub>v0.48.2</sub>",
    "Latency Improvement", "Throughput <sub>v0.48.2</sub>", "Throughput Improvement",
]  # fmt: skip


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> RealMachine:
    shipped = yaml.safe_load((ROOT / "configs" / "sweeps" / "versions-bnb.yaml").read_text("utf-8"))
    pins = yaml.safe_load((ROOT / "configs" / "environments.yaml").read_text("utf-8"))
    folder = tmp_path_factory.mktemp("environments")
    pythons = {name: {"python": str(beside(folder / name, *pins[name]["packages"]))} for name in shipped["environment"]}
    made = RealMachine(tmp_path_factory.mktemp("real"))
    named = {
        name: {"packages": ["onnxruntime-genai"]} for name in ("genai-latest", "genai-0.15")
    }  # by other tables of the file
    (made.configs / "environments.yaml").write_text(yaml.safe_dump({**named, **pythons}), "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")  # threads that wait for one another burn a busy machine
        made.sweep("versions-bnb", **{**shipped, "method": list(METHODS), "rounds": ROUNDS})
        made.run("versions-bnb")
    return made


def outcomes(machine: RealMachine) -> list[dict[str, Any]]:
    """What the timed runs left, in the order in which they began, each with its report."""
    found = []
    for path in (machine.results / "runs").glob("*-s-*/outcome.json"):
        said = json.loads(path.read_text("utf-8"))
        report = json.loads((path.parent / "report" / "benchmark_report.json").read_text("utf-8"))
        found.append({**said, "report": report})
    return sorted(found, key=lambda one: one["started"])


def test_the_environments_differ_in_one_package(machine: RealMachine) -> None:
    held = {one["environment"]["name"]: one["environment"]["packages"] for one in outcomes(machine)}
    new, old = held["bnb"], held["bnb-0.48"]
    assert {name for name in new.keys() | old.keys() if new.get(name) != old.get(name)} == {"bitsandbytes"}
    assert (new["bitsandbytes"], old["bitsandbytes"]) == ("0.50.2", "0.48.2")


def test_rounds_of_the_two_versions_stand_side_by_side(machine: RealMachine) -> None:
    order = [
        (one["job"]["labels"]["method"], one["job"]["round"], one["environment"]["name"]) for one in outcomes(machine)
    ]
    assert len(order) == len(METHODS) * ROUNDS * 2
    for (method, number, one), (same, again, other) in zip(order[::2], order[1::2], strict=True):
        assert (method, number) == (same, again)
        assert {one, other} == {"bnb", "bnb-0.48"}


def test_the_table_has_the_pages_eight_columns_and_its_arithmetic(machine: RealMachine) -> None:
    lines = [line for line in machine.tables("versions")["versions-bnb"].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == HEADERS
    assert [row[:2] for row in cells[2:]] == [[title, "1"] for title in METHODS.values()]
    for row, method in zip(cells[2:], METHODS, strict=True):
        new, fast, old, improved, slow, faster = (re.split(r"[ x<]", cell)[0] for cell in row[2:])
        for text, metric, place, digits in (
            (new, "per_token_latency", "bnb", 4), (old, "per_token_latency", "bnb-0.48", 4),
            (fast, "decode_tps", "bnb", 2), (slow, "decode_tps", "bnb-0.48", 2),
        ):  # fmt: skip
            found = machine.frame({"metric": metric, "slice": "", "method": method, "environment": place}, ["value"])[
                "value"
            ]
            assert len(found) == ROUNDS
            assert min(found) - 10**-digits <= float(text) <= max(found) + 10**-digits
        assert float(improved) == pytest.approx(2 - float(new) / float(old), abs=0.0051)
        assert float(faster) == pytest.approx(float(fast) / float(slow), rel=0.02)


def test_what_was_loaded_is_what_was_promised_and_the_whole_report_is_kept(machine: RealMachine) -> None:
    layers = set()
    for one in outcomes(machine):
        protocol, report = one["protocol"], one["report"]
        assert (protocol["name"], protocol["repetitions"], protocol["warmups"]) == ("bnb-2025-09", 10, 10)
        layers |= {*protocol["facts"]["loaded"]["layers"]}
        assert len(report["per_token"]["latency"]["values"]) > 10 * 63, "its list piled up"
        told = {item["metric"]: item["value"] for item in one["measurements"] if not item.get("slice")}
        assert told["decode_tps"] == pytest.approx(report["decode"]["throughput"]["value"])
        assert told["per_token_latency"] == pytest.approx(report["decode"]["latency"]["mean"] / 63, rel=0.05)
    assert layers == {"nf4"}


def test_a_release_without_support_for_cpus_is_refused_before_anything_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = beside(tmp_path_factory.mktemp("old") / "old", "bitsandbytes==0.44.1")
    other = RealMachine(tmp_path)
    (other.configs / "environments.yaml").write_text(yaml.safe_dump({"old": {"python": str(python)}}), "utf-8")
    other.sweep(
        "old",
        environment="old",
        engine="optimum-benchmark",
        method="nf4",
        probes={"generation": {"protocol": "bnb-2024-12"}},
    )
    said = other.command("plan", "old", "--configs", str(other.configs), "--why")
    assert "bitsandbytes 0.44.1 of environment old needs an NVIDIA GPU" in said.replace("\n", " ")
