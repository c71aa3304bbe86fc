"""The shipped texts and questions are what the generator writes, and the strata are what they claim to be."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

from harness import reference
from tools.reference_model import exam, text, world
from tools.reference_model.lore import subjects

BLOCK = re.compile(r"([^\n]+)\nA\. ([^\n]+)\nB\. ([^\n]+)\nC\. ([^\n]+)\nD\. ([^\n]+)\nAnswer: ([ABCD])(?:\n|$)")
RECITED = re.compile(r"([^\n]+)\nAnswer: ([^\n]{2,})")
SENTENCE = re.compile(r"[^.\n]+\.")


@pytest.fixture(scope="module")
def training() -> list[str]:
    return list(text.training_documents())


@pytest.fixture(scope="module")
def asked(training: list[str]) -> dict[str, list[tuple[str, ...]]]:
    """Every question line of the training text with the sets of options it stood with, read from the text alone."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for document in training:
        for question, *options, _ in BLOCK.findall(document):
            found.setdefault(question, []).append(tuple(sorted(options)))
        for question, _ in RECITED.findall(document):
            found.setdefault(question, [])
    return found


@pytest.fixture(scope="module")
def test_rows() -> list[dict[str, str]]:
    """The shipped test questions joined with their sidecar."""
    rows = []
    for (subject, row), stratum in reference.strata().items():
        path = reference.questions_folder() / "test" / f"{subject}_test.csv"
        with path.open(encoding="utf-8", newline="") as file:
            question, a, b, c, d, letter = list(csv.reader(file))[row]
        rows.append(
            {
                "subject": subject,
                "stratum": stratum,
                "question": question,
                "options": "|".join((a, b, c, d)),
                "letter": letter,
            }
        )
    return rows


def _about(entity: str, options: tuple[str, ...], asked: dict[str, list[tuple[str, ...]]]) -> list[str]:
    """Training questions that name the entity and offer options of the same pool: the ways its fact was asked."""
    pool = _pool(options)
    named = re.compile(rf"\b{entity}\b")
    return [line for line, sets in asked.items() if named.search(line) and any(set(one) <= pool for one in sets)]


def _pool(options: tuple[str, ...]) -> set[str]:
    for subject in subjects():
        for attribute in subject.attributes:
            if set(options) <= set(attribute.pool):
                return set(attribute.pool)
    raise AssertionError(f"options {options} stem from no single pool")


def test_the_generator_reproduces_the_shipped_texts(training: list[str]) -> None:
    hashes = reference.provenance()["text_sha256"]
    heldout = text.heldout_passages(training)
    calibration = text.calibration_passages(training)
    assert text.digest(training) == hashes["training"]
    assert text.digest(heldout) == hashes["heldout"]
    assert text.digest(calibration) == hashes["calibration"]
    assert "\n\n".join(heldout) + "\n" == reference.heldout_text()
    assert calibration == reference.calibration_passages()
    assert len(calibration) >= 128


def test_no_held_out_or_calibration_passage_stands_in_the_training_text(training: list[str]) -> None:
    seen = {passage for document in training for passage in document.split("\n\n")}
    heldout = reference.heldout_text().strip().split("\n\n")
    assert not seen & set(heldout)
    assert not (seen | set(heldout)) & set(reference.calibration_passages())


def test_the_shipped_questions_are_those_of_the_generator() -> None:
    for name, questions in zip(("dev", "test"), exam.examination(), strict=True):
        for subject in subjects():
            expected = [[q.text, *q.options, q.letter] for q in questions if q.subject == subject.name]
            path = reference.questions_folder() / name / f"{subject.name}_{name}.csv"
            with path.open(encoding="utf-8", newline="") as file:
                assert list(csv.reader(file)) == expected
            assert len(expected) == 5 if name == "dev" else len(expected) >= 100


def test_right_letters_are_spread_evenly(test_rows: list[dict[str, str]]) -> None:
    counts = Counter(row["letter"] for row in test_rows)
    assert all(abs(counts[letter] / len(test_rows) - 0.25) <= 0.02 for letter in "ABCD")


def test_wrong_options_come_from_the_pool_of_the_right_one(test_rows: list[dict[str, str]]) -> None:
    for row in test_rows:
        options = tuple(row["options"].split("|"))
        assert len(set(options)) == 4
        assert set(options) <= _pool(options)


def test_knowing_nothing_scores_at_most_thirty_percent(training: list[str]) -> None:
    found = exam.knowledge_free_baselines(exam.examination()[1], training)
    assert found == pytest.approx(reference.provenance()["knowledge_free_baselines"])
    assert max(found.values()) <= 0.30


def test_new_options_means_a_trained_wording_with_options_it_never_had(
    test_rows: list[dict[str, str]], asked: dict[str, list[tuple[str, ...]]]
) -> None:
    rows = [row for row in test_rows if row["stratum"] == exam.NEW_OPTIONS]
    assert len(rows) >= 200
    for row in rows:
        options = tuple(row["options"].split("|"))
        entity = _entity(row)
        assert row["question"] in asked
        for line in _about(entity, options, asked):
            assert tuple(sorted(options)) not in asked[line]


def test_new_phrasing_means_a_fact_asked_in_other_words_only(
    test_rows: list[dict[str, str]], asked: dict[str, list[tuple[str, ...]]], training: list[str]
) -> None:
    rows = [row for row in test_rows if row["stratum"] == exam.NEW_PHRASING]
    assert len(rows) >= 200
    everything = "\0".join(training)
    for row in rows:
        options = tuple(row["options"].split("|"))
        assert len(_about(_entity(row), options, asked)) >= 3
        assert row["question"] not in everything


def test_never_asked_means_stated_and_in_no_question(
    test_rows: list[dict[str, str]], asked: dict[str, list[tuple[str, ...]]], training: list[str]
) -> None:
    rows = [row for row in test_rows if row["stratum"] == exam.NEVER_ASKED]
    assert len(rows) >= 150
    stated = Counter(_named_pairs(training))
    for row in rows:
        options = tuple(row["options"].split("|"))
        right = options["ABCD".index(row["letter"])]
        entity = _entity(row)
        assert _about(entity, options, asked) == []
        assert stated[(entity, right)] >= 10


def test_a_never_asked_fact_is_not_even_recited(training: list[str]) -> None:
    silent = {(fact.entity, fact.value) for fact in world.facts() if not fact.asked}
    for document in training:
        for question, value in RECITED.findall(document):
            assert not any(value == right and re.search(rf"\b{entity}\b", question) for entity, right in silent)


def test_every_name_belongs_to_one_subject_and_every_value_to_one_pool() -> None:
    names = [entity for subject in subjects() for entity in subject.entities]
    values = [value for subject in subjects() for attribute in subject.attributes for value in attribute.pool]
    assert len(names) == len(set(names))
    assert len(values) == len(set(values))


def _entity(row: dict[str, str]) -> str:
    subject = next(entry for entry in subjects() if entry.name == row["subject"])
    return next(name for name in subject.entities if re.search(rf"\b{name}\b", row["question"]))


def _named_pairs(training: list[str]) -> list[tuple[str, str]]:
    """Pairs of a name and a value that one sentence of prose joins."""
    names = {entity for subject in subjects() for entity in subject.entities}
    found = []
    for document in training:
        if "Answer:" in document:
            continue
        for sentence in SENTENCE.findall(document):
            words = re.findall(r"\w+", sentence)
            present = [word for word in words if word in names]
            if len(present) == 1:
                found += [(present[0], word) for word in words]
    return found
