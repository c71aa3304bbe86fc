"""The canaries of a night, replayed: a loss of the gate's margin times 1.5, by the path of every other comparison of a night.

    python -m tests.benchmarks.night_canary --nights 30 > tests/benchmarks/records/night_canary.txt     # on engines; a quiet machine

Speed, replayed (`nights`, part gated): each night draws stretches of blocks from a pool of real rounds (`live_blocks`), slows one side down, and has it judged as
`compare --live` judges, at the gate's rate over so many comparisons as a night has; what is worse is measured again by another stretch, and must be confirmed.

Speed, on engines: each night's seed draws a series of the shipped model, whose engine works longer for each token; its rounds and those of the
baseline run as a night has them run, within the seconds that canaries may take of a night of `BUDGET_SECONDS`.

Quality: the shipped model is built and scored once as a night does it; then each night's seed draws a series, and the night's own code runs its engine worse
by that much, twice, in a folder of its own, judges it as one of the night's numbers and confirms it.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import yaml
from rich.console import Console

from harness.commands.machine import open_workspace, plan_sweep
from harness.commands.night_canary import CanaryNight, canary_budget, canary_folder, run_canaries
from harness.commands.night_quality import run_quality
from harness.commands.night_rounds import NightReading, family_of
from harness.commands.workspace import Workspace, here
from harness.comparing.gate import read_gate
from harness.night.record import NightCanary
from harness.numbers import blocks, proportions
from harness.numbers.blocks import SHARES, Block
from harness.numbers.nights import NightValue, is_confirmed
from harness.numbers.rounds import SHARPER
from harness.runner.night import most_blocks, night_pairs
from tests.benchmarks import aa_pool, live_blocks
from tests.benchmarks.facts import headline, result
from tests.benchmarks.live_blocks import PoolBlock

SEED, NIGHTS, TURNS, BUDGET = 20261129, 30, 20, 45
MARGIN = math.log1p(0.05)
TIMES, SIDES = 1.5, ("a", "b")
FALSE_ALARMS, COMPARISONS = 0.01, 20
"""The gate's rate, and comparisons of a night over which it holds: a single change among them has to pass their share of it."""
LEAST = 0.95


def found_in_time() -> bool:
    """Print how often the canary is found, and an unslowed side called; say whether 95 % of nights find it on every pool."""
    good = True
    pools = {"busy machine, int4": live_blocks.own_pool()} | {
        f"quieter machine, {name}": live_blocks.quieter_pool(name) for name in aa_pool.METHODS
    }
    for name, real in pools.items():
        shares = []
        for size in (-TIMES * MARGIN, 0.0):
            draw = random.Random(f"{SEED} {name} {size}")
            nights = [is_called(real, size, draw) for _ in range(NIGHTS * TURNS)]
            shares.append(proportions.share(sum(nights), len(nights)))
            if size:
                whole = [sum(nights[start : start + NIGHTS]) for start in range(0, len(nights), NIGHTS)]
                good = good and shares[0][0] >= LEAST
        told = [f"{share:.1%} [{low:.1%}, {high:.1%}]" for share, low, high in shares]
        print(
            f"canary of {math.expm1(-TIMES * MARGIN):+.1%} on {name}, at most {BUDGET} blocks: found in {told[0]} of {NIGHTS * TURNS} nights "
            f"(of {NIGHTS} at a time {min(whole)} to {max(whole)}); without it called in {told[1]}"
        )
    return good


def is_called(real: Sequence[PoolBlock], size: float, draw: random.Random) -> bool:
    """Replay one night's comparison: shown to be slower, measured again, and confirmed."""
    first, again = live_blocks.drawn(real, min(BUDGET, len(real)), 2, draw)
    found = [live_blocks.compare(some, SIDES, math.exp(size), FALSE_ALARMS / COMPARISONS) for some in (first, again)]
    if found[0].word != "worse":
        return False
    values = [night_value(some[: one.blocks], size) for some, one in zip((first, again), found, strict=True)]
    return is_confirmed(values[0], values[1], margin=MARGIN)


def night_value(some: Sequence[PoolBlock], size: float) -> NightValue:
    """Return what the blocks of a comparison measured, at one pace of the machine where `compare` takes that."""
    scales = [
        [
            Block((value[0], value[1]), (value[2] + size, value[3] + size))
            for one in some
            for value in [_logs(one, place)]
        ]
        for place in (0, 1)
    ]
    at_pace = blocks.spread(scales[1]) < SHARPER * blocks.spread(scales[0])
    look = blocks.look_at(scales[at_pace], SHARES[0])
    return NightValue(blocks.estimate([look]), look.error, degrees=look.degrees)


def _logs(one: PoolBlock, place: int) -> tuple[float, ...]:
    return tuple(math.log(value[place]) for side in SIDES for value in one.arms[side])


# ---------------------------------------------------------------- on engines

BASELINE, TONIGHT = "released", "tonight"
BUDGET_SECONDS = 900.0
"""Of a night, of which its canary may take a part."""
METHODS = ["fp32", "int8", {"int4_rtn": "ort-genai"}]
SCORED = {"tokens": 8000, "window": 512, "stride": 256}
SWEEP = {
    "title": "Canaries of quality", "model": "reference", "engine": {"ort-genai": {"provider": "cpu"}}, "environment": BASELINE, "method": METHODS, "verify": False, "skip": [{"probe": "output_check"}],
    "probes": {"perplexity": SCORED, "kl_divergence": {**SCORED, "reference": {"method": "fp32"}}},
}  # fmt: skip
TIMED = {
    "title": "Canaries of speed", "model": "reference", "engine": {"ort-genai": {"provider": "cpu"}}, "environment": [BASELINE, TONIGHT],
    "method": METHODS, "verify": False, "skip": [{"probe": "output_check"}],
    "probes": {"generation": {"protocol": "genai-e2e-0.9-median", "batch": [1, 4], "prompt": 128, "output": 128, "repetitions": 8}},
}  # fmt: skip


def workspace_in(folder: Path, sweep: dict[str, object]) -> Workspace:
    """Write a workspace with one sweep, whose environments are this interpreter."""
    configs = folder / "configs"
    (configs / "sweeps").mkdir(parents=True)
    (folder / "harness.yaml").write_text("version: 1\n", "utf-8")
    places = {name: {"python": sys.executable} for name in (BASELINE, TONIGHT)}
    (configs / "environments.yaml").write_text(yaml.safe_dump(places), "utf-8")
    (configs / "sweeps" / "q.yaml").write_text(yaml.safe_dump(sweep), "utf-8")
    return here(start=folder)


def found_in_rounds(folder: Path, nights: int) -> bool:
    """Build once, then put a slowdown on a real engine for each seed; print what was found and say whether 95 % were."""
    workspace, console = workspace_in(folder, TIMED), Console(stderr=True)
    planned = plan_sweep("q", workspace)
    pairs = night_pairs(planned.plan, (BASELINE, TONIGHT)).pairs
    with ExitStack() as stack:
        opened = open_workspace(planned, stack)
        runs, found, seconds = run_quality(planned.plan, opened, console), list[NightCanary](), list[float]()
        family = family_of(planned.plan, BASELINE, {})
        for seed in range(SEED, SEED + nights):
            night = CanaryNight(
                planned.plan, BASELINE, opened, runs, read_gate(workspace.named), seed, NightReading({}, ""), family, console,
                canary_budget(BUDGET_SECONDS, BUDGET_SECONDS),
            )  # fmt: skip
            begun = time.monotonic()
            (one,) = run_canaries(
                night, pairs, canary_folder(folder / str(seed), "replayed", anew=True), most_blocks(pairs)
            )
            found.append(one)
            seconds.append(time.monotonic() - begun)
            _told(one, seed, f", {seconds[-1]:.0f} s")
    skipped = sum(one.skipped for one in found)
    share, low, high = proportions.share(sum(one.found for one in found), nights - skipped)
    print(
        f"speed: {len({one.name for one in found})} of {len(pairs)} series drawn, {sum(seconds) / nights:.0f} s a night of at most "
        f"{canary_budget(BUDGET_SECONDS, BUDGET_SECONDS):.0f}, {family} numbers of the night; found in {share:.1%} [{low:.1%}, {high:.1%}] of "
        f"{nights - skipped} nights (95 % are wanted), {skipped} disturbed and skipped",
        flush=True,
    )
    return share >= LEAST and 2 * skipped < nights and all(one.injected == "engine" for one in found)


def _told(one: NightCanary, seed: int, more: str = "") -> None:
    word = "found" if one.found else "skipped" if one.skipped else "NOT FOUND"
    print(f"night {seed}: {one.name}, {one.size}, in an {one.injected}: {word}, {one.said}{more}", flush=True)


def found_by_engines(folder: Path, nights: int) -> bool:
    """Build and score once, then put a canary of quality on a real engine for each seed; print what was found and say whether 95 % were."""
    workspace, console = workspace_in(folder, SWEEP), Console(stderr=True)
    planned = plan_sweep("q", workspace)
    with ExitStack() as stack:
        opened = open_workspace(planned, stack)
        runs, begun = run_quality(planned.plan, opened, console), time.monotonic()
        family = family_of(planned.plan, BASELINE, {})
        found = []
        for seed in range(SEED, SEED + nights):
            night = CanaryNight(
                planned.plan, BASELINE, opened, runs, read_gate(workspace.named), seed, NightReading({}, {}), family, console, 0.0
            )  # fmt: skip
            found += run_canaries(night, (), canary_folder(folder / str(seed), "replayed", anew=True), 0)
            _told(found[-1], seed)
        drawn = Counter(f"{one.name} {one.size.split(' ', 1)[1]}" for one in found)
        share, low, high = proportions.share(sum(one.found for one in found), nights)
        seconds = (time.monotonic() - begun) / nights
    print(
        f"{len(drawn)} series drawn, {min(drawn.values())} to {max(drawn.values())} times; {seconds:.0f} s a night, {family} numbers of the night"
    )
    print(f"found in {share:.1%} [{low:.1%}, {high:.1%}] of {nights} nights (95 % are wanted)")
    return share >= LEAST and all(one.injected == "engine" for one in found)


PARTS: dict[str, Callable[[Path, int], bool]] = {"speed": found_in_rounds, "quality": found_by_engines}


def main() -> None:
    """Replay so many nights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--part", choices=("all", *PARTS), default="all")
    asked = parser.parse_args()
    part = "" if asked.part == "all" else f" --part {asked.part}"
    headline(f"python -m tests.benchmarks.night_canary --nights {asked.nights}{part}")
    with tempfile.TemporaryDirectory() as scratch:
        good = [work(Path(scratch) / name, asked.nights) for name, work in PARTS.items() if asked.part in {name, "all"}]
    sys.exit(result(all(good)))


if __name__ == "__main__":
    main()
