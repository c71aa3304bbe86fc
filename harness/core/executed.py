"""What really ran: weights, arithmetic, attention and places of nodes, after all that a runtime changes when it opens an artifact."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.core.spec import Note, Record

OTHERWISE = "executed-otherwise"
"""Code of the note of a method whose weights run as another's."""
ELSEWHERE = "other-provider"
"""Code of the note of single nodes that ran on another provider than was asked for."""
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_NAMED = 3
"""Kinds of nodes that a note names."""


class Executed(Record):
    """What an engine really runs of an artifact, as its runtime reports it."""

    text: str
    """In one line: multiplied weights by kind with their number, type that multiplies, attention, nodes elsewhere; or `not reported`."""
    weights: dict[str, int] = {}
    """Multiplied weight matrices by type, block and what multiplies them, as `int4 b32 MatMulNBits`; LM head included."""
    compute: tuple[str, ...] = ()
    """Types in which they are multiplied."""
    attention: str | None = None
    """Implementation of attention: an operator, or that of a library."""
    nodes: dict[str, dict[str, int]] = {}
    """Nodes of the optimized graph by provider and kind, each counted once."""
    elsewhere: dict[str, dict[str, int]] = {}
    """Of these, what handles floats on another provider than was asked for; nodes that work out shapes are not among them."""


NOT_REPORTED = Executed(text="not reported")
"""Of an engine whose program says nothing of it."""


def executed(
    weights: Mapping[str, int],
    compute: Sequence[str],
    attention: str | None,
    nodes: Mapping[str, Mapping[str, int]] | None = None,
    elsewhere: Mapping[str, Mapping[str, int]] | None = None,
) -> Executed:
    """Put together what was found, and its line: `int4 b32 MatMulNBits x20 + float32 MatMul x1; in float32; GroupQueryAttention`."""
    kinds = dict(sorted(weights.items(), key=lambda kind: (-kind[1], kind[0])))
    there, away = (
        {name: dict(sorted(kind.items())) for name, kind in sorted((found or {}).items())}
        for found in (nodes, elsewhere)
    )
    whole, gone = (sum(sum(kind.values()) for kind in found.values()) for found in (there, away))
    parts = [
        " + ".join(f"{kind} x{count}" for kind, count in kinds.items()),
        f"in {' + '.join(compute)}" if compute else "",
        attention or "",
        f"{gone} of {whole} nodes on {' + '.join(away)}" if gone else "",
    ]
    text = "; ".join(part for part in parts if part) or NOT_REPORTED.text
    return Executed(text=text, weights=kinds, compute=tuple(compute), attention=attention, nodes=there, elsewhere=away)


def executed_notes(found: Executed, scheme: str | None) -> tuple[Note, ...]:
    """Say what of a form that ran a reader must know. scheme: how the artifact's files hold its weights, as `Scheme.text`."""
    texts = list(_otherwise(found, scheme)) if scheme and found.weights else []
    notes = [Note(code=OTHERWISE, text=text) for text in texts]
    if found.elsewhere:
        kinds = [(kind, count, name) for name, there in found.elsewhere.items() for kind, count in there.items()]
        whole = sum(sum(kind.values()) for kind in found.nodes.values())
        named = ", ".join(f"{kind} x{count}" for kind, count, _ in sorted(kinds, key=lambda one: -one[1])[:_NAMED])
        more = " ..." if len(kinds) > _NAMED else ""
        text = (
            f"{sum(count for _, count, _ in kinds)} of {whole} nodes ran on {' + '.join(found.elsewhere)}, which was not asked for ({named}{more}): "
            "what they take and give is copied there and back in every pass"
        )
        notes.append(Note(code=ELSEWHERE, text=text))
    return tuple(notes)


def _otherwise(found: Executed, scheme: str) -> Iterator[str]:
    """Hold how weights are stored against how they run: quantized ones that became floats, and matrices of other widths."""
    if "simulated" in scheme or "others not read" in scheme:
        return
    stored = _stored(scheme)
    kept, plain = _split(stored)
    run, floats = _split(found.weights)
    lost = min(sum(kept.values()) - sum(run.values()), sum(floats.values()) - sum(plain.values()))
    if lost > 0:
        as_floats = " and ".join(sorted({kind.split()[0] for kind in floats}))
        yield (
            f"{lost} of {sum(stored.values())} multiplied weight matrices lie in the files as {' and '.join(sorted(kept))} and run as {as_floats}: "
            f"the runtime made floats of them when it opened the artifact, so that speed and memory are those of {as_floats} weights"
        )
        return
    held, ran = _by_width(kept), _by_width(run)
    if not held or not ran or 0 in held.keys() | ran.keys():
        return
    if others := ran.keys() - held.keys():
        yield (
            f"weights lie in the files with {_and(held)} bits and run with {_and(others)}: speed and memory are those of another width"
        )
    elif _are_others(held, ran, spare=0 if "; head " in scheme else 1):
        yield (
            f"of the multiplied weight matrices {_counted(held)} in the files, and {_counted(ran)} as they run: speed and memory are those of other widths"
        )


_MERGED = 3
"""Matrices that a runtime makes one of, at most: those of query, key and value."""


def _are_others(held: Mapping[int, int], ran: Mapping[int, int], spare: int) -> bool:
    """Tell matrices that run in another width from those that a runtime put together, which only lessens the number of each width.

    Of the matrices of a width a third is left at the least, where the others stay as they are. spare: matrices that may run beside what is held, as
    a tied head.
    """
    if any(count > held[width] + spare for width, count in ran.items()) and any(
        ran.get(width, 0) < count for width, count in held.items()
    ):
        return True
    whole, left = sum(held.values()), sum(ran.values())
    return any(ran.get(width, 0) * _MERGED * whole < count * left for width, count in held.items())


def _by_width(kinds: Mapping[str, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for kind, count in kinds.items():
        found[_bits(kind)] = found.get(_bits(kind), 0) + count
    return found


def _counted(widths: Mapping[int, int]) -> str:
    return " and ".join(f"{count} have {width} bits" for width, count in sorted(widths.items()))


def _stored(scheme: str) -> dict[str, int]:
    """Read the multiplied weights of a scheme's line by kind, the LM head among them."""
    body, *ends = scheme.split("; ")
    found: dict[str, int] = {}
    for part in body.split(" + "):
        kind, _, count = part.rpartition(" x")
        if kind and count.isdecimal():
            found[kind] = found.get(kind, 0) + int(count)
    for end in ends:
        if end.startswith("head "):
            kind = end.removeprefix("head ")
            found[kind] = found.get(kind, 0) + 1
    return found


def _split(kinds: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Part kinds of weights into quantized ones and floats of 16 bits or more."""
    floats = {kind: count for kind, count in kinds.items() if kind.split()[0] in _FLOATS}
    return {kind: count for kind, count in kinds.items() if kind not in floats}, floats


def _bits(kind: str) -> int:
    """Read the width from a kind's first word, as `int4`, `nf4` or `float8_e4m3fn`; 0 where it says none."""
    found = re.search(r"\d+", kind.split(maxsplit=1)[0])
    return int(found[0]) if found else 0


def _and(widths: Iterable[int]) -> str:
    return " and ".join(map(str, sorted(widths)))
