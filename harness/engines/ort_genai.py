"""ONNX Runtime GenAI: speed through og.Generator, scores through a raw session of the same graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, Unsupported
from harness.core.folder_formats import FolderFormat
from harness.core.seam import Engine
from harness.core.sessions import (
    Enough,
    GeneratesAndScores,
    GenerationWorkload,
    GivesHidden,
    GivesLogits,
    HiddenTile,
    LogitTile,
    Request,
    Score,
    Tile,
    Trace,
)
from harness.core.spec import Note
from harness.engines import (
    decoding,
    head_graph,
    hidden_states,
    onnx_scores,
    ort_executed,
    pass_room,
    scoring,
    scoring_view,
    shared_scoring,
    sharing,
)
from harness.engines.ort_genai_opening import (
    PACKAGES,
    OrtGenaiEngineOptions,
    _imports,
    _open_model,
    crossing,
    refuse,
    refuse_reach,
)
from harness.engines.rotary_border import rotary_border
from harness.engines.tokens import Codec, open_codec, read_json

_VIEWED = frozenset({"cpu", "cuda"})
"""Providers on which scores come from a view of the graph that is edited in memory; others may keep what they compile by file."""


class OrtGenaiSession:
    """An artifact that is opened twice at most: for generating and for scoring, each when first asked for."""

    def __init__(self, folder: Path, options: OrtGenaiEngineOptions, codec: Codec, config: dict[str, Any]) -> None:
        self.codec = codec
        self.context_length = int(config["context_length"])
        self.provider: str = options.provider
        self._folder = folder
        self._options = options
        self._config = config
        self._seconds: dict[str, float] = {}
        self._generated_dtype: str | None = None

    @cached_property
    def border(self) -> int | None:
        """Length beyond which the model's rotary embeddings are others; None where never."""
        graph = self._folder / str(self._config["decoder"].get("filename", "model.onnx"))
        return rotary_border(graph)

    @property
    def load_seconds(self) -> float:
        """Seconds of the opening that took place; where none has yet, the generator is opened."""
        if not self._seconds:
            _ = self._model
        return self._seconds.get("model", self._seconds.get("forward", 0.0))

    @property
    def dtype(self) -> str:
        """Type of activations, as the graph's logits or cache show it."""
        if "forward" in self._seconds:
            return self._forward.dtype
        if self._generated_dtype is None:
            self._generated_dtype = self._logits_dtype()
        return self._generated_dtype

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a reader of scores must know; complete once something was scored."""
        if "forward" not in self._seconds:
            return ()
        forward = self._forward
        return (*scoring.batch_notes(forward), *sharing.notes(forward), *pass_room.notes(forward.room, forward.budget))

    @cached_property
    def _forward(self) -> onnx_scores.OnnxForward:
        graph = self._folder / str(self._config["decoder"].get("filename", "model.onnx"))
        view = scoring_view.view_of(graph) if self._options.provider in _VIEWED else None
        begun = time.perf_counter()
        session = onnx_scores.open_raw(
            self._folder,
            self._config,
            self._options.provider,
            self._options.provider_options,
            self._options.threads,
            view,
        )
        self._seconds["forward"] = time.perf_counter() - begun
        return onnx_scores.open_forward(self._folder, self._config, self._options.provider, session)

    @cached_property
    def _model(self) -> Any:
        import onnxruntime_genai as og  # before the clock starts

        begun = time.perf_counter()
        model = _open_model(og, self._folder, self._options)
        self._seconds["model"] = time.perf_counter() - begun
        return model

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return shared_scoring.score(self._forward, requests)

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        return scoring.logprobs(self._forward, token_ids, positions)

    def hidden(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
        return hidden_states.hidden(self._forward, token_ids, positions)

    def logits(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
        return hidden_states.logits(self._forward, token_ids, positions)

    def save_head(self, folder: Path) -> None:
        """Cut the head out of the graph. Raises: Unsupported where that cannot be done, or scores come from no view of the graph."""
        if not self._forward.hidden:
            raise Unsupported(f"scores on {self.provider} come from the graph as it is, which gives no hidden states")
        head_graph.save_head(self._folder / str(self._config["decoder"].get("filename", "model.onnx")), folder)

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return decoding.greedy(self._forward, prompt, tokens, never)

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        return shared_scoring.greedy(self._forward, prompts, tokens, never, ended)

    def stepwise(self, prompt: Sequence[int], continuation: Sequence[int]) -> Iterator[Tile]:
        return decoding.stepwise(self._forward, prompt, continuation)

    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        """Time fixed work as benchmark_e2e of GenAI 0.9 and later does: `is_done` stands inside the step's timer."""
        import numpy as np

        prompt = len(workload.prompt_ids[0])
        length = prompt + workload.output
        loaded = "_model" in self.__dict__
        if length > self.context_length:
            raise HarnessError(
                f"prompt {prompt} and output {workload.output} do not fit the context of {self.context_length}; ask for less"
            )
        self._refuse_crossing(workload)
        ids = np.asarray(workload.prompt_ids, dtype=np.int32)
        model = self._model
        rows: list[tuple[float, float, list[float], float, float]] = []
        generated: list[Any] = []
        rounds = workload.warmups + workload.repetitions
        progress(0.0)
        for number in range(rounds):
            row, tokens = _timed(model, ids, workload, length, seed=number)
            if number >= workload.warmups:
                rows.append(row)
                generated.append(tokens)
            progress((number + 1) / rounds)
        return Trace(
            prefill=np.asarray([row[0] for row in rows]),
            first_token=np.asarray([row[1] for row in rows]),
            steps=np.asarray([row[2] for row in rows], dtype=np.float64).reshape(len(rows), workload.output - 1),
            total=np.asarray([row[3] for row in rows]),
            facts={
                "threads": self._options.threads or "runtime default",
                "sampled_from": "after load" if loaded else "before load",
                "prefill_timer": "ends when append_tokens returns; what a device still owes counts as first token",
            },
            ids=np.asarray(generated, dtype=np.int32),
            setup=np.asarray([row[4] for row in rows]),
        )

    def _refuse_crossing(self, workload: GenerationWorkload) -> None:
        kind = str(self._config.get("type", ""))
        reason = crossing(self.border, kind, self._options.provider, workload.reach)
        if reason:
            raise Unsupported(reason)

    def _logits_dtype(self) -> str:
        """Ask a generator of one token for its logits; they have the graph's own type."""
        import numpy as np
        import onnxruntime_genai as og

        params = og.GeneratorParams(self._model)
        params.set_search_options(max_length=2, batch_size=1, do_sample=False)
        generator = og.Generator(self._model, params)
        generator.append_tokens(np.zeros((1, 1), dtype=np.int32))
        return str(generator.get_output("logits").dtype)

    def rest(self) -> None:
        """Let go of both runtimes; each is opened again when it is asked for."""
        self.close()

    def close(self) -> None:
        """Let go of the runtimes, so that memory maps are closed before a folder is moved."""
        for name in ("_forward", "_model"):
            self.__dict__.pop(name, None)


def _timed(
    model: Any, ids: Any, workload: GenerationWorkload, length: int, *, seed: int
) -> tuple[tuple[float, float, list[float], float, float], list[Any]]:
    """Run one repetition; return seconds of prefill, first token, each further step, the whole and what came before the prompt, and the new tokens."""
    import onnxruntime_genai as og

    clock = time.perf_counter
    begun = clock()
    params = og.GeneratorParams(model)
    sizes = {"max_length": length, "min_length": length, "batch_size": workload.batch}
    params.set_search_options(**sizes, **_search(workload, seed))
    generator = og.Generator(model, params)
    start = clock()
    generator.append_tokens(ids)
    prefilled = clock()
    generator.generate_next_token()
    sampled = clock()
    steps: list[float] = []
    done = workload.output == 1
    while not done:
        before = clock()
        generator.generate_next_token()
        done = generator.is_done()
        steps.append(clock() - before)
    ended = clock()
    if len(steps) != workload.output - 1:
        raise HarnessError(
            f"the generator stopped after {len(steps) + 1} of {workload.output} tokens; EOS was not suppressed"
        )
    tokens = [generator.get_sequence(row)[len(ids[row]) :] for row in range(workload.batch)]
    return (prefilled - start, sampled - prefilled, steps, ended - begun, start - begun), tokens


def _search(workload: GenerationWorkload, seed: int) -> dict[str, Any]:
    if workload.sampling is None:
        return {"do_sample": False}
    given = dict(workload.sampling)
    given["random_seed"] = int(given.pop("seed", 0)) + seed
    return {"do_sample": True, **given, "top_k": int(given.get("top_k", 50))}


@contextmanager
def open_artifact(folder: Path, options: OrtGenaiEngineOptions) -> Iterator[OrtGenaiSession]:
    """Open a GenAI artifact. Files and provider are checked here; the weights are read when first needed.

    Raises: HarnessError naming the file or provider that is not there.
    """
    config = read_json(folder / "genai_config.json").get("model")
    if not isinstance(config, dict) or "decoder" not in config:
        raise HarnessError(f"{folder / 'genai_config.json'} describes no decoder model; build the artifact again")
    graph = folder / str(config["decoder"].get("filename", "model.onnx"))
    if not graph.is_file():
        raise HarnessError(f"{graph} is missing; delete the artifact and build it again")
    onnx_scores.check_available(options.provider)
    session = OrtGenaiSession(folder, options, open_codec(folder), config)
    try:
        yield session
    finally:
        session.close()


ORT_GENAI = FolderFormat("ort-genai", lambda folder: (folder / "genai_config.json").is_file())

ENGINE = Engine(
    name="ort-genai",
    formats=(ORT_GENAI,),
    version=2,
    consumes=("ort-genai",),
    offers=frozenset({"generates", "tells", "scores", "hidden"}),
    options=OrtGenaiEngineOptions,
    packages=PACKAGES,
    open=open_artifact,
    refuse=refuse,
    refuse_reach=refuse_reach,
    provider=lambda options: str(options.provider),
    title="ONNX Runtime GenAI",
    inspect=ort_executed.inspect,
    imports=_imports,
)

_SESSIONS: tuple[type[GeneratesAndScores], type[GivesHidden], type[GivesLogits]] = (OrtGenaiSession,) * 3
"""Read by the type checker alone: the session has what the capabilities ask for."""
