"""What planning says of a slip is where it is, what is wrong, and what to write instead; said once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.options import Options, problems_of
from harness.plan.catalogue import load_catalogue
from tests.conftest import Say
from tests.fake_machine import Bench


class Inner(Options):
    method: str
    path: str | None = None


class Outer(Options):
    ready: Inner | None = None


def test_a_slip_inside_an_option_is_named_with_the_nearest_word_there() -> None:
    said = [message for _, message in problems_of(Outer, {"ready": {"methd": "x"}}, "model 'm'")]
    assert said == ["unknown key 'methd' in ready; did you mean 'method'?"]
    said = [message for _, message in problems_of(Outer, {"ready": {"pathh": "x"}}, "model 'm'")]
    assert said == ["ready of model 'm' needs 'method'", "unknown key 'pathh' in ready; did you mean 'path'?"]


def test_a_slip_inside_a_ready_artifact_has_its_line(bench: Bench) -> None:
    path = bench.configs / "models.yaml"
    path.write_text("toy: {folder: /x}\nother:\n  ready:\n    path: /y\n    methd: int4\n    of: toy\n", "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_catalogue(bench.configs)
    assert str(raised.value) == f"{path}:5: unknown key 'methd' in ready; did you mean 'method'?"


def test_a_hub_id_in_a_sweep_is_told_how_to_become_a_model(bench: Bench, say: Say, tmp_path: Path) -> None:
    bench.sweep(model="Qwen/Qwen2.5-0.5B", method="fp32")
    said = say(bench, "plan", "s")
    assert "to use a hub model, add `name: {hub: Qwen/Qwen2.5-0.5B}` to models.yaml" in said.err
    bench.sweep(model="toyy", method="fp32")
    assert "hub model" not in say(bench, "plan", "s").err


def test_a_word_of_0_1_in_a_sweep_is_refused_with_its_line_and_the_new_word(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32"], again=["quality"])
    said = say(bench, "plan", "s")
    assert said.code == 2
    assert re.search(r"s\.yaml:\d+: unknown key of a sweep 'again'; it is called 'rerun' now", said.err), said.err
