"""A sweep against a stored reference on real engines: written once, read by every later candidate, its floors beside each number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.machine import RealMachine

pytestmark = pytest.mark.slow
WORK = {"tokens": 2048, "window": 512, "stride": 256}


def test_a_reference_is_written_once_and_its_floors_stand_beside_every_divergence(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    machine = RealMachine(tmp_path)
    probes = {"kl_divergence": {**WORK, "reference": {"method": "fp32"}}, "perplexity": WORK}
    for name, methods in (("first", ["fp32", "int8"]), ("second", ["int8", {"int4_rtn": "ort-genai"}])):
        machine.sweep(name, engine={"ort-genai": {"threads": 1}}, precision=None, method=methods, probes=probes)
        machine.run(name)
        references = list(machine.results.glob("artifacts/r*/meta.json"))
        stored = [json.loads(path.read_text("utf-8")) for path in references]
        hidden = [one for one in stored if one.get("form") == "hidden"]
        assert len(hidden) == 1
        assert hidden[0]["launches"] == 3
    assert set(hidden[0]["floors"]) == {"head", "storage", "self-noise"}
    assert hidden[0]["floors"]["storage"] < 1e-6
    rows = machine.frame({"metric": "kl_floor"}, ["method", "slice", "value"])
    for method in ("fp32", "int8", "int4_rtn"):
        mine = rows[rows["method"] == method].drop_duplicates()
        said = dict(zip(mine["slice"], mine["value"], strict=True))
        assert 0 <= said.pop("floor:engine") < 1e-6
        assert 0 < said.pop("floor:float32") < 1e-6
        assert said == {f"floor:{name}": value for name, value in hidden[0]["floors"].items()}
    itself, int8 = (machine.value("kl_divergence", method=name, sweep="first") for name in ("fp32", "int8"))
    int4 = machine.value("kl_divergence", method="int4_rtn", sweep="second")
    assert abs(itself) < 1e-6 < 1e-5 < int8 < int4
    notes = [
        note["code"]
        for path in (machine.results / "runs").glob("*/outcome.json")
        if (said := json.loads(path.read_text("utf-8")))["job"]["kind"] == "quality"
        for note in said["notes"]
    ]
    assert notes.count("under-floor") == 1
    assert "implausible" not in notes
    assert not (tmp_path / "groups").exists()
