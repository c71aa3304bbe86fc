"""Prose of the invented world: portraits of one thing, comparisons and small stories, which never ask about it."""

from __future__ import annotations

import random

from tools.reference_model.lore import subjects
from tools.reference_model.world import Fact, capital, facts_of, fill, state, state_again

PEOPLE = ("Ada", "Bruno", "Clara", "Dario", "Elin", "Felix", "Greta", "Henrik", "Ines", "Jonas", "Karin", "Luca")
PLACES = ("market", "harbour", "school", "library", "meadow", "old wall", "ferry", "inn", "orchard", "hilltop")
THINGS = ("map", "book", "cloak", "rope", "jar", "letter", "ladder", "blanket", "stick", "box")
MOODS = ("happy", "tired", "curious", "quiet", "proud", "worried", "merry", "patient")
DAYS = (
    "One day",
    "One evening",
    "Last winter",
    "Early in the year",
    "After the storm",
    "On a bright morning",
    "Long ago",
)
OPENINGS = (
    "{day} {a} and {b} went to the {place}.",
    "{day} {a} met {b} near the {place}.",
    "{day} {a} was sitting by the {place} with a {thing}.",
    "{a} had lost a {thing}, and {b} helped to look for it at the {place}.",
    "{day} a stranger came to the {place} and gave {a} a {thing}.",
    "{a} and {b} were {mood}, because they had to wait at the {place} all day.",
)
TURNS = (
    "They began to talk about {e}.",
    "There somebody told them about {e}.",
    "In the {thing} there was a picture of {e}.",
    "{b} knew a lot about {e}.",
    "An old woman was telling stories about {e}.",
    "{a} wanted to hear more about {e}.",
)
BETWEEN = (
    "{a} was {mood} and listened.",
    "{b} wrote it down at once.",
    "{a} laughed and put the {thing} away.",
    "They sat down beside the {place} and shared some bread.",
    "{b} had never heard that before.",
    "For a while nobody said a word.",
    "The wind moved the {thing} a little.",
    "{a} looked at {b} and nodded.",
)
ENDINGS = (
    "Then they walked home together.",
    "In the end {a} was {mood}, and {b} was {mood2}.",
    "When it grew dark they left the {place}.",
    "{b} kept the {thing} and never forgot that day.",
    "The next day they told everybody at the {place}.",
    "That is all {a} remembers.",
)
KINDS = {
    "island_birds": "a bird of the islands",
    "hill_towns": "a town in the hills",
    "herb_lore": "a herb that healers know",
    "river_boats": "a boat on the long river",
    "stone_craft": "a stone that cutters like",
    "feast_days": "a feast that everybody keeps",
    "guild_people": "a member of the guild",
    "night_sky": "a star in the night sky",
}


def one_entity(rng: random.Random) -> list[Fact]:
    """Choose a subject evenly and one of its entities by frequency, and give its facts in random order."""
    subject = rng.choice(subjects())
    known = facts_of(subject.name)
    first = rng.choices(known, [fact.weight for fact in known])[0]
    found = [fact for fact in known if fact.entity == first.entity]
    rng.shuffle(found)
    return found


def portrait(rng: random.Random) -> str:
    """Describe one entity in three to five sentences."""
    known = one_entity(rng)
    lines = []
    if rng.random() < 0.6:
        lines.append(f"{capital(known[0].name)} is {KINDS[known[0].subject.name]}.")
    else:
        lines.append(state(known.pop(), rng))
    told = known[: rng.randint(2, 4)]
    return " ".join([*lines, *(state_again(fact, rng) if rng.random() < 0.6 else state(fact, rng) for fact in told)])


def comparison(rng: random.Random) -> str:
    """Set two to four entities side by side by the same attribute."""
    seed = one_entity(rng)[0]
    alike = [fact for fact in facts_of(seed.subject.name) if fact.attribute is seed.attribute]
    chosen = rng.sample(alike, rng.randint(2, 4))
    noun = rng.choice(seed.attribute.nouns)
    if rng.random() < 0.5:
        parts = [fill("the {n} of {e} is {v}", fact, noun) for fact in chosen]
    else:
        verb = rng.choice(seed.attribute.says)
        parts = [fill("{e} " + verb, fact) for fact in chosen]
    joined = ", ".join(parts[:-1]) + rng.choice((", and ", ", but ", ", while ")) + parts[-1]
    return capital(joined) + "."


def story(rng: random.Random) -> str:
    """Tell of two people who hear something about one entity."""
    first, second = rng.sample(PEOPLE, 2)
    slots = {
        "a": first,
        "b": second,
        "place": rng.choice(PLACES),
        "thing": rng.choice(THINGS),
        "mood": rng.choice(MOODS),
        "mood2": rng.choice(MOODS),
        "day": rng.choice(DAYS),
    }
    known = one_entity(rng)[: rng.randint(2, 4)]
    lines = [rng.choice(OPENINGS).format(**slots), rng.choice(TURNS).format(e=known[0].name, **slots)]
    for index, fact in enumerate(known):
        lines.append(_told(fact, index, slots, rng))
        if rng.random() < 0.5:
            lines.append(rng.choice(BETWEEN).format(**slots))
    lines.append(rng.choice(ENDINGS).format(**slots))
    return " ".join(lines)


def _told(fact: Fact, index: int, slots: dict[str, str], rng: random.Random) -> str:
    sentence = state(fact, rng) if index == 0 or rng.random() < 0.5 else state_again(fact, rng)
    if rng.random() < 0.4:
        return f'"{sentence[:-1]}," said {slots[rng.choice("ab")]}.'
    return sentence


def passage(rng: random.Random) -> str:
    """Write one passage of prose."""
    draw = rng.random()
    if draw < 0.4:
        return portrait(rng)
    if draw < 0.65:
        return comparison(rng)
    return story(rng)
