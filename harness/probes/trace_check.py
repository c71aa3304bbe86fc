"""Whether a trace can be what happened: its shape, its clock against ours, and the tokens that must not be in it.

Nothing here knows an engine: what it says is held against what was asked for, and against the time that passed between its own
words of progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from harness.core.clock import waited_seconds
from harness.core.errors import HarnessError
from harness.core.sessions import Generates, GenerationWorkload, Trace
from harness.core.spec import Note

if TYPE_CHECKING:
    from harness.core.seam import FloatArray

OUTSIDE = 0.2
"""Share of a repetition's time that may lie outside the engine's own clock, or inside its whole but in no part of it."""
OUTSIDE_SECONDS = 0.002
"""Seconds of a repetition that may lie so in any case: small models work for no longer than what is around their calls takes."""
IDLE = 0.05
"""Share of the median step below which a step did nothing; and the share of steps that may."""
TICK = 0.05
"""Share of the median step that a clock has to tell apart."""
FEW = 8
"""Steps of a repetition from which on a clock cannot have given the same time for each."""


@dataclass
class Stopwatch:
    """Times an engine's repetitions from outside, between what it tells of its progress, without what that telling costs.

    Call `enter` when the engine tells how far it is (share from 0 to 1) and `leave` when it goes on.
    """

    rounds: int
    clock: Callable[[], float] = perf_counter
    entered: dict[int, float] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)

    def enter(self, share: float) -> int:
        """Note that a share of the rounds is done; returns how many those are."""
        done = round(share * self.rounds)
        self.entered.setdefault(done, self.clock())
        return done

    def leave(self, done: int) -> None:
        """Note that the engine goes on."""
        self.left.setdefault(done, self.clock())

    def seconds(self, number: int) -> float | None:
        """Return the seconds of a round, counted from 0; None where the engine did not tell of its beginning or its end."""
        begin, end = self.left.get(number), self.entered.get(number + 1)
        return None if begin is None or end is None else end - begin


def watched(session: Generates, work: GenerationWorkload) -> tuple[Trace, list[float], float]:
    """Let a session generate; returns its trace, the seconds of its rounds as we saw them, all in one where it tells of none, and those
    of the whole call. Time for which this thread had no processor does not count."""
    watch = Stopwatch(work.warmups + work.repetitions, _undisturbed)
    begun = _undisturbed()
    trace = session.generate(work, lambda share: watch.leave(watch.enter(share)))
    ended = _undisturbed()
    refuse_trace(trace, work)
    seen = [watch.seconds(number) for number in range(watch.rounds)]
    whole = ended - begun
    return trace, [one for one in seen if one is not None] if None not in seen else [whole], whole


def _undisturbed() -> float:
    return perf_counter() - waited_seconds()


def refuse_trace(trace: Trace, work: GenerationWorkload) -> None:
    """Refuse a trace that does not hold the work that was asked for. Raises: HarnessError saying what is missing or impossible."""
    import numpy as np

    wanted = {"prefill": (work.repetitions,), "first_token": (work.repetitions,), "total": (work.repetitions,)}
    for name, shape in (wanted | {"steps": (work.repetitions, work.output - 1)}).items():
        seconds = np.asarray(getattr(trace, name))
        if seconds.shape != shape:
            raise HarnessError(
                f"the engine gave {name} of shape {seconds.shape}, and {work.repetitions} repetitions of {work.output} tokens "
                f"have {shape}: it did other work than was asked for"
            )
        if not np.isfinite(seconds).all() or (seconds < 0).any() or (name == "steps" and (seconds == 0).any()):
            raise HarnessError(f"the engine gave {name} that no clock gives ({float(seconds.min())} s)")
    parts = trace.prefill + trace.first_token + trace.steps.sum(axis=1)
    if (trace.total < parts * (1 - 1e-3) - 1e-3).any():
        where = int((parts - trace.total).argmax())
        raise HarnessError(
            f"the engine's steps add up to {parts[where]:.4f} s in repetition {where + 1}, and its whole is {trace.total[where]:.4f} s: "
            "steps are sums, or the whole leaves some out"
        )


def _usual(seconds: Sequence[float]) -> float:
    """Give the median; of fewer than five the least, since one that the system interrupted is no habit of an engine's."""
    import numpy as np

    return float(np.median(seconds)) if len(seconds) >= 5 else min(seconds, default=0.0)


def clock_notes(trace: Trace, seen: Sequence[float | None]) -> tuple[Note, ...]:
    """Hold an engine's clock against ours. seen: seconds of each timed repetition from outside, None where the engine told of none."""
    import numpy as np

    texts = list(_step_texts(trace))
    known = [(one, float(total)) for one, total in zip(seen, trace.total, strict=True) if one is not None]
    if len(known) < len(trace.total):
        texts.append(
            f"the engine told of the end of {len(known)} of {len(trace.total)} repetitions: its clock cannot be held against ours"
        )
    else:
        passed, said = (float(np.median([pair[place] for pair in known])) for place in (0, 1))
        apart = [one - total for one, total in known]
        if _usual(apart) > max(OUTSIDE * passed, OUTSIDE_SECONDS):
            texts.append(
                f"a repetition took {passed:.4f} s, of which the engine's clock shows {said:.4f} s: it waits or works outside its clock"
            )
        if _usual([-one for one in apart]) > max(OUTSIDE * passed, OUTSIDE_SECONDS):
            texts.append(
                f"the engine's clock shows {said:.4f} s for a repetition, and {passed:.4f} s passed: what it times did not happen here"
            )
    setup = 0.0 if trace.setup is None else trace.setup
    parts = setup + trace.prefill + trace.first_token + trace.steps.sum(axis=1)
    lost = _usual((trace.total - parts).tolist())
    if lost > max(OUTSIDE * float(np.median(trace.total)), OUTSIDE_SECONDS):
        texts.append(
            f"{lost:.4f} of {float(np.median(trace.total)):.4f} s of a repetition lie in neither prefill, first token nor steps: "
            "it waits or works outside its clock"
        )
    return implausible(texts)


def _step_texts(trace: Trace) -> list[str]:
    import numpy as np

    steps = trace.steps
    if not steps.size:
        return []
    texts = []
    idle = float(
        (steps < IDLE * np.median(steps)).all(axis=0).mean()
    )  # in all repetitions: others make some steps slow
    if idle > IDLE and len(steps) > 1:
        texts.append(
            f"{idle:.0%} of the decode steps took less than a twentieth of the median one in every repetition: tokens were skipped"
        )
    same = steps.shape[1] >= FEW and bool((steps == steps[:, :1]).all(axis=1).any())
    if same:
        texts.append(
            "all decode steps of a repetition took the same time to the last digit: they were not timed one by one"
        )
    return texts or [*_again_texts(steps), *_tick_texts(steps)]


def _again_texts(steps: FloatArray) -> Iterator[str]:
    """See that no two repetitions took the same times, in whatever order. steps: seconds [repetitions, steps]."""
    import numpy as np

    if steps.shape[1] >= FEW and len(np.unique(np.sort(steps, axis=1), axis=0)) < len(steps):
        yield "the decode steps of two repetitions took the same times to the last digit: one repetition stands for another"


def _tick_texts(steps: FloatArray) -> Iterator[str]:
    """See that times are not multiples of a tick that is long beside them. steps: seconds [repetitions, steps]."""
    import numpy as np

    typical = float(np.median(steps))
    gaps = np.diff(np.sort(steps, axis=None))
    apart = gaps[gaps > 1e-6 * typical + 1e-9]
    if steps.size < 2 * FEW or not apart.size or apart.min() < TICK * typical or 2 * apart.size > gaps.size:
        return
    yield f"{steps.size} decode steps took {apart.size + 1} different times, {float(apart.min()):.2g} s or more apart: the engine's clock is too coarse for them"


def ended_notes(trace: Trace, ends: Sequence[int]) -> tuple[Note, ...]:
    """Say that a token that ends a text was generated. ends: all of them."""
    import numpy as np

    if trace.ids is None or not len(ends):
        return ()
    found = np.argwhere(np.isin(trace.ids, list(ends)))
    if not len(found):
        return ()
    repetition, row, token = (int(place) for place in found[0])
    text = (
        f"token {int(trace.ids[repetition, row, token])} ends a text and was generated (repetition {repetition + 1}, sequence {row + 1}, "
        f"token {token + 1}): the end of sequence was not suppressed, so that the work is not the fixed one"
    )
    return implausible([text])


def unsampled_notes(trace: Trace, work: GenerationWorkload) -> tuple[Note, ...]:
    """Say that drawing tokens at random drew the same ones in every repetition: the choice was greedy."""
    if trace.ids is None or work.sampling is None or len(trace.ids) < 2 or work.output < FEW:
        return ()
    if (trace.ids != trace.ids[:1]).any():
        return ()
    text = f"{len(trace.ids)} repetitions drew the same {work.output} tokens at random: sampling was not done, or not seeded anew"
    return implausible([text])


def implausible(texts: Sequence[str]) -> tuple[Note, ...]:
    """Make the notes that say why a number cannot be what it is called."""
    return tuple(Note(code="implausible", text=text) for text in texts)
