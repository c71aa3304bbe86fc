"""Every registered quantizer: what it promises is what lies in its folder, twice the same, and its words are the job's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.core.registry import load
from harness.core.seam import Quantizer
from harness.quantizers import QUANTIZERS
from harness.quantizers.artifact_check import check_folder
from tests.contract.cases import QUANTIZER_CASES, QuantizerCase
from tests.contract.mutations import found_by
from tests.contract.serving import Bench, Served


@pytest.fixture(scope="module", params=list(QUANTIZER_CASES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def case(name: str) -> QuantizerCase:
    return QUANTIZER_CASES[name]


@pytest.fixture(scope="module")
def built(name: str, case: QuantizerCase, contract_bench: Bench) -> Served:
    return contract_bench.build(name, case)


def test_it_makes_what_it_promises(name: str, built: Served) -> None:
    quantizer: Quantizer = load(QUANTIZERS, "quantizer", name)
    assert built.outcome.status == "ok", built.outcome.reason
    made = built.outcome.artifact
    assert made is not None
    assert made.format == quantizer.produces
    check_folder(built.out, made.format)
    assert all(kind and count > 0 for kind, count in made.layers.items())
    assert json.dumps(made.facts)
    assert [note for note in built.outcome.notes if note.code == "implausible"] == []
    assert all(note.code and note.text.strip() and "\n" not in note.text for note in built.outcome.notes)
    assert {one.metric for one in built.outcome.measurements} >= {"artifact_bytes", "build_seconds"}


def test_a_second_build_has_the_same_bytes_but_for_files_that_are_named(
    name: str, case: QuantizerCase, built: Served, contract_bench: Bench
) -> None:
    again = contract_bench.build(name, case, "-again")
    one, other = built.files(), again.files()
    assert one
    assert {file for file in one.keys() | other.keys() if one.get(file) != other.get(file)} == set(case.differs)


def test_one_layer_back_in_floats_is_found(case: QuantizerCase, built: Served, tmp_path: Path) -> None:
    made = built.outcome.artifact
    assert made is not None
    if case.floats is None:
        assert not any("int" in kind or "float8" in kind or "sparse" in kind for kind in made.layers), "it quantizes"
        return
    folder = tmp_path / "a"
    shutil.copytree(built.out, folder)
    sparse = "2:4 sparse" in made.layers
    assert found_by(folder, made.format, made.layers, sparse) == ""
    case.floats(folder)
    assert found_by(folder, made.format, made.layers, sparse)


def test_whatever_it_prints_is_in_the_jobs_log(
    name: str, case: QuantizerCase, contract_bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    served = contract_bench.build(name, case, "-heard")
    heard = capfd.readouterr()
    assert (heard.out, heard.err) == ("", "")
    if name == "command":
        assert "words of a script" in served.log
