"""Scores and greedy continuations of many requests at once: what several begin with alike is run once, its cache continues each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.core.sessions import Enough, Request, Score
from harness.engines import decoding, prefix_tree, scoring
from harness.engines.prefix_tree import Stretch, TokenIds
from harness.engines.sharing import SharesCaches

if TYPE_CHECKING:
    from harness.engines.scoring import Indices, Rows


def score(forward: SharesCaches, requests: Sequence[Request]) -> list[Score]:
    """Score requests; results stand in their order, and equal those of `scoring.score` up to an engine's rounding.

    Sequences that begin with the same LEAST_SHARED tokens or more share that part's pass, however requests are ordered. What
    shares nothing, or may not be shared, is scored by `scoring.score`. The passes depend on the requests and constants alone.
    """
    owners = scoring.by_tokens(forward, requests)
    shared, alone = _apart(forward, sorted(owners))
    found: list[Score | None] = [None] * len(requests)
    numbers = sorted(number for ids in alone for number in owners[ids])
    for number, one in zip(numbers, scoring.score(forward, [requests[at] for at in numbers]), strict=True):
        found[number] = one
    sums = _Sums(requests, owners, shared)
    tree = prefix_tree.grow(shared)
    for held, cache, leaves in _walk(forward, shared, tree, sums.wanted, sums.take):
        for batch in _batches(forward, held, leaves, sums.wanted):
            sums.take_all(batch, _continued(forward, shared, cache, batch, sums.wanted))
    for number in (number for ids in shared for number in owners[ids]):
        found[number] = sums.score(number)
    return [one for one in found if one is not None]


def greedy(
    forward: SharesCaches,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    never: Sequence[int] = (),
    ended: Enough | None = None,
) -> list[list[int]]:
    """Continue each prompt as `decoding.greedy` does; what prompts begin with alike is run once. Results stand in their order."""
    given = [tuple(prompt) for prompt in prompts]
    for prompt in given:
        decoding.check_prompt(forward, prompt, tokens)
    reach = {prompt: len(prompt) + tokens for prompt in given}
    shared, alone = _apart(forward, sorted(reach), beyond=tokens)
    made = {prompt: decoding.greedy(forward, prompt, tokens, never, ended) for prompt in alone}
    tree = prefix_tree.grow(shared, ends_inside=False)
    for held, cache, leaves in _walk(forward, shared, tree, _nothing, _ignore):
        for leaf in leaves:
            prompt = shared[leaf.first]
            made[prompt] = decoding.greedy(forward, prompt, tokens, never, ended, cache=cache, held=held)
    return [list(made[prompt]) for prompt in given]


# ---------------------------------------------------------------- which sequences share


def _apart(
    forward: SharesCaches, sequences: Sequence[TokenIds], beyond: int = 0
) -> tuple[list[TokenIds], list[TokenIds]]:
    """Part sorted sequences into those that share a beginning with another and those to be run whole.

    beyond: tokens that will follow each sequence. Those that would share, were it allowed, are counted in `forward.whole`.
    """
    may = [ids for ids in sequences if forward.sharing.allows(len(ids) + beyond)]
    beginnings = _sharing(may)
    if len(may) < len(sequences):
        forward.whole += sum(ids not in beginnings for ids in _sharing(sequences))
    return [ids for ids in may if ids in beginnings], [ids for ids in sequences if ids not in beginnings]


def _sharing(sequences: Sequence[TokenIds]) -> set[TokenIds]:
    tree = prefix_tree.grow(sequences)
    return {ids for one in tree if one.shared and one.parent is None for ids in sequences[one.first : one.last]}


# ---------------------------------------------------------------- passes

_Wanted = Callable[[Stretch], "Indices"]
_Take = Callable[[Stretch, "Rows"], None]


def _walk(
    forward: SharesCaches, sequences: Sequence[TokenIds], tree: Sequence[Stretch], wanted: _Wanted, take: _Take
) -> Iterator[tuple[int, object, list[Stretch]]]:
    """Run shared stretches, parents first; yield the tokens that a cache holds, the cache, and the rests that follow it.

    What follows nothing comes first, with no cache: a limit may have left nothing to share. A cache is let go of as soon as the last stretch that follows it begins.
    """
    leaves: dict[int | None, list[Stretch]] = {}
    last = {stretch.parent: place for place, stretch in enumerate(tree) if stretch.shared}
    for stretch in tree:
        if not stretch.shared:
            leaves.setdefault(stretch.parent, []).append(stretch)
    caches: dict[int | None, object] = {None: None}
    if None in leaves:
        yield 0, None, leaves[None]
    for place, stretch in enumerate(tree):
        if not stretch.shared:
            continue
        ids = sequences[stretch.first][stretch.begin : stretch.end]
        over = stretch.parent is not None and last[stretch.parent] == place
        before = caches.pop(stretch.parent) if over else caches[stretch.parent]
        rows, cache = scoring.run_long(forward, ids, wanted(stretch), before, keep=True)
        take(stretch, rows)
        yield stretch.end, cache, leaves.get(place, [])
        if place in last:
            caches[place] = cache


def _batches(forward: SharesCaches, held: int, leaves: Sequence[Stretch], wanted: _Wanted) -> Iterator[list[Stretch]]:
    """Cut the rests behind a cache of `held` tokens into passes, longest first; one by one where the engine takes no batch."""
    batch: list[Stretch] = []
    for leaf in sorted(leaves, key=lambda leaf: leaf.begin - leaf.end):
        if batch and not _fits(forward, held, [*batch, leaf], wanted):
            yield batch
            batch = []
        batch.append(leaf)
    if batch:
        yield batch


def _fits(forward: SharesCaches, held: int, batch: Sequence[Stretch], wanted: _Wanted) -> bool:
    """Tell whether rests fit one pass: its tokens, the copies of the cache, and the logits.

    In one row each rest is multiplied with all others, too, and then hidden from them: no more of them than half of what is shared.
    """
    if not forward.sharing.batched:
        return False
    lengths, budget = [leaf.end - leaf.begin for leaf in batch], forward.budget
    in_row = forward.sharing.in_row
    tokens = sum(lengths) if in_row else max(lengths) * len(batch)
    rows = sum(len(wanted(leaf)) for leaf in batch) if forward.picks else tokens
    room = tokens <= max(in_row, held // 2) if in_row else held * len(batch) + tokens <= budget.held
    return room and budget.holds(tokens, rows, forward.vocabulary)


def _continued(
    forward: SharesCaches, sequences: Sequence[TokenIds], cache: object, batch: Sequence[Stretch], wanted: _Wanted
) -> list[Rows]:
    rests = [sequences[leaf.first][leaf.begin : leaf.end] for leaf in batch]
    asked = [wanted(leaf) for leaf in batch]
    if len(batch) == 1:
        return [scoring.run_long(forward, rests[0], asked[0], cache, keep=False)[0]]
    return forward.run(rests, asked, cache, keep=False)[0]


def _nothing(stretch: Stretch) -> Indices:
    import numpy as np

    del stretch
    return np.empty(0, dtype=np.int64)


def _ignore(stretch: Stretch, rows: Rows) -> None:
    del stretch, rows


# ---------------------------------------------------------------- sums


class _Sums:
    """Log-likelihoods that grow stretch by stretch, in float64."""

    def __init__(
        self, requests: Sequence[Request], owners: Mapping[TokenIds, Sequence[int]], sequences: Sequence[TokenIds]
    ) -> None:
        self._requests = requests
        self._owners = [owners[ids] for ids in sequences]
        self._firsts = [min(len(requests[number].context) for number in here) - 1 for here in self._owners]
        self._sums = dict.fromkeys((number for here in self._owners for number in here), 0.0)
        self._missed: set[int] = set()

    def score(self, number: int) -> Score:
        """Give what has been added up for a request."""
        return Score(logprob=self._sums[number], greedy=number not in self._missed)

    def wanted(self, stretch: Stretch) -> Indices:
        """Give the places in a stretch behind which somebody scores a token."""
        import numpy as np

        return np.arange(self._begin(stretch), stretch.end, dtype=np.int64) - stretch.begin

    def _begin(self, stretch: Stretch) -> int:
        return max(stretch.begin, min(self._firsts[stretch.first : stretch.last]))

    def take_all(self, batch: Sequence[Stretch], rows: Sequence[Rows]) -> None:
        for stretch, mine in zip(batch, rows, strict=True):
            self.take(stretch, mine)

    def take(self, stretch: Stretch, rows: Rows) -> None:
        """Add what a stretch's rows [wanted, vocabulary] say of the requests that go through it."""
        import numpy as np

        begin = self._begin(stretch)
        likeliest = rows.argmax(axis=-1) if len(rows) else ()
        for number in (number for here in self._owners[stretch.first : stretch.last] for number in here):
            request = self._requests[number]
            start = len(request.context) - 1
            low, high = max(begin, start), min(stretch.end, start + len(request.continuation))
            if low >= high:
                continue
            tokens = np.asarray(request.continuation[low - start : high - start], dtype=np.int64)
            places = np.arange(low - begin, high - begin)
            self._sums[number] += float(rows[places, tokens].astype(np.float64).sum())
            if (likeliest[places] != tokens).any():
                self._missed.add(number)
