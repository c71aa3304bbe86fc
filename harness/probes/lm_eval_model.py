"""One lm-eval model over any engine that scores: lm-eval's prompts and aggregation, our forward passes.

lm-eval is heavy: this module is imported when a task runs, not before.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from harness.core.errors import HarnessError
from harness.core.sessions import Request, Scores, TextCodec
from harness.probes.continuations import continued

_ROUND = 2048
"""Requests handed to the engine at a time, so that progress can be told; large enough to sort well."""

_STEP = 16
"""Tokens that are generated before a stop is looked for the first time; twice as many each time after."""


@dataclass
class Tally:
    """What happened to the prompts on their way."""

    truncated: set[str] = field(default_factory=set)
    """Prompts that were cut on the left to fit the context."""
    longest: int = 0
    """Tokens of the longest prompt that was run, special tokens included."""
    trained: int | None = None
    """Positions that the model was trained on, where known."""
    beyond: set[str] = field(default_factory=set)
    """Prompts that reach positions which the model was not trained on."""


class ScoresModel(TemplateLM):  # type: ignore[misc]
    """An lm-eval model that asks a `Scores` session.

    Special tokens, truncation and rolling windows follow lm-eval's own Hugging Face backend.
    """

    def __init__(self, session: Scores, tally: Tally, progress: Callable[[float], None], *, bos: bool) -> None:
        super().__init__()
        self.session = session
        self.tally = tally
        self.progress = progress
        self.encoder = Encoder(session.codec, bos=bos)

    @property
    def eot_token_id(self) -> int:
        eos = self.session.codec.eos
        return _prefix(self.session.codec) if eos is None else int(eos)

    @property
    def prefix_token_id(self) -> int:
        return _prefix(self.session.codec)

    @property
    def max_length(self) -> int:
        return int(self.session.context_length)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        return self.encoder.encode(string, special=add_special_tokens)

    def _encode_pair(self, context: str, continuation: str) -> tuple[Sequence[int], Sequence[int]]:
        return self.encoder.pair(context, continuation)

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
        most = self.max_length
        fitted = [fit(most, self.tally, key, context, wanted) for key, context, wanted in requests]
        return score_all(self.session, fitted, self.progress)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        return found

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> list[float]:
        del disable_tqdm
        texts = [request.args[0] for request in requests]
        return rolling(self.session, texts, self.encoder, self.progress)

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> list[str]:
        del disable_tqdm
        asked = [_wish(self.session, self.encoder, self.tally, *request.args) for request in requests]
        found = []
        for number, (wish, made) in enumerate(zip(asked, _begun(self.session, asked), strict=True), start=1):
            found.append(_finished(self.session, wish, made))
            self.progress(number / len(requests))
        return found


class Encoder:
    """Token ids of prompts; the choices of one question share the encoding of their context."""

    def __init__(self, codec: TextCodec, *, bos: bool) -> None:
        self.codec = codec
        self.bos = bos
        self.context = functools.lru_cache(maxsize=64)(self._context)

    def encode(self, text: str, *, special: bool | None = None) -> list[int]:
        """Encode a text; `special` None means as the workload says."""
        return list(self.codec.encode(text, bos=self.bos if special is None else special))

    def _context(self, text: str) -> tuple[int, ...]:
        return tuple(self.encode(text))

    def pair(self, context: str, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Encode context and continuation together and split where the context alone ends, as lm-eval does."""
        kept = context.rstrip()
        continuation = context[len(kept) :] + continuation
        before = self.context(kept)
        whole = self.encode(kept + continuation)
        return before, tuple(whole[len(before) :])


def fit(most: int, tally: Tally, key: Sequence[str] | None, context: Sequence[int], wanted: Sequence[int]) -> Request:
    """Cut a context on the left so that context and continuation, less its last token, fit. Raises: HarnessError."""
    if not wanted:
        raise HarnessError(f"the continuation {key!r} has no token of its own after its context; it cannot be scored")
    room = most + 1 - len(wanted)
    if room < 1:
        raise HarnessError(f"a continuation of {len(wanted)} tokens does not fit the context of {most} tokens")
    name = key[0] if key else ""
    if len(context) > room:
        tally.truncated.add(name)
        context = context[-room:]
    length = len(context) + len(wanted) - 1
    tally.longest = max(tally.longest, length)
    if tally.trained is not None and length > tally.trained:
        tally.beyond.add(name)
    return Request(context if isinstance(context, tuple) else tuple(context), tuple(wanted))


def score_all(
    session: Scores, requests: Sequence[Request], progress: Callable[[float], None]
) -> list[tuple[float, bool]]:
    """Score in rounds whose sizes depend on the requests alone. Raises: HarnessError for a value that is not finite."""
    found: list[tuple[float, bool]] = []
    ends = [*_rounds(requests), len(requests)]
    start = 0
    for end in ends:
        for score in session.score(requests[start:end]):
            if not math.isfinite(score.logprob):
                raise HarnessError(f"request {len(found)} has the log-likelihood {score.logprob}; the model is broken")
            found.append((score.logprob, score.greedy))
        start = end
        progress(end / max(len(requests), 1))
    return found


def _rounds(requests: Sequence[Request]) -> list[int]:
    """Cut after every `_ROUND` requests, but never between requests with the same context."""
    cuts: list[int] = []
    for place in range(_ROUND, len(requests), _ROUND):
        end = place
        while end < len(requests) and requests[end].context == requests[end - 1].context:
            end += 1
        if end < len(requests) and (not cuts or end > cuts[-1]):
            cuts.append(end)
    return cuts


def rolling(session: Scores, texts: Sequence[str], encoder: Encoder, progress: Callable[[float], None]) -> list[float]:
    """Sum the log-likelihood of whole texts in disjoint windows, each token once."""
    requests, owners = [], []
    for number, text in enumerate(texts):
        windows = get_rolling_token_windows(
            token_list=encoder.encode(text), prefix_token=_prefix(session.codec),
            max_seq_len=session.context_length, context_len=1,
        )  # fmt: skip
        for context, wanted in map(make_disjoint_window, windows):
            requests.append(Request(tuple(context), tuple(wanted)))
            owners.append(number)
    sums = [0.0] * len(texts)
    for owner, (logprob, _) in zip(owners, score_all(session, requests, progress), strict=True):
        sums[owner] += logprob
    return sums


@dataclass(frozen=True)
class _Wish:
    """A prompt to be continued up to a stop text, the end token or a number of tokens."""

    ids: tuple[int, ...]
    until: Sequence[str]
    most: int

    @property
    def first(self) -> int:
        """Tokens that are asked for at first."""
        return min(_STEP, self.most)


def generate(session: Scores, encoder: Encoder, tally: Tally, prompt: str, settings: Mapping[str, object]) -> str:
    """Continue a prompt greedily up to a stop text, the end token or the limit.

    The engine continues by a fixed number of tokens, so tokens are asked for in growing steps until a stop is found.
    Raises: HarnessError where the task asks for sampling.
    """
    wish = _wish(session, encoder, tally, prompt, settings)
    return _finished(session, wish, _begun(session, [wish])[0])


def _wish(session: Scores, encoder: Encoder, tally: Tally, prompt: str, settings: Mapping[str, object]) -> _Wish:
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
    return _Wish(tuple(ids), until, most)


def _begun(session: Scores, wishes: Sequence[_Wish]) -> list[list[int]]:
    """Ask for the first tokens of all prompts together, since examples that stand before each are the same."""
    made: dict[tuple[int, ...], list[int]] = {}
    for count in sorted({wish.first for wish in wishes} - {0}):
        prompts = [wish.ids for wish in wishes if wish.first == count]
        made |= {(count, *ids): new for ids, new in zip(prompts, continued(session, prompts, count), strict=True)}
    return [made.get((wish.first, *wish.ids), []) for wish in wishes]


def _finished(session: Scores, wish: _Wish, made: list[int]) -> str:
    made, ended = _cut(made, wish.until, session.codec)
    step = 2 * _STEP
    while len(made) < wish.most and not ended:
        made += session.greedy([*wish.ids, *made], min(step, wish.most - len(made)))
        made, ended = _cut(made, wish.until, session.codec)
        step *= 2
    return str(postprocess_generated_text(generation=session.codec.decode(made), stop=wish.until, think_end_token=None))


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


def _prefix(codec: TextCodec) -> int:
    found = codec.bos if codec.bos is not None else codec.eos
    if found is None:
        raise HarnessError("the tokenizer has neither BOS nor EOS, so nothing can stand before a text; set one")
    return int(found)
