"""What optimum-benchmark 0.5 and 0.6 do to the intervals between tokens, taken back: events pile up from round to round.

Its list of events is never emptied, so that round k adds the intervals of rounds 1 to k again, and beside them those between rounds. The last of
these pieces holds every interval once; those between rounds stand at known places in it. The commit of November 2024 (6e6b1036), by which the page
of bitsandbytes was measured, keeps a list for each round. Source: huggingface/optimum-benchmark, trackers/latency.py since 4a05fc1f.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.spec import Note

CODE = "per-token-events"
_WHY = "optimum-benchmark 0.5 and 0.6 never clear per-token events between rounds"
UNDONE = Note(
    code=CODE, text=f"{_WHY}: per_token_latency is the mean of the intervals of each round, which its list also holds"
)
NOT_TAKEN = Note(
    code=CODE,
    text=f"{_WHY}, and what piled up cannot be told apart here: per_token_latency is not taken; decode_latency over the tokens after the first is sound",
)


def piles_up(version: str) -> bool:
    """Tell versions whose events pile up."""
    return version.startswith(("0.5", "0.6"))


def own_intervals(found: Sequence[float], rounds: int) -> tuple[float, ...] | None:
    """Return the intervals within rounds, in order, of a list in which they may have piled up; None where it is no such list.

    found: seconds as the report has them; rounds: whole generations that it counted. With n tokens in each, a list that piled up has
    n k (k + 1) / 2 - k entries, and each piece begins with the whole of the one before it; any other has k (n - 1).
    """
    if rounds < 1 or not found:
        return None
    tokens, rest = divmod(2 * (len(found) + rounds), rounds * (rounds + 1))
    if rest or tokens < 2 or not _piled(found, rounds, tokens):
        return None
    last = found[len(found) - (rounds * tokens - 1) :]
    return tuple(seconds for place, seconds in enumerate(last) if (place + 1) % tokens)


def _piled(found: Sequence[float], rounds: int, tokens: int) -> bool:
    """Hold each piece against the one before it."""
    begin, before = 0, list[float]()
    for number in range(1, rounds + 1):
        piece = list(found[begin : begin + number * tokens - 1])
        if piece[: len(before)] != before:
            return False
        begin, before = begin + len(piece), piece
    return begin == len(found)


def are_apart(found: Sequence[float], rounds: int) -> bool:
    """Tell a list that may hold each round's intervals once: as many for each of them."""
    return rounds > 0 and bool(found) and len(found) % rounds == 0
