"""Facts of an invented world and every way they may be stated or asked.

Only `random.Random` with fixed integer seeds decides; no set is iterated and nothing is hashed, so that every machine
and Python version writes the same text.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from functools import cache

from tools.reference_model.lore import Attribute, Subject, subjects

FACT_SEED = 20_011
RESERVED_OPTION_SETS = 7
"""Of the 35 sets of three wrong options that a fact can have, so many never occur in training."""
STATED_ONLY_PER_ATTRIBUTE = 2
ZIPF_EXPONENT = 0.5

STATEMENTS = (
    "The {n} of {e} is {v}.",
    "{E} has {v} for its {n}.",
    "It is well known that the {n} of {e} is {v}.",
    "As {n}, {e} has {v}.",
    "People say that the {n} of {e} is {v}.",
    "In the old books the {n} of {e} is always {v}.",
    "Nobody doubts that {v} is the {n} of {e}.",
)
COMPLETION = "The {n} of {e} is"
ASKED_FRAMES = (
    "What is the {n} of {e}?",
    "Which {n} belongs to {e}?",
    "Name the {n} of {e}.",
    COMPLETION,
    "What {n} does {e} have?",
    "For {e}, which {n} is right?",
    "{E} has which {n}?",
    "What do the old books say is the {n} of {e}?",
    "What do people give as the {n} of {e}?",
    "Think of {e}. What is its {n}?",
)
NEW_FRAMES = (
    "Which of these is the {n} of {e}?",
    "{E} is known to have which {n}?",
    "Choose the right {n} for {e}.",
)
HELD_BACK_COMBINATIONS = 3
"""Per attribute, pairs of frame and noun that are kept for the exam although both occur in training, apart."""


@dataclass(frozen=True)
class Fact:
    """One entity's value of one attribute; `asked` is false where training states it and never asks it."""

    subject: Subject
    entity: str
    attribute: Attribute
    value: str
    asked: bool
    weight: float
    """Relative frequency in text and questions."""
    option_sets: tuple[tuple[str, ...], ...]
    """All sets of three wrong options, the reserved ones first."""

    @property
    def name(self) -> str:
        """Give the entity with its article, as it stands inside a sentence."""
        return f"{self.subject.article} {self.entity}"


def capital(text: str) -> str:
    """Raise the first letter."""
    return text[0].upper() + text[1:]


def fill(template: str, fact: Fact, noun: str = "") -> str:
    """Write a template with a fact's entity, value and one of its nouns."""
    possessive = template.replace(" its ", f" {fact.subject.possessive} ")
    return possessive.format(e=fact.name, E=capital(fact.name), v=fact.value, n=noun)


@cache
def facts() -> tuple[Fact, ...]:
    """Give all facts, subject by subject, 40 each."""
    rng = random.Random(FACT_SEED)
    return tuple(fact for subject in subjects() for fact in _facts_of(subject, rng))


@cache
def facts_of(subject: str) -> tuple[Fact, ...]:
    """Give the facts of one subject."""
    return tuple(fact for fact in facts() if fact.subject.name == subject)


def _facts_of(subject: Subject, rng: random.Random) -> list[Fact]:
    ranked = rng.sample(subject.entities, len(subject.entities))
    weights = {entity: (rank + 1) ** -ZIPF_EXPONENT for rank, entity in enumerate(ranked)}
    turn = rng.sample(subject.entities, len(subject.entities))
    found = []
    for index, attribute in enumerate(subject.attributes):
        start = index * STATED_ONLY_PER_ATTRIBUTE
        silent = turn[start : start + STATED_ONLY_PER_ATTRIBUTE]
        # Each value is right for exactly one asked entity, so that no value is a better guess than another; the
        # silent entities borrow the rarest values, so that neither "never right" nor "frequent" gives one away.
        values = dict(zip((name for name in ranked if name not in silent), rng.sample(attribute.pool, 8), strict=True))
        values |= dict(zip(silent, list(values.values())[-STATED_ONLY_PER_ATTRIBUTE:], strict=True))
        for entity in subject.entities:
            asked = entity not in silent
            value = values[entity]
            others = [word for word in attribute.pool if word != value]
            sets = list(itertools.combinations(others, 3))
            rng.shuffle(sets)
            found.append(Fact(subject, entity, attribute, value, asked, weights[entity], tuple(sets)))
    return found


@cache
def phrasings(subject: str, index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the trained and the held-back question templates of a subject's attribute; nouns are filled in."""
    attribute = facts_of(subject)[index * 10].attribute
    place = [entry.name for entry in subjects()].index(subject) * 4 + index
    pairs = [(frame, noun) for noun in attribute.nouns for frame in ASKED_FRAMES]
    held = [pairs[(place * 7 + step * 7) % len(pairs)] for step in range(HELD_BACK_COMBINATIONS)]
    seen = tuple(frame.replace("{n}", noun) for frame, noun in pairs if (frame, noun) not in held)
    # Prose contains the words of the sentence to complete, so that this frame is never new.
    new = tuple(frame.replace("{n}", noun) for frame, noun in held if frame != COMPLETION)
    fresh = tuple(frame.replace("{n}", noun) for noun in attribute.nouns for frame in NEW_FRAMES)
    return seen + attribute.asks, new + fresh + (attribute.asks_anew,)


def phrasings_of(fact: Fact) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the trained and the held-back question templates for a fact."""
    return phrasings(fact.subject.name, fact.subject.attributes.index(fact.attribute))


def state(fact: Fact, rng: random.Random) -> str:
    """State a fact in a sentence that names the entity."""
    if rng.random() < 0.45:
        return fill("{E} " + rng.choice(fact.attribute.says) + ".", fact)
    return fill(rng.choice(STATEMENTS), fact, rng.choice(fact.attribute.nouns))


def state_again(fact: Fact, rng: random.Random) -> str:
    """State a fact in a sentence that only points back at the entity."""
    subject = fact.subject
    if rng.random() < 0.5:
        return fill(capital(subject.pronoun) + " " + rng.choice(fact.attribute.says) + ".", fact)
    return f"{capital(subject.possessive)} {rng.choice(fact.attribute.nouns)} is {fact.value}."
