"""Texts that lm-eval's tasks let a model write: greedy, up to a stop text, over any engine that scores.

lm-eval is heavy: this module is imported when a task runs, not before.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from harness.core.errors import HarnessError
from harness.core.sessions import Enough, Scores, TextCodec
from harness.probes.continuations import continued
from harness.probes.lm_eval_prompts import Encoder, Tally


@dataclass(frozen=True)
class Wish:
    """A prompt to be continued up to a stop text, the end token or a number of tokens."""

    ids: tuple[int, ...]
    until: tuple[str, ...]
    most: int

    @property
    def numbers(self) -> Iterator[Sequence[int]]:
        """All of it as whole numbers, so that groups can be told apart."""
        yield from (self.ids, (self.most,), list("\0".join(self.until).encode()))


def generate(session: Scores, encoder: Encoder, tally: Tally, prompt: str, settings: Mapping[str, object]) -> str:
    """Continue a prompt greedily up to a stop text, the end token or the limit.

    Raises: HarnessError where the task asks for sampling.
    """
    return texts_of(session, [wish_of(session, encoder, tally, prompt, settings)], lambda done: None)[0]


def texts_of(session: Scores, wishes: Sequence[Wish], report: Callable[[int], None]) -> list[str]:
    """Continue each prompt; what those with the same ends begin with alike is run once. report: told how many are done."""
    made: dict[Wish, list[int]] = {}
    for most, until in sorted({(wish.most, wish.until) for wish in wishes if wish.most}):
        mine = list(dict.fromkeys(wish for wish in wishes if (wish.most, wish.until) == (most, until)))
        ended = _ends(session.codec, most, until, len(made), report)
        prompts = [wish.ids for wish in mine]
        made |= zip(mine, continued(session, prompts, most, ended=ended), strict=True)
    return [_text(session.codec, made.get(wish, ()), wish.until) for wish in wishes]


def wish_of(session: Scores, encoder: Encoder, tally: Tally, prompt: str, settings: Mapping[str, object]) -> Wish:
    """Read what a task asks for; the prompt is cut on the left to leave room. Raises: HarnessError where the task asks for sampling."""
    asked = normalize_gen_kwargs(settings, 256)
    if asked.get("do_sample"):
        raise HarnessError("the task asks for sampling; only greedy tasks are measured here")
    until = handle_stop_sequences(asked.get("until"), eos=_text_of(session.codec, session.codec.eos))
    most = int(asked["max_gen_toks"])
    room = session.context_length - most
    if room < 1:
        raise HarnessError(
            f"the task generates up to {most} tokens, which the context of {session.context_length} does not leave room for"
        )
    ids = encoder.encode(prompt)
    if len(ids) > room:
        tally.truncated.add(prompt)
        ids = ids[-room:]
    tally.longest = max(tally.longest, len(ids))
    return Wish(tuple(ids), tuple(until), most)


def _ends(codec: TextCodec, most: int, until: Sequence[str], done: int, report: Callable[[int], None]) -> Enough:
    """Tell where texts end that stop at `until`, and report each that does, or has `most` tokens."""
    finished = done

    def ended(made: Sequence[int]) -> bool:
        nonlocal finished
        over = _cut(made, until, codec)[1]
        if over or len(made) >= most:
            finished += 1
            report(finished)
        return over

    return ended


def _text(codec: TextCodec, made: Sequence[int], until: Sequence[str]) -> str:
    kept = codec.decode(_cut(made, until, codec)[0])
    return str(postprocess_generated_text(generation=kept, stop=list(until), think_end_token=None))


def _cut(made: Sequence[int], until: Sequence[str], codec: TextCodec) -> tuple[list[int], bool]:
    """Cut tokens behind the one that ends the text or completes a stop text; say whether there is one.

    Stop texts are looked for with special tokens written out, since a task may stop at one of them.
    """
    end = next((place + 1 for place, token in enumerate(made) if token in codec.ends), len(made))
    ended = end < len(made) or (end > 0 and made[end - 1] in codec.ends)
    stops = [stop for stop in until if stop]

    def stopped(count: int) -> bool:
        text = codec.decode(made[:count], special=True)
        return any(stop in text for stop in stops)

    if stopped(end):
        end = bisect.bisect_left(range(end + 1), True, key=stopped)
        ended = True
    return list(made[:end]), ended


def _text_of(codec: TextCodec, token: int | None) -> str | None:
    return None if token is None else str(codec.decode([token], special=True))
