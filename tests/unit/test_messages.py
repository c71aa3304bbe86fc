"""What is said to a person, word by word: what it is, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from harness.cli import app
from harness.core.errors import HarnessError
from harness.core.seam import Facts
from harness.engines import ort_genai_opening, torch_loading, transformers
from harness.pages.difference import _table
from harness.pages.guards import Guard, refused
from harness.plan.recipes import _none_fits
from harness.quantizers.graph_check import Graph
from harness.tables.markdown import Rendered
from harness.tables.result import Table

OLD = "| Method | Loss |\n|---|---|\n| A | 1.0 |\n| Average | 2.0 |\n\nA note.\n"


def _rendered(markdown: str) -> Rendered:
    return Rendered("night", markdown, Table("night", "", "table", (), (), ()), keys=1)


def _command(name: str) -> Any:
    return typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]


def explain() -> str:
    return str(_command("explain").help)


def most() -> str:
    (found,) = [one.help for one in _command("report").params if one.name == "max_change"]
    return str(found)


def loose_input() -> str:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not in this environment: harness setup installs it")
    node = onnx.helper.make_node("Relu", ["y"], ["z"], name="n")
    graph = onnx.helper.make_graph([node], "g", [], [onnx.helper.make_tensor_value_info("z", 1, [1])])
    with pytest.raises(HarnessError) as raised:
        Graph(onnx.helper.make_model(graph), "model.onnx").refuse_loose_inputs()
    return str(raised.value)


def only_words() -> str:
    after = OLD.replace("A note", "Another")
    new: Any = SimpleNamespace(rendered={"night": _rendered(after)})
    unused: Any = None
    return _table(unused, new, "night", OLD, after, unused)[-1]


def only_published() -> str:
    method: Any = SimpleNamespace(name="int8", recipes={}, own=False)
    unused: Any = None
    return _none_fits(method, [], "engine 'x'", unused)


def renamed_row() -> str:
    page = f"<!-- table: night -->\n{OLD}<!-- end: night -->\n"
    new = _rendered(OLD.replace("Average", "Mean"))
    (problem,) = refused({Path("a.md"): page}, [new], Guard())
    return problem.message


def no_runtime() -> str:
    return str(ort_genai_opening.refuse(ort_genai_opening.OrtGenaiEngineOptions(), Facts({}, "Linux", name="cpu")))


def no_cuda_runtime() -> str:
    facts = Facts({"onnxruntime-genai": "0.15.2"}, "Linux", ("T4",), name="cuda")
    return str(ort_genai_opening.refuse(ort_genai_opening.OrtGenaiEngineOptions(provider="cuda"), facts))


def no_torch() -> str:
    return str(transformers.refuse(torch_loading.TransformersOptions(), Facts({}, "Linux", name="cpu")))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (explain, "Explain one table cell: arithmetic, runs, samples, recipe, artifact, command, environment, dates."),
        (most, "With --write: refuse changes larger than this, e.g. 5%."),
        (loose_input, "node 'n' of model.onnx uses undefined input 'y'; build the artifact again"),
        (only_words, "No cell changed; only headings, notes, captions or links."),
        (only_published, "method 'int8' is known only from published tables; it has no recipe here"),
        (
            renamed_row,
            "table 'night': row 'Average' became 'Mean' (same cells); add --allow-missing 'night:Average' if that is meant",
        ),
        (no_runtime, "onnxruntime-genai is not installed in environment cpu; `harness setup --env cpu`"),
        (
            no_cuda_runtime,
            "provider cuda: onnxruntime-genai-cuda is not installed in environment cuda; `harness setup --env cuda`",
        ),
        (no_torch, "torch is not installed in environment cpu; `harness setup --env cpu`"),
    ],
)
def test_it_is_said_in_these_words(said: Callable[[], str], words: str) -> None:
    assert said() == words
