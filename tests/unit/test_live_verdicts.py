"""The pools that live comparisons are replayed from: whole, balanced, and those that the committed record is of."""

from __future__ import annotations

from tests.benchmarks import aa_pool, live_blocks, live_pool, live_rules

RECORD = live_pool.POOL.with_name("live_verdicts.txt")


def test_a_block_of_the_pool_is_three_arms_that_run_backwards_in_its_second_half() -> None:
    import random

    draw = random.Random(1)
    orders = {live_pool.order_of(draw) for _ in range(100)}
    assert len(orders) == 6, "every order comes"
    assert all(order == order[::-1] and set(order) == set(live_pool.ARMS) for order in orders)


def test_every_block_has_two_rounds_of_each_arm_and_the_record_is_of_this_pool() -> None:
    pools = [live_blocks.own_pool(), *map(live_blocks.quieter_pool, aa_pool.METHODS)]
    assert all(set(one.arms) == {"a", "b", "slow"} for pool in pools for one in pool)
    told = RECORD.read_text("utf-8")
    for pool in pools:
        assert f": {len(pool)} blocks in {len(live_blocks.stretches(pool))} sittings" in told


def test_other_rules_see_what_they_are_made_for() -> None:
    steady, slower = [0.0] * 20, [-0.2] * 20
    for rule in live_rules.RULES.values():
        assert not rule(steady, steady)
        assert rule(steady, slower)
