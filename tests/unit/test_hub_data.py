"""Data sets of the hub: what can be said of them before they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import hub_data
from harness.core.privacy import OFFLINE
from harness.core.seam import Facts
from harness.probes import kl_divergence, kl_reference, lm_eval, mmlu_modelopt, perplexity
from harness.quantizers import modelopt_onnx
from harness.quantizers.modelopt_options import ModeloptOptions

LACKS = Facts({"lm-eval": "0.4.13", "nvidia-modelopt": "0.47.0", "onnx": "1.21.0"}, "Linux")
READS = Facts({**LACKS.packages, "datasets": "5.0.1"}, "Linux")
ASKED: list[tuple[Any, Any, str]] = [
    (perplexity.PROBE, {"text": "wikitext-2"}, "Salesforce/wikitext"),
    (kl_divergence.PROBE, {"text": "wikitext-2"}, "Salesforce/wikitext"),
    (kl_reference.PROBE, {"text": "wikitext-2"}, "Salesforce/wikitext"),
    (mmlu_modelopt.PROBE, {"questions": "cais/mmlu"}, "cais/mmlu"),
    (lm_eval.PROBE, {"task": "mmlu"}, "cais/mmlu"),
]


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in (OFFLINE, "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "ours"))
    return tmp_path


@pytest.mark.parametrize(("probe", "workload", "data"), ASKED)
def test_what_is_known_to_be_out_of_reach_is_refused_in_the_plan(
    probe: Any, workload: dict[str, Any], data: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = probe.workload.model_validate(workload)
    assert probe.refuse(asked, READS) is None, "only asking the hub would tell"
    assert f"'{data}' comes from the hub, and package datasets is not" in probe.refuse(asked, LACKS)
    for name in (OFFLINE, "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
        assert "no copy of it is on this machine; run once online, or give the path" in probe.refuse(asked, READS)
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for kept in (f"hub/datasets--{data.replace('/', '--')}", f"datasets/{data.replace('/', '___')}"):
        (empty / kept).mkdir(parents=True)
        assert probe.refuse(asked, READS) is None
        (empty / kept).rmdir()


def test_a_calibration_set_out_of_reach_is_refused_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    for dataset, data in (("cnn", "abisee/cnn_dailymail"), ("pilevel", "mit-han-lab/pile-val-backup")):
        options = ModeloptOptions(algo="awq_lite", dataset=dataset)
        assert modelopt_onnx.refuse(options, READS) is None
        assert f"'{data}' comes from the hub" in str(modelopt_onnx.refuse(options, LACKS))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert "run once online" in str(modelopt_onnx.refuse(options, READS))
        monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for options in (
        ModeloptOptions(algo="rtn_dq"),
        ModeloptOptions(algo="awq_lite"),
        ModeloptOptions(algo="awq_lite", use_random_calib=True),
    ):
        assert modelopt_onnx.refuse(options, LACKS) is None, "nothing is asked of the hub"


def test_texts_and_questions_of_ones_own_are_never_refused() -> None:
    assert perplexity.PROBE.refuse(perplexity.PROBE.workload.model_validate({}), LACKS) is None
    assert lm_eval.PROBE.refuse(lm_eval.Workload(task="mmlu", questions="somewhere"), LACKS) is None
    assert lm_eval.PROBE.refuse(lm_eval.Workload(), LACKS) is None


@pytest.mark.slow
def test_a_task_that_lm_eval_does_not_have_is_refused_with_the_nearest_name() -> None:
    pytest.importorskip("lm_eval")
    assert lm_eval.PROBE.refuse(lm_eval.Workload(task="hellaswag"), READS) is None
    other = Facts({**READS.packages, "lm-eval": "9.9"}, "Linux")
    assert lm_eval.PROBE.refuse(lm_eval.Workload(task="hellaswga"), other) is None, "another version may have it"
    assert "'hellaswga'; did you mean 'hellaswag'?" in str(
        lm_eval.PROBE.refuse(lm_eval.Workload(task="hellaswga"), READS)
    )


def test_the_cache_of_data_sets_is_that_of_the_hubs_libraries(empty: Path) -> None:
    assert hub_data.cache() == empty / "hub"
