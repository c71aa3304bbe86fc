"""What every registered adapter keeps to, whatever it does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.core.capabilities import CAPABILITIES
from harness.core.metric import metric
from harness.core.registry import load
from harness.core.seam import Engine, Facts, Probe, Quantizer
from harness.engines import ENGINES
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS

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


@pytest.mark.parametrize("name", QUANTIZERS)
def test_every_option_of_a_quantizer_says_what_it_is(name: str) -> None:
    quantizer: Quantizer = load(QUANTIZERS, "quantizer", name)
    assert quantizer.options.model_config["extra"] == "forbid"
    assert quantizer.options.model_config["frozen"]


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
