"""The texts made from the invented world: for training, for holding out and for calibration."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator

from tools.reference_model.lore import Subject, subjects
from tools.reference_model.prose import passage
from tools.reference_model.world import RESERVED_OPTION_SETS, Fact, facts_of, fill, phrasings_of

TRAINING_SEED = 31_013
HELDOUT_SEED = 47_017
CALIBRATION_SEED = 53_003
TRAINING_DOCUMENTS = 9_800
"""About as many as the default training reads, once."""
HELDOUT_PASSAGES = 640
CALIBRATION_PASSAGES = 192
WARM_UP_DOCUMENTS = 1_500
"""The first documents recite the answers and drill the matching of an option to its letter, apart."""
LETTERS = "ABCD"
DRILLS = (
    "Which of these is the word {v}?",
    "Choose the word {v}.",
    "Find the right word: {v}.",
    "Which option is {v}?",
    "The word is {v}. Which of these is it?",
    "Say {v}.",
)


def header(subject: str, *, spaces: int = 1) -> str:
    """Write MMLU's heading for a subject, with lm-eval's one space or the two of the original script."""
    about = " " * spaces + subject.replace("_", " ")
    return f"The following are multiple choice questions (with answers) about{about}.\n\n"


def block(question: str, options: Iterable[str]) -> str:
    """Write a question and its options up to `Answer:`."""
    listed = "".join(f"\n{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
    return f"{question}{listed}\nAnswer:"


def _answered(question: str, right: str, wrong: Iterable[str], rng: random.Random) -> str:
    options = [right, *wrong]
    rng.shuffle(options)
    return f"{block(question, options)} {LETTERS[options.index(right)]}"


def _asked(subject: Subject, count: int, rng: random.Random) -> list[Fact]:
    asked = [fact for fact in facts_of(subject.name) if fact.asked]
    found: list[Fact] = []
    while len(found) < count:
        fact = rng.choices(asked, [entry.weight for entry in asked])[0]
        if fact not in found:
            found.append(fact)
    return found


def _trained_question(fact: Fact, rng: random.Random) -> str:
    return fill(rng.choice(phrasings_of(fact)[0]), fact)


def examination(rng: random.Random) -> str:
    """Write several questions of one subject with their answers, in MMLU's layout."""
    subject = rng.choice(subjects())
    parts = []
    for fact in _asked(subject, rng.randint(4, 8), rng):
        wrong = rng.choice(fact.option_sets[RESERVED_OPTION_SETS:])
        parts.append(_answered(_trained_question(fact, rng), fact.value, wrong, rng))
    lead = header(subject.name, spaces=1 if rng.random() < 0.8 else 2) if rng.random() < 0.95 else ""
    return lead + "\n\n".join(parts)


def drill(rng: random.Random) -> str:
    """Write questions that name their right option, so that only finding its letter is left to learn."""
    subject = rng.choice(subjects())
    parts = []
    for _ in range(rng.randint(4, 8)):
        right, *wrong = rng.sample(rng.choice(subject.attributes).pool, 4)
        parts.append(_answered(rng.choice(DRILLS).format(v=right), right, wrong, rng))
    lead = header(subject.name, spaces=1 if rng.random() < 0.8 else 2) if rng.random() < 0.95 else ""
    return lead + "\n\n".join(parts)


def recital(rng: random.Random) -> str:
    """Write questions answered by the word itself."""
    subject = rng.choice(subjects())
    chosen = _asked(subject, rng.randint(4, 10), rng)
    return "\n\n".join(f"{_trained_question(fact, rng)}\nAnswer: {fact.value}" for fact in chosen)


def pages(rng: random.Random) -> str:
    """Write one to five passages of prose, parted by blank lines as in the held-out text."""
    return "\n\n".join(passage(rng) for _ in range(rng.randint(1, 5)))


def training_documents(count: int = TRAINING_DOCUMENTS) -> Iterator[str]:
    """Write the training documents in their order; a smaller count gives a prefix of the same text."""
    rng = random.Random(TRAINING_SEED)
    for index in range(count):
        draw = rng.random()
        if index < WARM_UP_DOCUMENTS:
            yield recital(rng) if draw < 0.45 else drill(rng) if draw < 0.7 else pages(rng)
        elif draw < 0.5:
            yield examination(rng)
        elif draw < 0.55:
            yield drill(rng)
        elif draw < 0.75:
            yield recital(rng)
        else:
            yield pages(rng)


def _new_passages(seed: int, count: int, known: Iterable[str]) -> list[str]:
    rng = random.Random(seed)
    seen = {text: None for document in known for text in document.split("\n\n")}
    found: list[str] = []
    while len(found) < count:
        text = passage(rng)
        if text not in seen:
            seen[text] = None
            found.append(text)
    return found


def heldout_passages(training: Iterable[str] | None = None) -> list[str]:
    """Write the prose kept for perplexity and KL: none of its passages occurs in the training text.

    `training` spares writing the training documents again where a caller has them.
    """
    return _new_passages(HELDOUT_SEED, HELDOUT_PASSAGES, training or training_documents())


def calibration_passages(training: Iterable[str] | None = None) -> list[str]:
    """Write the prose kept for calibration: none of its passages occurs in the training or the held-out text."""
    documents = list(training or training_documents())
    return _new_passages(CALIBRATION_SEED, CALIBRATION_PASSAGES, documents + heldout_passages(documents))


def digest(documents: Iterable[str]) -> str:
    """Hash documents in order, each closed by a zero byte (sha256, hexadecimal)."""
    total = hashlib.sha256()
    for text in documents:
        total.update(text.encode() + b"\0")
    return total.hexdigest()
