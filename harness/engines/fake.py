"""An engine that computes nothing: bytes are its tokens, a formula its distribution. For tests of everything around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.core.fault_injection import inject_fault
from harness.core.folder_formats import FolderFormat
from harness.core.options import Options
from harness.core.seam import Engine
from harness.core.sessions import GeneratesAndScores, GenerationWorkload, Request, Score, Tile, Trace, Whole
from harness.core.spec import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOS = 256
VOCABULARY = 257


class FakeEngineOptions(Options):
    open_seconds: float = 0.0
    step_seconds: float = 0.0005
    fail: Literal["", "error", "memory", "hang", "kill", "nan", "long"] = ""
    """How scoring and generating fail, if they do; `long`: more than one sequence at once does."""
    cheat: Literal["", "constant", "shallow", "replay", "early"] = ""
    """How it pretends to generate, if it does: one token for ever, a model with half of it left out, the output of another
    prompt, or an early end."""


class ByteCodec:
    """UTF-8 bytes as token ids; 256 begins a text."""

    vocabulary = VOCABULARY
    bos: int | None = BOS
    eos: int | None = None
    ends: tuple[int, ...] = ()
    adds_bos = True

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        return [BOS] * bos + list(text.encode())

    def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
        begins = [place for place, character in enumerate(text) for _ in character.encode()]
        return self.encode(text, bos=bos), [0] * bos + begins

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:  # noqa: ARG002 - the seam's signature
        return bytes(token for token in ids if token < BOS).decode(errors="replace")


class FakeSession:
    """The next byte is likeliest the one after the last; noise blurs that."""

    codec = ByteCodec()
    context_length = 4096
    provider = "cpu"
    dtype = "float32"
    switches: tuple[int, ...] = (700,)
    notes: tuple[Note, ...] = (Note(code="fake", text="no model ran: this is a fake"),)

    def __init__(self, noise: float, options: FakeEngineOptions, load_seconds: float) -> None:
        self.load_seconds = load_seconds
        self._noise = noise
        self._options = options

    def _rows(self, ids: Sequence[int]) -> NDArray[Any]:
        import numpy as np

        last = np.asarray(ids, dtype=np.int64)[:, None]
        far = np.abs(np.arange(VOCABULARY)[None, :] - last - 1) % VOCABULARY
        logits = -0.1 * far + self._noise * np.sin(far * 1.7 + last)
        if self._options.fail == "nan":
            raise HarnessError("non-finite logits at position 0; the artifact is broken or its type overflows")
        inject_fault(self._options.fail)
        shifted = logits - logits.max(axis=1, keepdims=True)
        rows: NDArray[Any] = (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))).astype(np.float32)
        return rows

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        import numpy as np

        for start in range(0, len(positions), 256):
            part = positions[start : start + 256]
            yield Tile(np.asarray(part, dtype=np.int64), self._rows([token_ids[position] for position in part]))

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> NDArray[Any]:
        return self._rows([token_ids[position] for position in positions])

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return [self._score(request) for request in requests]

    def _score(self, request: Request) -> Score:
        ids = [*request.context, *request.continuation]
        rows = self._rows(ids[len(request.context) - 1 : -1])
        picked = [float(row[token]) for row, token in zip(rows, request.continuation, strict=True)]
        greedy = all(int(row.argmax()) == token for row, token in zip(rows, request.continuation, strict=True))
        return Score(logprob=sum(picked), greedy=greedy)

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return list(islice(self.continued(prompt, never), tokens))

    def continued(self, prompt: Sequence[int], never: Sequence[int] = (), seed: int | None = None) -> Iterator[int]:
        """Yield the likeliest token each time, for ever; with a seed draw one."""
        import numpy as np

        last, draw = prompt[-1], None if seed is None else np.random.default_rng(seed)
        while True:
            row = self._rows([last])[0]
            row[list(never)] = float("-inf")
            last = int((row if draw is None else row + draw.gumbel(size=VOCABULARY)).argmax())
            yield last

    def _generated(self, prompt: Sequence[int], seed: int | None) -> Iterator[int]:
        cheat = self._options.cheat
        if cheat == "constant":
            return repeat(7)
        if cheat == "shallow":
            return FakeSession(self._noise + 4.0, FakeEngineOptions(), 0.0).continued(prompt)
        if cheat == "replay":
            return self.continued(range(len(prompt)))
        return self.continued(prompt, seed=seed)

    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        import numpy as np

        fail = self._options.fail
        inject_fault("error" if fail == "long" and workload.batch > 1 else fail)
        rounds, output = workload.warmups + workload.repetitions, workload.output
        seconds = np.zeros((rounds, output + 1))  # prefill, first token, steps
        ids = np.zeros((rounds, workload.batch, output), dtype=np.int32)
        progress(0.0)
        for row in range(rounds):
            making = [self._generated(prompt, row if workload.sampling else None) for prompt in workload.prompt_ids]
            for step in range(output + 1):
                begun = time.perf_counter()
                time.sleep(self._options.step_seconds)
                if step:
                    ids[row, :, step - 1] = [next(one) for one in making]
                seconds[row, step] = time.perf_counter() - begun
            progress((row + 1) / rounds)
        told = ids[workload.warmups :, :, : output - (self._options.cheat == "early")]
        kept = seconds[workload.warmups :]
        return Trace(kept[:, 0], kept[:, 1], steps=kept[:, 2:], total=kept.sum(axis=1), ids=told)


@contextmanager
def _open(folder: Path, options: FakeEngineOptions) -> Iterator[FakeSession]:
    begun = time.perf_counter()
    time.sleep(options.open_seconds)
    yield FakeSession(_noise(folder), options, time.perf_counter() - begun)


def _noise(folder: Path) -> float:
    """Read how far an artifact strays; a model's own folder does not, and may say how reading it fails."""
    fault = folder / "fault.txt"
    if fault.is_file():
        inject_fault(fault.read_text("utf-8").strip())
    path = folder / "noise.txt"
    return float(path.read_text("utf-8")) if path.is_file() else 0.0


FAKE = FolderFormat("fake", lambda folder: (folder / "noise.txt").is_file() and not (folder / "config.json").exists())

ENGINE = Engine(
    name="fake",
    formats=(FAKE,),
    version=1,
    consumes=("fake",),
    offers=frozenset({"generates", "tells", "scores", "whole"}),
    options=FakeEngineOptions,
    packages=(),
    open=_open,
    truth="fake",
    title="Fake",
)

_SESSIONS: tuple[type[GeneratesAndScores], type[Whole]] = (
    FakeSession,
    FakeSession,
)
"""Read by the type checker alone: the session has what the capabilities ask for."""
