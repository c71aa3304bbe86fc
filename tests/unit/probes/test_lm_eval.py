"""lm-eval's tasks through our model: its prompts, its aggregation, its own backends' numbers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.core.options import problems_of
from harness.core.seam import Context
from harness.probes.lm_eval import PROBE, Workload, measure
from tests.unit.probes.table_scores import BOS, TableScores

pytest.importorskip("lm_eval")


DEV = "".join(f"Example {number}?,a,b,c,d,{'ABCD'[number % 4]}\n" for number in range(5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {
        "birds": [f"  Question {number}? ,None,NA,3,{number},{'ABCD'[number % 4]}" for number in range(9)],
        "old_stars": ["Last?,1,2,3,4,A", "Least?,1,2,3,4,C"],
    }
    for subject, lines in rows.items():
        for split, content in (("dev", DEV), ("test", "\n".join(lines) + "\n")):
            (tmp_path / split).mkdir(exist_ok=True)
            (tmp_path / split / f"{subject}_{split}.csv").write_text(content)
    return tmp_path


def parts(found: Any) -> dict[str, Any]:
    return {reading.slice: reading for reading in found.values if reading.metric != "choice_logprob"}


def test_accuracy_is_lm_evals_and_each_question_is_kept(folder: Path, tmp_path: Path) -> None:
    session = TableScores()
    found = measure(session, Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path))
    by_part = parts(found)
    assert set(by_part) == {"", "subject:birds", "subject:old_stars"}
    whole = by_part[""]
    assert whole.metric == "lm_eval.acc"
    table = found.arrays["choice_logprobs"]
    assert table.shape == (11, 4)
    gold = [number % 4 for number in range(9)] + [0, 2]
    right = table.argmax(axis=1) == np.array(gold)
    assert whole.samples.tolist() == right.astype(int).tolist()
    assert whole.value == pytest.approx(right.mean(), abs=1e-12)
    assert whole.low is not None
    assert by_part["subject:birds"].samples.tolist() == right[:9].astype(int).tolist()
    assert found.protocol.name == "lm-eval-mmlu-5shot"
    assert (found.protocol.scored, found.protocol.limit, found.protocol.truncated) == (11, None, 0)
    assert session.asked == 44


def test_log_likelihoods_are_those_of_the_lettered_continuations(folder: Path, tmp_path: Path) -> None:
    session = TableScores()
    found = measure(session, Workload(task="mmlu", questions=str(folder), shots=0, bos=True), Context(folder=tmp_path))
    text = (
        "The following are multiple choice questions (with answers) about birds.\n\n"
        "Question 0?\nA. None\nB. NA\nC. 3\nD. 0\nAnswer:"
    )
    ids = [BOS, *text.encode()]
    for place, letter in enumerate("ABCD"):
        whole = [*ids, *f" {letter}".encode()]
        rows = session.rows(whole, np.arange(len(whole)))
        expected = float(rows[len(ids) - 1, ord(" ")]) + float(rows[len(ids), ord(letter)])
        assert found.arrays["choice_logprobs"][0, place] == pytest.approx(expected, abs=1e-6)
    assert found.protocol.bos is True


def test_prompts_are_character_for_character_those_of_lm_evals_own_task(folder: Path) -> None:
    import datasets
    import lm_eval.tasks
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    from harness.probes.lm_eval_tasks import from_questions
    from harness.questions import read_subject

    source = Path(lm_eval.tasks.__file__).parent / "mmlu" / "default" / "mmlu_abstract_algebra.yaml"
    config = dict(load_yaml(source))
    for name in ("tag", "dataset_path", "dataset_name"):
        config.pop(name, None)
    config["description"] = config["description"].replace("abstract algebra", "birds")
    rows = {
        split: [{"question": q.text, "choices": list(q.choices), "answer": q.answer} for q in
                read_subject(folder, "birds", split)]
        for split in ("dev", "test")
    }  # fmt: skip
    splits = {split: datasets.Dataset.from_list(found) for split, found in rows.items()}
    theirs = ConfigurableTask(config=config | {"num_fewshot": 5, "custom_dataset": lambda **_: splits})
    ours = from_questions(str(folder), "mmlu", 5).tasks["mmlu_birds"]
    for task in (theirs, ours):
        task.build_all_requests(limit=None, rank=0, world_size=1)
    assert [item.args for item in ours.instances] == [item.args for item in theirs.instances]
    assert len(ours.instances) == 36
    assert "\n\nQuestion 1?\nA. None\nB. NA" in ours.instances[4].args[0]


def test_a_limit_counts_per_subject_and_is_recorded(folder: Path, tmp_path: Path) -> None:
    found = measure(TableScores(), Workload(task="mmlu", questions=str(folder), limit=2), Context(folder=tmp_path))
    assert (found.protocol.scored, found.protocol.limit) == (4, 2)
    unlimited = measure(TableScores(), Workload(task="mmlu", questions=str(folder), limit=9), Context(folder=tmp_path))
    assert (unlimited.protocol.scored, unlimited.protocol.limit) == (11, None)


def test_prompts_that_do_not_fit_are_cut_on_the_left_and_counted(folder: Path, tmp_path: Path) -> None:
    session = TableScores(context_length=300)
    found = measure(
        session, Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path, trained_positions=100)
    )
    assert (found.protocol.truncated, found.protocol.prompt_tokens, found.protocol.beyond_trained) == (11, 300, 11)
    assert found.protocol.facts["too_long"] == "cut on the left"
    (note,) = [note for note in found.notes if note.code == "cut-prompts"]
    assert note.text.startswith("11 of 11 were longer than the context of 300 tokens: they were cut on the left")
    assert (
        measure(
            TableScores(), Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path)
        ).protocol.beyond_trained
        == 0
    )


def test_the_same_questions_have_the_same_hash(folder: Path, tmp_path: Path) -> None:
    first = measure(TableScores(), Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path))
    second = measure(TableScores(noise=1), Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path))
    assert [reading.items for reading in first.values] == [reading.items for reading in second.values]
    limited = measure(TableScores(), Workload(task="mmlu", questions=str(folder), limit=2), Context(folder=tmp_path))
    assert limited.values[0].items != first.values[0].items


def test_a_model_that_answers_nan_is_an_error(folder: Path, tmp_path: Path) -> None:
    session = TableScores()
    session.table[ord(":")] = np.nan
    with pytest.raises(HarnessError, match="log-likelihood nan; the model is broken"):
        measure(session, Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path))


def test_broken_question_files_are_named_with_their_line(folder: Path, tmp_path: Path) -> None:
    (folder / "test" / "birds_test.csv").write_text("Q?,1,2,3,4,A\nQ?,1,2,3,A\n")
    with pytest.raises(ConfigError, match=r"birds_test\.csv:2: this row has 5 columns"):
        measure(TableScores(), Workload(task="mmlu", questions=str(folder)), Context(folder=tmp_path))
    with pytest.raises(ConfigError, match="birds has 5 dev questions, fewer than the 6 shots"):
        measure(TableScores(), Workload(task="mmlu", questions=str(folder), shots=6), Context(folder=tmp_path))


def test_options_that_do_not_belong_together_are_refused() -> None:
    assert problems_of(Workload, {"task": "hellaswag", "questions": "x"}, "probe lm_eval")
    assert problems_of(Workload, {"task": "reference", "questions": "x"}, "probe lm_eval")
    assert Workload(task="mmlu", questions="/a/b").folder == "/a/b"


def test_the_reference_questions_have_strata_and_are_not_called_mmlu(tmp_path: Path) -> None:
    from harness import reference

    if not reference.questions_folder().is_dir():
        pytest.skip("the reference questions are not made yet")
    found = measure(TableScores(), Workload(limit=12, shots=1), Context(folder=tmp_path))
    names = {part.partition(":")[0] for part in parts(found)}
    assert names == {"", "subject", "stratum"}
    answers = [reading for reading in found.values if reading.metric == "lm_eval.acc"]
    strata = [reading for reading in answers if reading.slice.startswith("stratum:")]
    assert sum(reading.samples.size for reading in strata) == found.protocol.scored
    assert "mmlu" not in found.protocol.name
    assert any(name.endswith("_test.csv") for name in PROBE.contents(Workload()))


def theirs(lm: Any, questions: str, limit: int) -> Any:
    from lm_eval import evaluator

    from harness.probes.lm_eval_tasks import from_questions

    loaded = from_questions(questions, "q", 5)
    results = evaluator.evaluate(lm, loaded.evaluated, limit=limit, bootstrap_iters=0)
    rows = [row for samples in results["samples"].values() for row in samples]
    return np.array([[response[0] for response in row["filtered_resps"]] for row in rows])


@pytest.mark.slow
def test_log_likelihoods_equal_those_of_lm_evals_hf_backend(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    from harness.engines.transformers import ENGINE

    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for subject in ("abstract_algebra", "professional_law"):
            source = shared_data / "mmlu" / split / f"{subject}_{split}.csv"
            (tmp_path / split / source.name).write_bytes(source.read_bytes())
    model = shared_data / "models" / "stories260K"
    with ENGINE.open(model, ENGINE.options.model_validate({"threads": 1})) as session:
        found = measure(session, Workload(task="mmlu", questions=str(tmp_path), limit=4), Context(folder=tmp_path))
    table = found.arrays["choice_logprobs"]
    settings = json.loads((model / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(model / "tokenizer.json"), bos_token=settings["bos_token"], eos_token=settings["eos_token"]
    )
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32")
    expected = theirs(HFLM(pretrained=network, tokenizer=tokenizer, batch_size=1), str(tmp_path), 4)
    assert np.abs(table - expected).max() < 1e-4
    assert (table.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert found.protocol.truncated == 8  # five shots are longer than this model's 512 tokens
    assert found.protocol.prompt_tokens == 512


@pytest.mark.slow
@pytest.mark.alone
def test_lm_evals_genai_backend_gives_the_same_in_at_least_three_times_the_time(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    from lm_eval.models.onnxruntime_genai import ONNXRuntimeGenAILM

    from harness import reference
    from harness.engines.ort_genai import ENGINE
    from tests.unit.probes.genai_export import reference_export, set_threads

    artifact = reference_export(tmp_path / "fp32")
    set_threads(artifact, 1)  # threads that wait in a loop use up processor time, too
    with ENGINE.open(artifact, ENGINE.options.model_validate({"threads": 1})) as session:
        measure(session, Workload(limit=1), Context(folder=tmp_path))  # imports are not what is compared
        begun = time.process_time()  # other work on the machine stretches the wall clock, less the time used
        found = measure(session, Workload(limit=10, bos=False), Context(folder=tmp_path))
        ours = time.process_time() - begun
    lm = ONNXRuntimeGenAILM(pretrained=str(artifact))
    begun = time.process_time()
    expected = theirs(lm, str(reference.questions_folder()), 10)
    seconds = time.process_time() - begun
    table = found.arrays["choice_logprobs"]
    assert table.shape == (80, 4)
    assert np.abs(table - expected).max() < 1e-4
    assert (table.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert ours * 3 <= seconds, f"{ours:.1f} CPU s against {seconds:.1f} CPU s"
