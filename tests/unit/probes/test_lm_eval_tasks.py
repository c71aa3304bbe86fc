"""Tasks of one's own for lm-eval, as YAML, and names of tasks that are not there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.paths import MINE
from harness.core.seam import Context
from harness.probes.lm_eval import Workload, measure
from tests.unit.probes.table_scores import BOS, ByteCodec, TableScores

pytest.importorskip("lm_eval")


def yaml_task(folder: Path, **more: Any) -> Path:
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in more.pop("rows")))
    path = folder / "own.yaml"  # JSON is YAML
    files = {"test": more.pop("file", str(data))}
    config = {"task": "own", "dataset_path": "json", "dataset_kwargs": {"data_files": files},
              "test_split": "test"}  # fmt: skip
    path.write_text(json.dumps(config | more))
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cache")
def test_a_yaml_task_with_rolling_likelihoods_covers_each_token_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MINE, str(tmp_path))  # a task, and the files that it names, are seen from the workspace's folder
    text = "some words, more than fit a context of forty tokens, so that windows roll"
    yaml_task(
        tmp_path, file="rows.jsonl", rows=[{"text": text}], output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="{{text}}",
        metric_list=[{"metric": "byte_perplexity"}],
    )  # fmt: skip
    session = TableScores(context_length=40)
    found = measure(session, Workload(task="own.yaml", shots=0), Context(folder=tmp_path))
    ids = list(text.encode())
    total = 0.0
    for begin in range(0, len(ids), 40):
        window = [BOS, *ids][begin : begin + 40] if begin + 40 <= len(ids) else [BOS, *ids][len(ids) - 40 : len(ids)]
        rows = session.rows(window, np.arange(40))
        wanted = ids[begin : begin + 40]
        total += sum(float(rows[40 - len(wanted) + place, token]) for place, token in enumerate(wanted))
    reading = found.values[0]
    assert reading.metric == "lm_eval.byte_perplexity"
    assert reading.value == pytest.approx(math.exp(-total / len(ids)), rel=1e-5)
    assert found.protocol.name == "lm-eval-own-0shot"


@pytest.mark.usefixtures("cache")
def test_a_generating_task_stops_where_it_should(tmp_path: Path) -> None:
    path = yaml_task(
        tmp_path, rows=[{"q": "a", "a": "bcdefghijklmnopqrst"}, {"q": "c", "a": "x"}], output_type="generate_until",
        doc_to_text="{{q}}", doc_to_target="{{a}}", generation_kwargs={"until": ["u"], "max_gen_toks": 60},
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    )  # fmt: skip
    session = TableScores(codec=ByteCodec())
    session.table[:] = -10
    session.table[np.arange(258), (np.arange(258) + 1) % 258] = 10  # counts through the bytes
    found = measure(session, Workload(task=str(path), shots=0), Context(folder=tmp_path))
    assert found.values[0].metric == "lm_eval.exact_match"
    assert found.values[0].samples.tolist() == [1, 0]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("higher", "better"), [(True, None), (False, "lower")])
def test_the_direction_that_a_task_gives_its_metric_travels_with_it(
    tmp_path: Path, *, higher: bool, better: str | None
) -> None:
    path = yaml_task(
        tmp_path, rows=[{"q": "a", "a": "b"}], output_type="generate_until", doc_to_text="{{q}}", doc_to_target="{{a}}",
        generation_kwargs={"until": ["u"], "max_gen_toks": 4},
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": higher}],
    )  # fmt: skip
    found = measure(TableScores(codec=ByteCodec()), Workload(task=str(path), shots=0), Context(folder=tmp_path))
    assert {reading.better for reading in found.values} == {better}


def test_a_task_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no task file .*none\.yaml"):
        measure(TableScores(), Workload(task=str(tmp_path / "none.yaml")), Context(folder=tmp_path))


@pytest.mark.slow
def test_an_unknown_task_name_gets_the_nearest_right_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="unknown lm-eval task 'hellaswagg'; did you mean 'hellaswag'"):
        measure(TableScores(), Workload(task="hellaswagg"), Context(folder=tmp_path))
