"""Hugging Face transformers: the model's own folder in torch, the decode loop written out step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError, Unsupported
from harness.core.executed import Executed
from harness.core.folder_formats import FolderFormat
from harness.core.model_flaws import unknown_code
from harness.core.model_record import ModelRecord
from harness.core.pipelines import PIPELINE
from harness.core.rope import as_version_4
from harness.core.seam import Engine, Facts
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
    Whole,
)
from harness.core.spec import Note
from harness.engines import (
    decoding,
    hidden_states,
    pass_room,
    scoring,
    shared_scoring,
    sharing,
    torch_executed,
    torch_generation,
    torch_head,
    whole,
)
from harness.engines.tokens import Codec, open_codec, read_json
from harness.engines.torch_forward import TorchForward
from harness.engines.torch_loading import (
    TransformersOptions,
    _check,
    _context_length,
    _imports,
    _load,
    _notes,
    _vocabulary,
    _weights,
)
from harness.engines.torch_quantized import read_checkpoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TransformersSession:
    """A model in torch, opened once for both capabilities."""

    def __init__(self, options: TransformersOptions, codec: Codec, forward: TorchForward, seconds: float) -> None:
        self.codec = codec
        self.context_length = forward.context_length
        self.provider, _, place = options.device.partition(":")
        self.place = int(place or 0)
        self.dtype: str = options.dtype
        self.load_seconds = seconds
        self.opening_notes: tuple[Note, ...] = ()
        self.switches = whole.switches(forward.model.config)
        self.border = forward.border
        self._forward = forward

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was found while opening, and what scoring has met since."""
        forward = self._forward
        return (*self.opening_notes, *sharing.notes(forward), *pass_room.notes(forward.room, forward.budget))

    def executed(self) -> Executed:
        return torch_executed.executed_of_model(self._forward.model, self.dtype)

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return shared_scoring.score(self._forward, requests)

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        return scoring.logprobs(self._forward, token_ids, positions)

    def hidden(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[HiddenTile]:
        return hidden_states.hidden(self._forward, token_ids, positions)

    def logits(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[LogitTile]:
        return hidden_states.logits(self._forward, token_ids, positions)

    def save_head(self, folder: Path) -> None:
        torch_head.save_head(self._forward, folder)

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> NDArray[np.float32]:
        return whole.logprobs(self._forward.model, token_ids, positions)

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return decoding.greedy(self._forward, prompt, tokens, never)

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        return shared_scoring.greedy(self._forward, prompts, tokens, never, ended)

    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        trace = torch_generation.generate(
            self._forward.model, workload, progress, ends=self.codec.ends, context_length=self.context_length,
            border=self._forward.border,
        )  # fmt: skip
        return replace(trace, facts=trace.facts | {"sampled_from": "after load"})


@contextmanager
def open_artifact(folder: Path, options: TransformersOptions) -> Iterator[TransformersSession]:
    """Open a transformers folder; nothing is fetched from anywhere.

    Raises: HarnessError naming what is missing, damaged or not where it was asked to run.
    """
    weights = _weights(folder)
    codec = open_codec(folder)
    import torch

    if options.device != "cpu" and not torch.cuda.is_available():
        raise HarnessError(
            f"asked for device {options.device}, but torch {torch.__version__} sees no CUDA device; "
            "use an environment with a CUDA build and a driver, or ask for cpu"
        )
    threads = torch.get_num_threads()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        checkpoint = read_checkpoint(folder, read_json(folder / "config.json"), options.dtype)
        options = options.model_copy(update={"dtype": checkpoint.dtype})
        model, seconds, notes = _load(folder, weights, options, checkpoint)
        _check(model, options, checkpoint)
        forward = TorchForward(model, _vocabulary(model), _context_length(model.config, folder), options.dtype)
        session = TransformersSession(options, codec, forward, seconds)
        converted = () if checkpoint.known else _notes(weights, options)
        session.opening_notes = (*notes, *converted, *scoring.batch_notes(forward))
        yield session
    finally:
        torch.set_num_threads(threads)


def refuse(options: TransformersOptions, facts: Facts) -> str | None:
    """Say which package is missing or too old, or why a device cannot be had in an environment; no package is imported."""
    # Before 4.56 the type of weights was called `torch_dtype`.
    return facts.wants("torch", "transformers>=4.56", device=options.device)


_SINKS = frozenset({"gpt_oss"})
"""Model types with attention sinks, which torch's fused attention does not have."""


def refuse_model(options: TransformersOptions, facts: Facts, record: ModelRecord) -> str | None:
    """Say why a model's folder cannot be opened as it should be, from its configuration; no package is imported."""
    if record.model_type == PIPELINE:
        return "the model is an image pipeline, and this engine takes language models: take engine diffusers"
    if options.attention == "sdpa" and (record.soft_cap is not None or record.model_type in _SINKS):
        why = (
            f"caps its attention scores at {record.soft_cap}" if record.soft_cap is not None else "has attention sinks"
        )
        return (
            f"the model {why}, which torch's fused attention does not; say `attention: eager`, or leave the option out"
        )
    version = facts.packages.get("transformers", "")
    if version.startswith("4."):
        try:
            as_version_4(record.config)
        except Unsupported as error:
            return str(error)
    return unknown_code(record, version, facts.interpreter)


HF = FolderFormat(
    "hf", lambda folder: (folder / "config.json").is_file() and not (folder / "genai_config.json").exists()
)
"""An export for ONNX Runtime GenAI may hold a copy of the model's configuration, too."""

ENGINE = Engine(
    name="transformers",
    formats=(HF,),
    version=3,
    consumes=("hf",),
    offers=frozenset({"generates", "tells", "scores", "whole", "hidden"}),
    options=TransformersOptions,
    packages=("torch", "transformers"),
    open=open_artifact,
    refuse=refuse,
    refuse_model=refuse_model,
    provider=lambda options: str(options.device).split(":")[0],
    floats=lambda options: options.dtype,
    title="transformers",
    imports=_imports,
)

_SESSIONS: tuple[type[GeneratesAndScores], type[Whole], type[GivesHidden], type[GivesLogits]] = (
    TransformersSession,
) * 4
"""Read by the type checker alone: the session has what the capabilities ask for."""
