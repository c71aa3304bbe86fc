from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from tests.unit.plan.fakes import adapters

MODELS = "a: {folder: x}\n"
METHODS = "fp32: {recipes: {export: {precision: fp32}}}\n"
ENVIRONMENTS = "cpu: {lock: cpu.txt}\n"


def loaded(folder: Path, models: str = MODELS, methods: str = METHODS, environments: str = ENVIRONMENTS) -> Catalogue:
    for name, text in (("models", models), ("methods", methods), ("environments", environments)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_catalogue(folder, adapters())


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ("a: {foldr: x}\n", "models.yaml:1: unknown option of model 'a' 'foldr'; did you mean 'folder'?"),
        ("a: {}\n", "models.yaml:1: model 'a' needs exactly one of hub, folder, gguf, ready, random; it has none"),
        (
            "a: {hub: x, folder: y}\n",
            "models.yaml:1: model 'a' needs exactly one of hub, folder, gguf, ready, random; it has",
        ),
        (
            "a: {folder: x}\nb: {folder: y,\n  trained_positions: many}\n",
            "models.yaml:3: 'trained_positions' of model 'b'",
        ),
        ("a: {folder: x}\na: {folder: y}\n", "models.yaml:2: 'a' is given twice, first in line 1; keep one"),
        ("b: {ready: {path: x, method: fp32, of: a}}\n", "models.yaml:1: unknown model 'a'; there is b"),
        ("a: {folder: x}\nb: {ready: {path: x, method: fp23, of: a}}\n", "models.yaml:2: unknown method 'fp23'"),
        (
            "a: {folder: x}\nb: {ready: {method: fp32, of: a}}\n",
            "models.yaml:2: ready artifact 'b' needs a path or a hub",
        ),
        ("[a]\n", "models.yaml:1: the list of models must be a mapping"),
    ],
)
def test_a_mistake_in_models_is_told_with_its_line(models: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, models=models)
    assert any(str(problem).removeprefix(f"{tmp_path}/").startswith(told) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ("m: {recipes: {}}\n", "methods.yaml:1: method 'm' has no recipe"),
        ("m: {recipes: {exprt: {}}}\n", "methods.yaml:1: unknown quantizer 'exprt'; did you mean 'export'?"),
        (
            "m:\n  recipes:\n    export: {precison: fp32}\n",
            "methods.yaml:3: unknown option of recipe 'export' of method",
        ),
        ("m: {recipes: {export: {}}}\n", "methods.yaml:1: recipe 'export' of method 'm' needs 'precision'"),
        ("m: {recipes: {export: {precision: fp8}}}\n", "methods.yaml:1: 'precision' of recipe 'export' of method 'm'"),
        ("m: {recipes: {calibrated: {algo: awq}}}\n", "methods.yaml:1: recipe 'calibrated' of method 'm' starts from"),
        ("m: {recipes: {calibrated: {algo: awq, on: n}}}\n", "methods.yaml:1: unknown method 'n'; there is m"),
        ("m: {recipes: {calibrated: {algo: awq, on: m}}}\n", "methods.yaml:1: method 'm' starts from itself"),
        ("m: {recipes: {script: {when_named: 1}}}\n", "methods.yaml:1: 'when_named' of recipe 'script' of method 'm'"),
    ],
)
def test_a_mistake_in_methods_is_told_with_its_line(methods: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, methods=methods)
    assert any(str(problem).removeprefix(f"{tmp_path}/").startswith(told) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("environments", "told"),
    [
        (
            "e: {}\n",
            "environments.yaml:1: environment 'e' is a lock, a python, or packages (on another one); it has nothing",
        ),
        ("e: {lock: a, python: b}\n", "environments.yaml:1: environment 'e' is a lock"),
        ("e: {lock: a, wheel: b}\n", "environments.yaml:1: environment 'e' is a lock"),
        ("e: {on: cpu, packages: [x]}\n", "environments.yaml:1: unknown environment 'cpu'"),
    ],
)
def test_a_mistake_in_environments_is_told_with_its_line(environments: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, environments=environments)
    assert any(str(problem).removeprefix(f"{tmp_path}/").startswith(told) for problem in caught.value.problems)


def test_mistakes_of_all_catalogues_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "a: {}\n", "m: {recipes: {}}\n", "e: {}\n")
    assert len(caught.value.problems) == 3


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\.yaml: no such file"):
        load_catalogue(tmp_path, adapters())


def test_local_yaml_is_read_where_it_is_and_its_names_are_checked(tmp_path: Path) -> None:
    assert loaded(tmp_path).local.gpu is None
    (tmp_path / "local.yaml").write_text(
        "gpu: T4\npython: {cpu: /usr/bin/python3}\nfolders: {a: /m}\n", encoding="utf-8"
    )
    assert loaded(tmp_path).local.folders == {"a": "/m"}
    (tmp_path / "local.yaml").write_text("folders: {b: /m}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"local\.yaml: unknown name 'b'"):
        loaded(tmp_path)


def test_a_duplicate_key_hides_no_other_mistake_of_a_catalogue(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, models="a: {folder: x, folder: y}\nb: {foldr: x}\n")
    assert [problem.line for problem in caught.value.problems] == [1, 2]


@pytest.mark.parametrize(
    ("on", "told"),
    [
        ("{fp32: exprt}", "unknown method 'exprt'; there is fp32, m"),
        (
            "{cpu: {fp32: exprt}}",
            "unknown quantizer in 'on' of recipe 'free' of method 'm' 'exprt'; did you mean 'export'",
        ),
        ("{fp32: calibrated}", "unknown recipe of method 'fp32': 'calibrated'; there is export"),
        ("{fp23: export}", "unknown method 'fp23'; did you mean 'fp32'?"),
        (
            "{cpu: {fp32: export, fp16: export}}",
            "'on' of recipe 'free' of method 'm': a method with its quantizer is one pair",
        ),
    ],
)
def test_a_slip_in_the_quantizer_of_a_base_is_told(on: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, methods=METHODS + f"m: {{recipes: {{free: {{makes: ort-genai, on: {on}}}}}}}\n")
    assert any(problem.message.startswith(told) for problem in caught.value.problems)
