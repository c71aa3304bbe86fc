from __future__ import annotations

import math
import random

import pytest

from harness.engines.prefix_tree import LEAST_REST, LEAST_SHARED, Stretch, TokenIds, common, grow, tokens


def drawn(seed: int) -> list[TokenIds]:
    """Sequences that are cut from a few common beginnings, which themselves share beginnings; some are beginnings of others."""
    draw = random.Random(seed)
    stems: list[TokenIds] = [()]
    for _ in range(draw.randint(1, 12)):
        longer = tuple(draw.randint(0, 2) for _ in range(draw.choice([1, 2, 5, 40, 100])))
        stems.append((*draw.choice(stems), *longer))
    found = {draw.choice(stems) + tuple(draw.randint(0, 3) for _ in range(draw.randint(0, 6))) for _ in range(60)}
    return sorted(found - {()})


def whole(sequences: list[TokenIds], tree: list[Stretch], number: int) -> TokenIds:
    """Put a sequence together from the last stretch that it goes through and those before it."""
    place = max((at for at, one in enumerate(tree) if one.first <= number < one.last), key=lambda at: tree[at].end)
    parts: list[TokenIds] = []
    step: int | None = place
    while step is not None:
        one = tree[step]
        parts.append(sequences[one.first][one.begin : one.end])
        step = one.parent
    return tuple(token for part in reversed(parts) for token in part)


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.parametrize("ends_inside", [True, False])
def test_every_sequence_is_put_together_again_from_its_stretches(seed: int, ends_inside: bool) -> None:
    sequences = drawn(seed)
    tree = grow(sequences, least=seed % 7 + 1, ends_inside=ends_inside)
    assert [whole(sequences, tree, number) for number in range(len(sequences))] == sequences


@pytest.mark.parametrize("seed", range(120))
def test_stretches_follow_their_parents_and_are_as_long_as_asked(seed: int) -> None:
    sequences, least = drawn(seed), seed % 40 + 1
    tree = grow(sequences, least, ends_inside=bool(seed % 2))
    for place, one in enumerate(tree):
        assert one.parent is None or (one.parent < place and tree[one.parent].shared)
        assert one.begin == (0 if one.parent is None else tree[one.parent].end)
        assert one.end > one.begin
        if one.shared:
            assert one.end - one.begin >= least
            rests = [len(ids) - one.end for ids in sequences[one.first : one.last]]
            assert len(rests) > 1
            assert all(rest >= LEAST_REST or (rest == 0 and seed % 2) for rest in rests)
    assert tokens(tree) <= sum(map(len, sequences))


@pytest.mark.parametrize("seed", range(60))
def test_nothing_that_two_neighbours_share_is_run_twice_beyond_what_the_limits_forbid(seed: int) -> None:
    sequences = drawn(seed)
    tree = grow(sequences, least=1)
    for number in range(len(sequences) - 1):
        shared = common(sequences[number], sequences[number + 1])
        reached = max(
            (one.end for one in tree if one.shared and one.first <= number < number + 1 < one.last), default=0
        )
        assert reached >= shared - 2 * LEAST_REST


def held_at_most(tree: list[Stretch]) -> int:
    """Count the caches that live at once where a parent's is dropped when its last shared child begins."""
    last = {one.parent: place for place, one in enumerate(tree) if one.shared}
    alive: set[int] = set()
    most = 0
    for place, one in enumerate(tree):
        if one.shared:
            if one.parent is not None and last[one.parent] == place:
                alive.discard(one.parent)
            if place in last:
                alive.add(place)
            most = max(most, len(alive))
    return most


@pytest.mark.parametrize("seed", range(60))
def test_few_caches_live_at_once(seed: int) -> None:
    sequences = drawn(seed)
    assert held_at_most(grow(sequences, least=1)) <= math.log2(len(sequences)) + 1


def test_a_staircase_of_beginnings_needs_one_cache_at_a_time_and_no_recursion() -> None:
    sequences = [(1,) * (40 * step) for step in range(1, 2001)]
    tree = grow(sequences)
    assert tokens(tree) == 40 * 2000
    assert held_at_most(tree) == 1


def test_a_beginning_of_one_token_or_few_is_not_worth_a_pass() -> None:
    sequences = sorted((0, *([number] * 50)) for number in range(1, 9))
    tree = grow(sequences)
    assert not any(one.shared for one in tree)
    assert tokens(tree) == 8 * 51
    just = sorted((*([0] * LEAST_SHARED), number, number) for number in range(1, 9))
    assert tokens(grow(just)) == LEAST_SHARED + 8 * 2


def test_no_sequence_is_left_with_one_token_alone() -> None:
    sequences = [(*([0] * 50), number) for number in range(8)]
    assert {one.end - one.begin for one in grow(sequences) if not one.shared} == {LEAST_REST}
    assert tokens(grow(sequences)) == 49 + 8 * 2


def test_a_token_that_merged_across_the_border_only_shortens_what_is_shared() -> None:
    together, apart = (*([0] * 50), 7, 8), (*([0] * 49), 9, 8)
    assert common(together, apart) == 49
    assert tokens(grow(sorted([together, apart]))) == 49 + 3 + 2


def test_nothing_grows_from_nothing() -> None:
    assert grow([]) == []
    assert grow([(1, 2)]) == [Stretch(None, 0, 2, 0, 1, shared=False)]
