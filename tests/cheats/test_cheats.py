"""A shelf of adapters that lie, each caught and named by checks that know none of them; and honest ones, of which nothing is said.

An adapter of the shelf is a file in `adapters/` with an `ENGINE`, a `QUANTIZER` or a `PROBE`, the options that a sweep would give it (`OPTIONS`, one
set or more), and `SAYS`: what has to be said of it, as a regular expression. In `untold/` are those that cannot be told from outside, each with
`WHY`; where something is said of one after all, it belongs on the shelf.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from harness.core.registry import load
from harness.engines import ENGINES
from harness.quantizers import QUANTIZERS
from tests.cheats.workbench import Workbench

pytestmark = pytest.mark.alone
"""Clocks are held against each other: a process beside would be taken for a lie."""

SHELF, UNTOLD = (
    sorted(path.stem for path in (Path(__file__).parent / folder).glob("[a-z]*.py"))
    for folder in ("adapters", "untold")
)


def said_of(module: ModuleType, workbench: Workbench) -> str:
    kind = next(kind for kind in ("ENGINE", "QUANTIZER", "PROBE") if hasattr(module, kind))
    return workbench.say_of(getattr(module, kind), f"{module.__name__}:{kind}", getattr(module, "OPTIONS", ({},)))


@pytest.mark.parametrize("name", SHELF)
def test_a_cheat_is_caught_and_named(name: str, workbench: Workbench) -> None:
    module = importlib.import_module(f"tests.cheats.adapters.{name}")
    said = said_of(module, workbench)
    assert re.search(module.SAYS, said), said or "nothing was said"


@pytest.mark.parametrize("name", UNTOLD)
def test_what_cannot_be_told_from_outside_is_listed_with_the_reason(name: str, workbench: Workbench) -> None:
    module = importlib.import_module(f"tests.cheats.untold.{name}")
    assert len(module.WHY.split()) > 20, "say why it cannot be told"
    assert said_of(module, workbench) == "", "it can be told after all: move it to the shelf"


HONEST = [
    *(("engine", name, ENGINES, ({},)) for name in ("fake", "transformers")),
    ("engine", "transformers", ENGINES, ({"dtype": "bfloat16"}, {"dtype": "float16"})),
    ("quantizer", "fake", QUANTIZERS, ({"noise": 0.1}, {"noise": 0.2})),
    (
        "quantizer",
        "modelopt-torch",
        QUANTIZERS,
        ({"config": "INT8_WEIGHT_ONLY_CFG"}, {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32}),
    ),
    ("quantizer", "torch-fp8", QUANTIZERS, ({}, {"activations": False, "dtype": "float16"})),
]


@pytest.mark.parametrize(
    ("what", "name", "registry", "options"), HONEST, ids=[f"{one[1]}-{one[0]}-{len(one[3])}" for one in HONEST]
)
def test_nothing_is_said_of_an_honest_adapter(
    what: str, name: str, registry: dict[str, str], options: tuple[dict[str, object], ...], workbench: Workbench
) -> None:
    assert workbench.say_of(load(registry, what, name), registry[name], options) == ""
