"""gate.yaml: what is shipped, what a workspace says over it, and every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.comparing.gate import Margin, read_gate
from harness.core.errors import ConfigError
from harness.core.metric import METRICS, lm_eval_metric
from tests.conftest import ROOT

SHIPPED = ROOT / "configs"


def gate_file(folder: Path, text: str) -> Path:
    (folder / "gate.yaml").write_text(text, "utf-8")
    return folder


def test_every_speed_memory_and_size_and_every_share_has_a_margin_as_shipped() -> None:
    gate = read_gate([SHIPPED])
    asked = [one for one in METRICS.values() if one.kind != "quality" or one.unit == "fraction"]
    assert all(gate.margin(one) is not None for one in asked)
    assert gate.margin(lm_eval_metric("acc")) == Margin(0.01, relative=False)
    assert gate.margin(METRICS["decode_tps"]) == Margin(0.05, relative=True)


def test_a_metric_of_its_own_goes_before_its_kind_and_a_workspace_before_what_is_shipped(tmp_path: Path) -> None:
    gate = read_gate([SHIPPED, gate_file(tmp_path, "margins: {ttft: 10 %}\nfalse_alarms: 0.5 %\n")])
    assert gate.margin(METRICS["ttft"]) == Margin(0.1, relative=True)
    assert gate.margin(METRICS["decode_tps"]) == Margin(0.05, relative=True)
    assert (gate.false_alarms, gate.false_same) == (0.005, 0.05)


def test_a_folder_without_the_file_and_an_empty_file_change_nothing(tmp_path: Path) -> None:
    assert read_gate([SHIPPED, tmp_path]) == read_gate([SHIPPED]) == read_gate([SHIPPED, gate_file(tmp_path, "")])


@pytest.mark.parametrize(("text", "said"), [
    ("margins: {sped: 5 %}", "unknown metric or kind in margins 'sped'; did you mean 'speed'?"),
    ("margins: {speed: -1}", "the margin of 'speed' must be above 0, as `5 %` or 0.01; it is -1"),
    ("margins: {speed: .nan}", "the margin of 'speed' must be above 0"),
    ("margins: {speed: .inf}", "the margin of 'speed' must be above 0"),
    ("margins: {speed: much}", "the margin of 'speed' must be above 0"),
    ("margins: {speed: 0 %}", "the margin of 'speed' must be above 0"),
    ("false_alarms: 200 %", "'false_alarms' must lie between 0 and 100 %, as `1 %`; it is '200 %'"),
    ("fals_alarms: 1 %", "fals_alarms"),
    ("margins: 5 %", "margins"),
])  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_gate([SHIPPED, gate_file(tmp_path, f"# mine\n{text}\n")])
    assert said in str(told.value)
    assert "gate.yaml:2:" in str(told.value)
