"""The invented world's vocabulary: subjects, names, attributes and the words that may fill them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache


@dataclass(frozen=True)
class Attribute:
    """One thing that can be said of every entity of a subject; the pool's words exclude one another."""

    nouns: tuple[str, str]
    """Two names of the attribute; every phrasing made from a frame uses one of them."""
    says: tuple[str, str]
    """Verb phrases for statements; `{v}` is the value."""
    asks: tuple[str, str]
    """Questions used in training; `{e}` is the entity with its article."""
    asks_anew: str
    """A question kept for the exam."""
    pool: tuple[str, ...]
    """Eight values; right and wrong options alike come from here."""


@dataclass(frozen=True)
class Subject:
    """A field of knowledge with ten entities and four attributes."""

    name: str
    """File and prompt name, words joined by underscores as in MMLU."""
    article: str
    """What stands before an entity's name, lower case unless a title."""
    pronoun: str
    possessive: str
    entities: tuple[str, ...]
    attributes: tuple[Attribute, ...]


# A line of a subject: name | article | pronoun | possessive | entities; a line of an attribute, indented:
# nouns | verb phrases | questions | the exam's question | pool.
WORLD = """
island_birds | the | it | its | fenn tarl wisk ombo jurro plim serrik dovak yarl nebbin
  food/diet | eats {v}/lives on {v} | What does {e} eat?/What does {e} like to eat? | What will {e} eat? | moss seeds snails berries shrimp beetles nuts roots
  nest/home | nests in {v}/makes a home in {v} | Where does {e} nest?/Where is {e} at home? | Where will {e} nest? | reeds cliffs chimneys hollows sand thatch ivy caves
  colour/plumage | is coloured {v}/wears {v} feathers | What colour is {e}?/What feathers does {e} wear? | How is {e} coloured? | red blue grey green gold black white brown
  call/song | calls with a {v}/sings a {v} | How does {e} call?/What does {e} sing? | What will {e} sing? | whistle hoot click trill croak hum chirp rattle
hill_towns | the town of | it | its | Brill Oskan Tamm Velder Hroth Pell Quorn Lissa Urdin Marn
  trade/business | lives by selling {v}/sells {v} | What does {e} sell?/What is sold in {e}? | What will {e} sell? | wool salt glass paper cheese honey iron leather
  landmark/monument | is built around a {v}/shows visitors its {v} | What is {e} built around?/What does {e} show to visitors? | What will {e} show to visitors? | tower bridge mill fountain gate temple well arch
  weather/climate | suffers much {v}/is famous for {v} | What does {e} suffer?/For what is {e} famous? | What will {e} suffer? | fog rain hail frost sun wind thunder snow
  emblem/badge | carries a {v} on its shield/paints a {v} on its doors | What does {e} carry on its shield?/What does {e} paint on its doors? | What is painted on the doors of {e}? | lion owl crown anchor bear wolf rose stag
herb_lore | the herb | it | its | mirrow salgo tesk aldine borrit chay dunnel ersk fillo grane
  cure/remedy | heals {v}/is taken against {v} | What does {e} heal?/Against what is {e} taken? | What will {e} heal? | cough fever rash cramp burns ache chills warts
  scent/smell | smells of {v}/gives off a smell of {v} | What does {e} smell of?/What smell does {e} give off? | Of what does {e} smell? | mint lemon smoke pepper vanilla apple pine clove
  month/harvest | is picked in {v}/is ripe in {v} | When is {e} picked?/When is {e} ripe? | When will {e} be ripe? | March April May June July August October November
  soil/ground | grows in {v}/takes root in {v} | Where does {e} grow?/Where does {e} take root? | Where will {e} grow? | clay chalk peat gravel loam ash silt marl
river_boats | the boat | it | its | Tansy Gullan Ivo Kestra Loma Merrit Noll Petrel Runa Sedge
  cargo/load | carries {v}/is loaded with {v} | What does {e} carry?/With what is {e} loaded? | What will {e} carry? | coal grain timber wine tiles flour cloth bricks
  captain/owner | is steered by {v}/belongs to {v} | Who steers {e}?/To whom does {e} belong? | Who will steer {e}? | Abel Cora Ruth Silas Edda Hugo Nina Otto
  drive/power | is moved by {v}/travels by {v} | What moves {e}?/How does {e} travel? | How will {e} travel? | sail steam oars pole horse rope kite wheel
  flag/pennant | flies a {v}/shows a {v} on its mast | What does {e} fly?/What does {e} show on its mast? | What will {e} fly? | stripe star cross moon heron spiral diamond arrow
stone_craft | the stone | it | its | quellite basco corvine dellan ebrite furlite garno hesk jollite karst
  use/purpose | is cut into {v}/is good for {v} | Into what is {e} cut?/What is {e} good for? | For what is {e} good? | rings knives bowls roofs beads lamps mirrors dice
  source/origin | is found in a {v}/comes from a {v} | Where is {e} found?/Where does {e} come from? | From where does {e} come? | volcano desert marsh quarry glacier lagoon canyon delta
  price/cost | sells for {v} coins/costs {v} coins | For how many coins does {e} sell?/How many coins does {e} cost? | How many coins will {e} cost? | two three four five six seven eight nine
  feel/touch | feels {v}/is {v} in the hand | How does {e} feel?/How is {e} in the hand? | How will {e} feel? | smooth rough waxy oily sticky silky cold warm
feast_days | the feast of | it | its | Arvel Belin Cassa Dorrin Esmer Fylde Gorm Hallow Ister Jonna
  dish/meal | is eaten with {v}/brings {v} to the table | With what is {e} eaten?/What does {e} bring to the table? | What will {e} bring to the table? | stew pie soup cake dumplings pancakes pudding bread
  dance/step | is danced with a {v}/ends in a {v} | How is {e} danced?/In what does {e} end? | In what will {e} end? | jig waltz reel polka march tango minuet gavotte
  gift/present | is marked by giving a {v}/asks for a {v} | What is given at {e}?/What does {e} ask for? | What will be given at {e}? | candle ribbon coin drum scarf feather lantern basket
  hour/time | begins at {v}/opens at {v} | When does {e} begin?/When does {e} open? | When will {e} begin? | dawn morning noon afternoon dusk evening midnight night
guild_people | Master | he | his | Orlo Radek Simm Tobin Ulric Vance Wendel Yorick Zeno Brandt
  job/craft | works as a {v}/earns money as a {v} | As what does {e} work?/How does {e} earn money? | As what will {e} work? | baker tailor potter weaver mason cooper tanner printer
  pet/companion | keeps a {v}/walks out with a {v} | What does {e} keep?/With what does {e} walk out? | What will {e} keep? | cat dog goat parrot rabbit turtle ferret pony
  instrument/music | plays the {v}/practises the {v} | What does {e} play?/What does {e} practise? | What will {e} play? | flute harp fiddle horn lute cello organ bagpipe
  drink/cup | drinks {v}/asks the host for {v} | What does {e} drink?/What does {e} ask the host for? | What will {e} drink? | tea cider milk cocoa juice coffee ale water
night_sky | the star | it | its | Altho Bexar Cymir Delph Eridu Fomal Gessa Hydor Ilmar Juno
  light/glow | shines {v}/burns {v} | How does {e} shine?/How does {e} burn? | How will {e} shine? | amber violet silver crimson emerald ivory copper pearl
  place/quarter | stands in the {v}/rises in the {v} | Where does {e} stand?/Where does {e} rise? | Where will {e} rise? | north south east west zenith horizon meridian centre
  followers/friends | guides {v}/is loved by {v} | Whom does {e} guide?/By whom is {e} loved? | Whom will {e} guide? | sailors shepherds pilgrims hunters farmers miners poets traders
  omen/promise | promises {v}/is a sign of {v} | What does {e} promise?/Of what is {e} a sign? | What will {e} promise? | war peace wealth love storm drought luck plague
"""


def _attribute(line: str) -> Attribute:
    nouns, says, asks, asks_anew, pool = line.strip().split(" | ")
    first, second = nouns.split("/")
    said, also_said = says.split("/")
    asked, also_asked = asks.split("/")
    return Attribute((first, second), (said, also_said), (asked, also_asked), asks_anew, tuple(pool.split()))


@cache
def subjects() -> tuple[Subject, ...]:
    """Give the eight subjects, always in the same order."""
    found: list[Subject] = []
    for line in WORLD.strip().splitlines():
        if line.startswith(" "):
            found[-1] = replace(found[-1], attributes=(*found[-1].attributes, _attribute(line)))
        else:
            name, article, pronoun, possessive, entities = line.split(" | ")
            found.append(Subject(name, article, pronoun, possessive, tuple(entities.split()), ()))
    return tuple(found)
