"""One lm-eval model over any engine that scores: lm-eval's prompts and aggregation, our forward passes.

lm-eval is heavy: this module is imported when a task runs, not before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from harness.core.errors import HarnessError
from harness.core.sessions import Request, Scores, TextCodec
from harness.probes.groups import Finished
from harness.probes.lm_eval_generation import Wish, texts_of, wish_of
from harness.probes.lm_eval_prompts import Encoder, Tally, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUND = 2048
"""Requests handed to the engine at a time, so that progress can be told; large enough to sort well."""
_LEAST = 256
"""Requests from which on a round ends with its task: what is kept of an interrupted job are whole rounds."""
_PROMPTS = 256
"""Prompts whose continuations are kept together."""


class ScoresModel(TemplateLM):  # type: ignore[misc]
    """An lm-eval model that asks a `Scores` session.

    Special tokens, truncation and rolling windows follow lm-eval's own Hugging Face backend.
    """

    def __init__(
        self, session: Scores, tally: Tally, finished: Finished, progress: Callable[[float], None], *, bos: bool
    ) -> None:
        super().__init__()
        self.session = session
        self.tally = tally
        self.finished = finished
        self.tasks: list[str] = []
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
        return score_all(self.session, fitted, self.finished, self.progress, self.tasks)

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        self.tasks = [request.task_name for request in requests]
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        return found

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> list[float]:
        del disable_tqdm
        texts = [request.args[0] for request in requests]
        return rolling(self.session, texts, self.encoder, self.finished, self.progress)

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> list[str]:
        del disable_tqdm
        asked = [wish_of(self.session, self.encoder, self.tally, *request.args) for request in requests]
        found: list[str] = []
        for start in range(0, len(asked), _PROMPTS):
            part = asked[start : start + _PROMPTS]
            numbers = (one for wish in part for one in wish.numbers)
            kept = self.finished.group(numbers, partial(self._texts, part, start, len(asked)))
            found += json.loads(kept["texts"].tobytes())
            self.progress(len(found) / len(asked))
        return found

    def _texts(self, wishes: Sequence[Wish], before: int, total: int) -> Mapping[str, NDArray[Any]]:
        import numpy as np

        made = texts_of(self.session, wishes, lambda done: self.progress((before + done) / total))
        return {"texts": np.frombuffer(json.dumps(made).encode(), dtype=np.uint8)}


def score_all(
    session: Scores, requests: Sequence[Request], finished: Finished, progress: Callable[[float], None],
    tasks: Sequence[str] = (),
) -> list[tuple[float, bool]]:  # fmt: skip
    """Score in rounds that depend on the requests and their tasks alone; what an interrupted attempt has scored is taken from it.

    Raises: HarnessError for a value that is not finite.
    """
    found: list[tuple[float, bool]] = []
    for end in [*_ends(requests, tasks), len(requests)]:
        part = requests[len(found) : end]
        numbers = (ids for request in part for ids in (request.context, request.continuation))
        kept = finished.group(numbers, partial(_scored, session, part, len(found)))
        found += zip(kept["logprob"].tolist(), kept["greedy"].tolist(), strict=True)
        progress(end / max(len(requests), 1))
    return found


def _scored(session: Scores, requests: Sequence[Request], before: int) -> Mapping[str, NDArray[Any]]:
    import numpy as np

    scores = session.score(requests)
    for number, score in enumerate(scores, start=before):
        if not math.isfinite(score.logprob):
            raise HarnessError(f"request {number} has the log-likelihood {score.logprob}; the model is broken")
    return {
        "logprob": np.asarray([score.logprob for score in scores], dtype=np.float64),
        "greedy": np.asarray([score.greedy for score in scores], dtype=np.bool_),
    }


def _ends(requests: Sequence[Request], tasks: Sequence[str]) -> list[int]:
    """Cut after `_ROUND` requests, or where a task ends after `_LEAST`, but never between requests with the same context."""
    cuts: list[int] = []
    for place in range(1, len(requests)):
        held = place - (cuts[-1] if cuts else 0)
        over = held >= _LEAST and bool(tasks) and tasks[place] != tasks[place - 1]
        if (over or held >= _ROUND) and requests[place].context != requests[place - 1].context:
            cuts.append(place)
    return cuts


def rolling(
    session: Scores, texts: Sequence[str], encoder: Encoder, finished: Finished, progress: Callable[[float], None]
) -> list[float]:
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
    for owner, (logprob, _) in zip(owners, score_all(session, requests, finished, progress), strict=True):
        sums[owner] += logprob
    return sums


def _prefix(codec: TextCodec) -> int:
    found = codec.bos if codec.bos is not None else codec.eos
    if found is None:
        raise HarnessError("the tokenizer has neither BOS nor EOS, so nothing can stand before a text; set one")
    return int(found)
