"""What an opened artifact can be asked: token ids in, log-probabilities or traces out; a protocol for each capability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.core.executed import Executed
from harness.core.spec import Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Request:
    """A context and a continuation whose log-likelihood is asked for; token ids, special tokens included."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """Natural log-likelihood of the continuation, and whether greedy decoding would have produced it."""

    logprob: float
    greedy: bool


@dataclass(frozen=True)
class Tile:
    """Log-probabilities of a run of positions; valid until the next tile is asked for.

    positions: int64 [n], indices into the token ids; logprobs: float32 [n, vocabulary], natural log, row i is the
    distribution of the token that follows positions[i].
    """

    positions: NDArray[np.int64]
    logprobs: NDArray[np.float32]


@dataclass(frozen=True)
class HiddenTile:
    """Final hidden states, after the last norm, of a run of positions.

    positions: int64 [n], indices into the token ids; hidden: [n, hidden] float32, or float16 where the model computes in it.
    """

    positions: NDArray[np.int64]
    hidden: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LogitTile:
    """Logits of a run of positions, as the model gives them: not normalized, not checked; valid until the next tile is asked for.

    positions: int64 [n], indices into the token ids; logits: float32 [n, vocabulary].
    """

    positions: NDArray[np.int64]
    logits: NDArray[np.float32]


Enough = Callable[[Sequence[int]], bool]
"""Tells whether the new tokens of a prompt are enough."""


class TextCodec(Protocol):
    """Text to token ids and back, the same for every engine of a model."""

    @property
    def vocabulary(self) -> int:
        """Entries of the tokenizer; a model's log-probabilities may have more columns than that, never fewer."""

    @property
    def bos(self) -> int | None: ...
    @property
    def eos(self) -> int | None: ...
    @property
    def ends(self) -> tuple[int, ...]:
        """All tokens that end a text."""

    @property
    def adds_bos(self) -> bool:
        """Whether the model's own tokenizer settings put BOS before a text."""

    def encode(self, text: str, *, bos: bool = False) -> list[int]: ...
    def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
        """Encode a text, and say at which of its characters each token begins; BOS begins at 0."""

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str: ...


class Session(Protocol):
    """An opened artifact; what else it can be asked are the capabilities that its engine offers."""

    @property
    def provider(self) -> str:
        """What it really runs on, checked after opening: cpu, cuda, dml, ..."""

    @property
    def dtype(self) -> str | None:
        """Numeric type of activations; None where nobody knows it."""

    @property
    def load_seconds(self) -> float: ...
    @property
    def notes(self) -> tuple[Note, ...]: ...


class TextSession(Session, Protocol):
    """An opened artifact that takes token ids."""

    @property
    def codec(self) -> TextCodec: ...
    @property
    def context_length(self) -> int: ...
    @property
    def dtype(self) -> str: ...


class Scores(TextSession, Protocol):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Score in any order, batched; equal contexts with one-token continuations cost one forward pass."""

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        """Prefill `token_ids` in tiles of at most 256 tokens; yield log-probabilities at the positions asked for."""

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        """Continue a prompt greedily by a fixed number of tokens; those in `never` are not chosen."""


@dataclass(frozen=True)
class Reach:
    """How far a piece of work goes into a model's context, as far as options alone tell."""

    total: int
    """Tokens of the longest sequence: a window, or prompt and output."""
    prompt: int = 0
    """Tokens that are there before generation begins; 0 where nothing is generated."""
    batch: int = 1

    def crosses(self, border: int) -> bool:
        """Tell whether generation begins within a length and feeds a token beyond it; the last one is never fed."""
        return 0 < self.prompt <= border < self.total - 1


@dataclass(frozen=True)
class GenerationWorkload:
    """Fixed work: `batch` prompts of exactly `prompt` tokens, exactly `output` new tokens, EOS suppressed."""

    batch: int
    prompt_ids: tuple[tuple[int, ...], ...]
    """[batch][prompt] token ids."""
    output: int
    warmups: int
    repetitions: int
    sampling: dict[str, float] | None = None
    """None is greedy; else top_k, top_p, temperature, seed."""

    @property
    def reach(self) -> Reach:
        """How far it goes into the context."""
        prompt = len(self.prompt_ids[0])
        return Reach(total=prompt + self.output, prompt=prompt, batch=self.batch)


@dataclass(frozen=True)
class Trace:
    """Seconds of every step; one row per measured repetition."""

    prefill: FloatArray
    """float64 [repetitions]: the prefill call."""
    first_token: FloatArray
    """float64 [repetitions]: sampling of the first token after the prefill."""
    steps: FloatArray
    """float64 [repetitions, output - 1]: each further token for the whole batch."""
    total: FloatArray
    """float64 [repetitions]: generator creation to last token."""
    peak_torch_bytes: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    ids: IntArray | None = None
    """int32 [repetitions, batch, output]: the tokens that each measured repetition generated."""
    setup: FloatArray | None = None
    """float64 [repetitions]: within `total`, before the prompt, as a generator is made; None: nothing is told of it."""


class Whole(TextSession, Protocol):
    @property
    def switches(self) -> tuple[int, ...]:
        """Lengths in tokens beyond which the model computes otherwise, as that of a sliding window."""

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> FloatArray:
        """Run all tokens in one plain pass, without a cache; return float32 [positions, vocabulary], natural log."""


class Generates(TextSession, Protocol):
    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        """Do the work; call `progress` with 0 once the artifact is open, then after each repetition with the share done."""


class GeneratesAndScores(Generates, Scores, Protocol):
    """What scoring its own output takes."""


@runtime_checkable
class Stepwise(Protocol):
    """A session that can score a continuation one by one through the cache, as it was generated."""

    def stepwise(self, prompt: Sequence[int], continuation: Sequence[int]) -> Iterator[Tile]: ...


@runtime_checkable
class GivesHidden(Protocol):
    """A session that gives what its language-model head sees, and the head apart."""

    def hidden(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
        """Prefill as `logprobs` does; yield the final hidden states at the positions asked for, the head not run."""

    def save_head(self, folder: Path) -> None:
        """Write the head into an empty folder, as `harness.heads` reads it. Raises: Unsupported where it cannot be cut off."""


@runtime_checkable
class GivesLogits(Protocol):
    """A session that gives logits to who normalizes them anyway."""

    def logits(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
        """Prefill as `logprobs` does; yield logits at the positions asked for."""


@runtime_checkable
class ContinuesTogether(Protocol):
    """A session that continues several prompts greedily and runs what they begin with alike once."""

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        """Continue each by `tokens`, or until `ended` says of its new tokens that they are enough; asked after each of them."""


@runtime_checkable
class Rests(Protocol):
    """A session that opens an artifact once for each capability, and can let go of all of them."""

    def rest(self) -> None: ...


@runtime_checkable
class TellsExecuted(Protocol):
    """A session that can say what of the artifact really runs."""

    def executed(self) -> Executed:
        """Look at what was opened, and nothing more; asked once a measurement is done."""


@runtime_checkable
class OnGpu(Protocol):
    """A session that may run on another GPU than the first."""

    place: int
    """Of its GPU among those that this process sees."""


class Runs(Session, Protocol):
    @property
    def folder(self) -> Path:
        """The artifact, which a program of somebody's own opens."""
