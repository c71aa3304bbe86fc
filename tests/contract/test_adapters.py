"""What every registered adapter keeps to, whatever it does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.core.capabilities import CAPABILITIES, lacking
from harness.core.errors import MissingDependency
from harness.core.metric import metric
from harness.core.options import problems_of, validated
from harness.core.registry import load
from harness.core.seam import Engine, Facts, Probe, Quantizer
from harness.engines import ENGINES
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS
from tests.conftest import ROOT
from tests.contract.cases import ENGINE_CASES, NOT_HERE, PROBE_CASES, QUANTIZER_CASES

HEAVY = (
    "torch",
    "transformers",
    "onnxruntime",
    "onnxruntime_genai",
    "onnx",
    "modelopt",
    "lm_eval",
    "numpy",
    "pandas",
    "sqlalchemy",
    "yaml",
)
ALL = [
    (what, name, registry)
    for what, registry in (("quantizer", QUANTIZERS), ("engine", ENGINES), ("probe", PROBES))
    for name in registry
]
MODULES = (
    "torch",
    "transformers",
    "onnxruntime_genai",
    "onnxruntime_genai.models.builder",
    "modelopt",
    "modelopt.onnx.quantization.int4",
)
"""What quantizers import first."""
_LEAST = {"bitsandbytes": {"load_in_4bit": True}, "modelopt-diffusers": {"config": "INT8_DEFAULT_CFG"}}
"""Options of those that are listed as not run here."""
NOWHERE = Facts(packages={}, system="Linux")


@pytest.mark.parametrize(("what", "name", "registry"), ALL, ids=lambda value: value if isinstance(value, str) else "")
def test_an_adapter_is_named_as_its_row(what: str, name: str, registry: dict[str, str]) -> None:
    adapter = load(registry, what, name)
    assert adapter.name == name
    assert adapter.version >= 1
    assert isinstance(adapter, {"quantizer": Quantizer, "engine": Engine, "probe": Probe}[what])


@pytest.mark.parametrize("registry", [QUANTIZERS, ENGINES, PROBES], ids=["quantizers", "engines", "probes"])
def test_importing_every_adapter_imports_nothing_heavy(registry: dict[str, str]) -> None:
    modules = [place.partition(":")[0] for place in registry.values()]
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; print([h for h in {HEAVY!r} if h in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(("what", "name", "registry"), ALL, ids=lambda value: value if isinstance(value, str) else "")
def test_its_options_have_a_schema_and_refuse_what_they_do_not_know(
    what: str, name: str, registry: dict[str, str]
) -> None:
    adapter = load(registry, what, name)
    options = adapter.workload if what == "probe" else adapter.options
    assert options.model_config["extra"] == "forbid"
    assert options.model_config["frozen"]
    assert json.dumps(options.model_json_schema())
    said = [
        said
        for field, said in problems_of(options, {"no_such_option": 1}, f"{what} {name}")
        if field == "no_such_option"
    ]
    assert len(said) == 1
    assert said[0].startswith(f"unknown option of {what} {name} 'no_such_option'")


@pytest.mark.parametrize("what", ["quantizer", "engine", "probe"])
def test_every_adapter_runs_for_its_contract_or_is_listed_with_its_reason(what: str) -> None:
    registry = {"quantizer": QUANTIZERS, "engine": ENGINES, "probe": PROBES}[what]
    cases = {"quantizer": QUANTIZER_CASES, "engine": ENGINE_CASES, "probe": PROBE_CASES}[what]
    left = {name for kind, name in NOT_HERE if kind == what}
    assert left.isdisjoint(cases)
    assert left | set(cases) == set(registry)


def test_where_else_a_listed_adapter_is_tested_stands_there() -> None:
    for (_, name), reason in NOT_HERE.items():
        file = ROOT / next(word for word in reason.split() if word.startswith("tests/"))
        assert name.split("-")[0].split("_")[0] in file.read_text("utf-8").lower()


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_quantizer_without_its_packages_says_what_makes_them_while_planning_or_before_it_builds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantizer: Quantizer = load(QUANTIZERS, "quantizer", name)
    if not quantizer.packages or name == "command":  # whose packages are those of a script that nobody knows
        return
    given = QUANTIZER_CASES[name].options if name in QUANTIZER_CASES else _LEAST[name]
    said = quantizer.refuse(validated(quantizer.options, given, name), NOWHERE)
    if said is None:
        for module in MODULES:
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingDependency) as raised:
            quantizer.imports()
        said = str(raised.value)
    assert "\n" not in said
    assert "harness setup" in said or "not installed in this environment" in said


@pytest.mark.parametrize("name", PROBE_CASES)
def test_a_probe_refuses_in_plain_words_or_runs_anywhere(name: str) -> None:
    probe: Probe = load(PROBES, "probe", name)
    said = probe.refuse(validated(probe.workload, PROBE_CASES[name].workload, name), NOWHERE)
    assert said is None or (said.strip() and "\n" not in said)
    assert lacking(name, probe.needs, "nobody", frozenset())


@pytest.mark.parametrize("name", PROBES)
def test_every_metric_that_a_probe_yields_is_defined(name: str) -> None:
    probe: Probe = load(PROBES, "probe", name)
    for yielded in probe.yields:
        assert metric(yielded).definition
    assert probe.kind in {"quality", "speed", "reference"}
    assert probe.needs
    assert set().union(*probe.needs) <= set(CAPABILITIES)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_refuses_or_accepts_in_words(name: str) -> None:
    engine: Engine = load(ENGINES, "engine", name)
    refusal = engine.refuse(engine.options(), NOWHERE)
    assert refusal is None or refusal.strip()
    assert engine.provider(engine.options())
