from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.plan.entries import Catalogue
from harness.plan.reading import read_sweep, sweep_name
from tests.unit.plan.conftest import SWEEPS


def mistakes(text: str, catalogue: Catalogue, tmp_path: Path) -> list[str]:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_sweep(path, catalogue)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_all_mistakes_of_a_file_are_told_at_once_with_lines_and_nearest_names(catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError) as caught:
        read_sweep(SWEEPS / "wrong.yaml", catalogue)
    told = {(problem.line, problem.message) for problem in caught.value.problems}
    assert all(str(problem).startswith(str(SWEEPS / "wrong.yaml")) for problem in caught.value.problems)
    expected = [
        (1, "unknown model 'tinny'; did you mean 'tiny'?"),
        (2, "unknown method 'fp31'; did you mean 'fp32'?"),
        (2, "unknown recipe of method 'int4': 'exprot'; did you mean 'export'?"),
        (3, "unknown option of engine 'runtime' 'thread'; did you mean 'threads'?"),
        (4, "unknown key of 'environment' by adapter 'runtme'; did you mean 'runtime'?"),
        (6, "'batch' is empty: give at least one value, or leave the key out"),
        (8, "probe 'compare' needs a reference, as 'reference: {method: fp32}'"),
        (9, "'rounds' must be a whole number from 1 to 1000; it is 0"),
        (10, "'timeout' must be a number of seconds; it is 'soon'"),
        (13, "unknown key of a sweep 'modle'; did you mean 'model'?"),
    ]
    assert [pair for pair in expected if pair not in told] == []
    lines = {line for line, _ in told}
    assert lines == {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "s.yaml:1: a sweep must be a mapping, e.g. 'name: value'; it is a list"),
        ("", "s.yaml:1: a sweep must be a mapping, e.g. 'name: value'; it is empty"),
        ("model: []\nmethod: fp32\nengine: runtime\nprobes: speed\n", "s.yaml:1: 'model' is empty"),
        ("model: tiny\nmethod: fp32\nengine: runtime\nprobes: {}\n", "s.yaml:4: 'probes' is empty"),
        ("model: tiny\nmethod: fp32\nprobes: speed\n", "s.yaml:1: the sweep needs 'engine'"),
        ("model: {a: 1}\nmethod: fp32\nengine: runtime\nprobes: speed\n", "s.yaml:1: a model must be a name"),
        ("blocks: {}\n", "s.yaml:1: 'blocks' names no block"),
        ("model: tiny\ncases: []\n", "s.yaml:2: 'cases' must be a list of at least one case"),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nprobes: {speed: {reference: {method: fp32}}}\n",
            "s.yaml:4: probe 'speed' takes no 'reference'; remove it",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: talker\nprobes:\n  perplexity:\n",
            "s.yaml:5: probe 'perplexity' needs an engine that scores; 'talker' does not: leave one of them out",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nprobes: kl_reference\n",
            "s.yaml:4: unknown probe 'kl_reference'; there is compare, perplexity, speed",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nprobes:\n  speed:\n    batch: [1, x]\n",
            "s.yaml:6: 'batch' of probe 'speed': Input should be a valid integer",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nenvironment: cpuu\nprobes: speed\n",
            "s.yaml:4: unknown environment 'cpuu'; did you mean 'cpu'?",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nskip: [{}]\nprobes: speed\n",
            "s.yaml:4: an empty entry of 'skip' would skip everything",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nprobes: speed\nagain: [quality, sped]\n",
            "s.yaml:5: unknown kind of job 'sped'; did you mean 'speed'?",
        ),
        (
            "model: tiny\nmethod: fp32\nengine: runtime\nprobes: {compare: {reference: {methd: fp32}}}\n",
            "s.yaml:4: unknown key of 'reference' 'methd'; did you mean 'method'?",
        ),
        (
            f"model: tiny\nmethod: fp32\nengine: runtime\nprobes:\n  speed: {{batch: &l {list(range(1, 1100))}, prompt: *l}}\n",
            "s.yaml:5: these lists make 1,207,801 combinations, more than 100,000",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(text: str, told: str, catalogue: Catalogue, tmp_path: Path) -> None:
    assert any(problem.startswith(told) for problem in mistakes(text, catalogue, tmp_path))


def test_a_sweep_is_named_after_its_file() -> None:
    assert [sweep_name(Path(name)) for name in ("a/b.yaml", "b.sweep.yaml", "c.yml")] == ["b", "b", "c"]


def test_top_level_keys_are_defaults_and_cases_are_laid_over_blocks(catalogue: Catalogue) -> None:
    sweep = read_sweep(SWEEPS / "blocks.yaml", catalogue)
    one, four, t4 = sweep.cases
    assert [case.block for case in sweep.cases] == ["one", "two", "two"]
    assert [work.adapter.name for work in one.works] == ["speed", "speed"], "a probe given as null is taken out"
    assert [work.workload for work in four.works] == [{"tokens": 100}, {"batch": 4}]
    assert (one.rounds, four.rounds, t4.rounds) == (3, 1, 1)
    assert (t4.gpu, t4.timeout, four.gpu) == ("T4", 60.0, None)


def test_a_list_for_an_option_that_is_a_list_is_one_value_and_a_list_of_lists_an_axis(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    text = "model: tiny\nmethod: fp32\nengine: {runtime: {flags: %s}}\nprobes: speed\n"
    path.write_text(text % "[a, b]", encoding="utf-8")
    assert [engine.options for engine in read_sweep(path, catalogue).cases[0].engines] == [{"flags": ["a", "b"]}]
    path.write_text(text % "[[a], [b, c]]", encoding="utf-8")
    found = [engine.options for engine in read_sweep(path, catalogue).cases[0].engines]
    assert found == [{"flags": ["a"]}, {"flags": ["b", "c"]}]


def test_a_probe_may_be_given_several_workloads(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "model: tiny\nmethod: fp32\nengine: [runtime, {runtime: {threads: 2}}]\n"
        "probes: {speed: [{prompt: 8}, {prompt: [16, 32], batch: 2}]}\n",
        encoding="utf-8",
    )
    case = read_sweep(path, catalogue).cases[0]
    assert [work.workload for work in case.works] == [
        {"prompt": 8},
        {"prompt": 16, "batch": 2},
        {"prompt": 32, "batch": 2},
    ]
    assert [engine.options for engine in case.engines] == [{}, {"threads": 2}]


def test_a_duplicate_key_hides_no_other_mistake_of_the_file(catalogue: Catalogue, tmp_path: Path) -> None:
    text = "model: tinny\nmethod: fp32\nmethod: fp31\nengine: runtime\nprobes: speed\n"
    assert mistakes(text, catalogue, tmp_path) == [
        "s.yaml:1: unknown model 'tinny'; did you mean 'tiny'?",
        "s.yaml:3: 'method' is given twice, first in line 2; keep one",
        "s.yaml:3: unknown method 'fp31'; did you mean 'fp32'?",
    ]


def test_tables_that_no_file_holds_are_told_with_the_nearest_name(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    text = "model: tiny\nmethod: fp32\nengine: runtime\nprobes: speed\ntables: [speed, qualty]\n"
    path.write_text(text, encoding="utf-8")
    assert read_sweep(path, catalogue).tables == ("speed", "qualty"), "unchecked where nobody knows what there is"
    with pytest.raises(ConfigError, match=r"s.yaml:5: unknown tables 'qualty'; did you mean 'quality'\?"):
        read_sweep(path, catalogue, ["speed", "quality"])
