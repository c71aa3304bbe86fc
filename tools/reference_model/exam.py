"""The multiple-choice set of the invented world, in three strata, with its knowledge-free baselines."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.reference_model.lore import Subject, subjects
from tools.reference_model.text import LETTERS
from tools.reference_model.world import RESERVED_OPTION_SETS, Fact, facts_of, fill, phrasings_of

EXAM_SEED = 61_028
"""Chosen so that every wording of the first stratum does occur in the training text."""
NEW_OPTIONS = "seen fact, new options"
NEW_PHRASING = "seen fact, new phrasing"
NEVER_ASKED = "stated fact, never asked"
PER_SUBJECT = {NEW_OPTIONS: 38, NEW_PHRASING: 38, NEVER_ASKED: 24}
DEV_PER_SUBJECT = 5


@dataclass(frozen=True)
class Question:
    """One question with four options; `stratum` is None for the five examples of a subject."""

    subject: str
    text: str
    options: tuple[str, ...]
    letter: str
    stratum: str | None
    entity: str
    noun: str
    """First name of the attribute, which with subject and entity identifies the fact."""

    @property
    def answer(self) -> str:
        """Give the right option."""
        return self.options[LETTERS.index(self.letter)]


def _question(fact: Fact, template: str, wrong: Sequence[str], letter: str, stratum: str | None) -> Question:
    options = list(wrong)
    options.insert(LETTERS.index(letter), fact.value)
    text = fill(template, fact)
    return Question(fact.subject.name, text, tuple(options), letter, stratum, fact.entity, fact.attribute.nouns[0])


def _letters(count: int, rng: random.Random) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += rng.sample(LETTERS, len(LETTERS))
    return found[:count]


def _stratum(chosen: Sequence[Fact], name: str, letters: Sequence[str], rng: random.Random) -> list[Question]:
    found = []
    for index, letter in enumerate(letters):
        fact = chosen[index % len(chosen)]
        seen, new = phrasings_of(fact)
        template = rng.choice(new if name == NEW_PHRASING else seen)
        # Each stratum takes its reserved sets from its own end, so that no set of options serves one fact twice.
        turn = index // len(chosen)
        place = RESERVED_OPTION_SETS - 1 - turn if name == NEW_PHRASING else turn
        wrong = rng.sample(fact.option_sets[place], 3)
        found.append(_question(fact, template, wrong, letter, name))
    return found


def _of_subject(subject: Subject, rng: random.Random) -> tuple[list[Question], list[Question]]:
    known = list(facts_of(subject.name))
    rng.shuffle(known)
    asked = [fact for fact in known if fact.asked]
    silent = [fact for fact in known if not fact.asked]
    shown, examined = asked[:DEV_PER_SUBJECT], asked[DEV_PER_SUBJECT:]
    dev = []
    for fact, letter in zip(shown, _letters(DEV_PER_SUBJECT, rng), strict=True):
        template = rng.choice(phrasings_of(fact)[0])
        dev.append(_question(fact, template, rng.sample(fact.option_sets[0], 3), letter, None))
    letters = _letters(sum(PER_SUBJECT.values()), rng)
    test: list[Question] = []
    for name, count in PER_SUBJECT.items():
        chosen = silent if name == NEVER_ASKED else examined
        rng.shuffle(chosen)
        start = len(test)
        test += _stratum(chosen, name, letters[start : start + count], rng)
    rng.shuffle(test)
    return dev, test


def examination() -> tuple[list[Question], list[Question]]:
    """Give the examples (5 per subject) and the test questions (100 per subject), subject by subject."""
    rng = random.Random(EXAM_SEED)
    dev: list[Question] = []
    test: list[Question] = []
    for subject in subjects():
        some, more = _of_subject(subject, rng)
        dev += some
        test += more
    return dev, test


def knowledge_free_baselines(test: Sequence[Question], training: Iterable[str]) -> dict[str, float]:
    """Score rules that know nothing of the world, in [0, 1]; ties go to the first option."""
    words: Counter[str] = Counter()
    for document in training:
        words.update(document.replace(".", " ").replace(",", " ").replace('"', " ").split())
    rules = {f"always {letter}": [index] * len(test) for index, letter in enumerate(LETTERS)}
    rules["longest option"] = [_best([len(word) for word in entry.options]) for entry in test]
    rules["shortest option"] = [_best([-len(word) for word in entry.options]) for entry in test]
    rules["most frequent in the training text"] = [_best([words[word] for word in entry.options]) for entry in test]
    rules["least frequent in the training text"] = [_best([-words[word] for word in entry.options]) for entry in test]
    return {
        name: sum(entry.letter == LETTERS[pick] for entry, pick in zip(test, picks, strict=True)) / len(test)
        for name, picks in rules.items()
    }


def _best(scores: Sequence[int]) -> int:
    return scores.index(max(scores))
