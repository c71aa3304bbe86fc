"""Hugging Face transformers: the model's own folder in torch, the decode loop written out step by step."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError, Unsupported
from harness.core.folder_formats import FolderFormat
from harness.core.model_config import load_config
from harness.core.model_flaws import unknown_code
from harness.core.model_record import ModelRecord, record_of
from harness.core.options import Options
from harness.core.rope import as_version_4
from harness.core.seam import Engine, Facts
from harness.core.sessions import GeneratesAndScores, GenerationWorkload, Request, Score, Tile, Trace, Whole
from harness.core.spec import Note
from harness.core.weights import weights_unread
from harness.engines import (
    pass_room,
    scoring,
    shared_scoring,
    sharing,
    torch_attention,
    torch_generation,
    torch_rows,
    wanted_rows,
    whole,
)
from harness.engines.pass_room import PassRoom
from harness.engines.tokens import Codec, first_line, open_codec, read_json
from harness.engines.torch_quantized import Checkpoint, read_checkpoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BUILD = "copy or build the model again"
_PAD_TOLERANCE = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}
"""How far a padded run may stand from a single run (largest difference of a log-probability, nats)."""


class TransformersOptions(Options):
    """How torch holds and runs the model."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of weights and activations; weights stored in another type are converted, and a note says so. A quantized checkpoint
    computes in its own type: leave this out, or say that one."""
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    """cpu, cuda or cuda:N; the one asked for runs, or the job fails."""
    attention: Literal["auto", "sdpa", "eager"] = "auto"
    """Attention implementation: torch's fused one, or plain matrix products; `auto` takes the latter where the model caps
    its attention scores or has attention sinks, and says so on the record."""
    threads: int | None = Field(default=None, ge=1)
    """Threads within an operator; None leaves it to torch."""


class TorchForward:
    """A causal language model; `run` is described by `scoring.Forward`."""

    def __init__(self, model: Any, vocabulary: int, context_length: int, dtype: str) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.context_length = context_length
        self.border = record_of(model.config.get_text_config().to_dict()).border
        self._slices = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.room = PassRoom()
        self.whole = 0
        self.sharing = sharing.NOT_TRIED
        self.pads = self.picks = False
        self.picks = torch_rows.takes_rows(model, lambda batch: self._inputs(batch, 0))
        self.pads = self._padding_is_harmless(_PAD_TOLERANCE[dtype])
        until = min(whole.switches(model.config), default=None)
        self.sharing = sharing.found(self, _PAD_TOLERANCE[dtype], until, batches=True)

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Any]:
        """Run one pass, in parts where memory runs out; see `scoring.Forward.run`."""
        before = int(cache.get_seq_length()) if cache is not None else 0
        in_one = scoring.beyond_border(self, before + max(len(ids) for ids in batch))
        return pass_room.run(self._once, self.room, batch, wanted, cache, keep=keep, in_one=in_one)

    def _once(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Any]:
        """Make a pass; only the rows that somebody wants go through the head."""
        import numpy as np
        import torch

        before = int(cache.get_seq_length()) if cache is not None else 0
        cache = torch_rows.copies(cache, len(batch)) if cache is not None else None
        if self.picks:
            with torch.inference_mode():
                logits, after = self._gathered(batch, wanted, cache, keep=keep)
                mine = zip(wanted_rows.slices(wanted), wanted, strict=True)
                return [self._normalised(logits[0, part], asked + before) for part, asked in mine], after
        union = np.unique(np.concatenate(wanted)) if wanted else np.empty(0, dtype=np.int64)
        keeps: dict[str, Any] = {}
        if self._slices:
            rows = union if union.size else np.zeros(1, dtype=np.int64)
            keeps["logits_to_keep"] = torch.as_tensor(rows, device=self.model.device)
        with torch.inference_mode():
            out = self.model(**self._inputs(batch, before), past_key_values=cache, use_cache=keep, **keeps)
            made = [
                self._logprobs(out.logits[number], union if self._slices else None, asked, before)
                for number, asked in enumerate(wanted)
            ]
        return made, out.past_key_values if keep else None

    def _inputs(self, batch: Sequence[Sequence[int]], before: int) -> dict[str, Any]:
        import torch

        width = max(len(ids) for ids in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.int64)
        mask = torch.zeros((len(batch), before + width), dtype=torch.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = torch.as_tensor(list(sequence))
            mask[row, : before + len(sequence)] = 1
        positions = torch.arange(before, before + width).expand(len(batch), -1)
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        return {name: value.to(self.model.device) for name, value in inputs.items()}

    def _logprobs(self, logits: Any, kept: NDArray[np.int64] | None, asked: NDArray[np.int64], before: int) -> Any:
        """Pick the wanted rows and normalise them: on the device where there is one, in float32 always."""
        import numpy as np
        import torch

        index = asked if kept is None else np.searchsorted(kept, asked)
        return self._normalised(logits[torch.as_tensor(index, device=logits.device)], asked + before)

    def _normalised(self, logits: Any, positions: NDArray[np.int64]) -> Any:
        import torch

        rows = logits.float()
        if rows.device.type == "cpu":
            return scoring.log_softmax(rows.numpy(), positions)
        broken = ~torch.isfinite(rows).all(dim=-1)
        if bool(broken.any()):
            scoring.refuse_non_finite(int(positions[int(broken.nonzero()[0])]))
        return torch.log_softmax(rows, dim=-1).cpu().numpy()

    def _gathered(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        """Return logits [1, rows, vocabulary] and the cache, the head having seen the wanted rows alone."""
        before = int(cache.get_seq_length()) if cache is not None else 0
        with torch_rows.gathered(self.model.get_output_embeddings(), wanted_rows.places(batch, wanted)):
            out = self.model(**self._inputs(batch, before), past_key_values=cache, use_cache=keep)
        return out.logits, out.past_key_values if keep else None

    def _padding_is_harmless(self, tolerance: float) -> bool:
        import numpy as np

        top = min(self.vocabulary, 250)
        long = [(7 * step + 3) % top for step in range(12)]
        short = [(11 * step + 5) % top for step in range(5)]
        where = np.arange(len(short))
        alone = self.run([short], [where], None, keep=False)[0][0]
        together = self.run([long, short], [where[:1], where], None, keep=False)[0][1]
        return bool(np.abs(alone - together).max() <= tolerance)


class TransformersSession:
    """A model in torch, opened once for both capabilities."""

    def __init__(self, options: TransformersOptions, codec: Codec, forward: TorchForward, seconds: float) -> None:
        self.codec = codec
        self.context_length = forward.context_length
        self.provider = options.device.split(":")[0]
        self.dtype: str = options.dtype
        self.load_seconds = seconds
        self.opening_notes: tuple[Note, ...] = ()
        self.switches = whole.switches(forward.model.config)
        self.border = forward.border
        self._forward = forward

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was found while opening, and what scoring has met since."""
        return (*self.opening_notes, *sharing.notes(self._forward), *pass_room.notes(self._forward.room))

    def score(self, requests: Sequence[Request]) -> list[Score]:
        return shared_scoring.score(self._forward, requests)

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        return scoring.logprobs(self._forward, token_ids, positions)

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> NDArray[np.float32]:
        return whole.logprobs(self._forward.model, token_ids, positions)

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return scoring.greedy(self._forward, prompt, tokens, never)

    def greedy_all(self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()) -> list[list[int]]:
        return shared_scoring.greedy(self._forward, prompts, tokens, never)

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


def _weights(folder: Path) -> list[Path]:
    found = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not found:
        raise HarnessError(f"{folder} holds no weights (*.safetensors); {_BUILD}")
    index = read_json(folder / "model.safetensors.index.json", optional=True)
    for name in sorted(set(index.get("weight_map", {}).values())):
        if not (folder / name).is_file():
            raise HarnessError(f"{folder / name} is missing, though the index names it; {_BUILD}")
    return found


def _load(
    folder: Path, weights: Sequence[Path], options: TransformersOptions, checkpoint: Checkpoint
) -> tuple[Any, float, tuple[Note, ...]]:
    """Load the model onto its device; weights that are missing must not be made up."""
    import torch
    from transformers import AutoModelForCausalLM

    _check_headers(weights)
    begun = time.perf_counter()
    try:
        config, notes = load_config(folder, read_json(folder / "config.json"))
        attention = torch_attention.attention(config, options.attention)
        placed = checkpoint.load_with(config, options.device)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            trust_remote_code=False,
            dtype=getattr(torch, options.dtype),
            attn_implementation=attention,
            local_files_only=True,
            output_loading_info=True,
            **placed,
        )
    except (ValueError, KeyError, OSError, RuntimeError, ImportError, NameError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise HarnessError(f"{folder} cannot be opened by transformers: {first_line(error)}; {_BUILD}") from error
    absent = sorted(found["missing_keys"]) + sorted(str(item) for item in found["mismatched_keys"])
    if absent:
        raise HarnessError(f"{folder} lacks weights that its configuration asks for, as {absent[0]}; {_BUILD}")
    told = checkpoint.put(model, folder, options.device)
    torch_generation.settle(options.device)
    unread = weights_unread(checkpoint.unread(found["unexpected_keys"]), type(model).__name__)
    attended = torch_attention.attention_notes(model, options.attention)
    return model, time.perf_counter() - begun, (*notes, *attended, *told, *unread)


def _check_headers(weights: Sequence[Path]) -> None:
    """Open each safetensors file's header, so that a damaged one is named."""
    from safetensors import SafetensorError, safe_open

    for path in weights:
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, framework="pt"):
                    pass
            except (SafetensorError, OSError) as error:
                raise HarnessError(f"{path} is damaged or incomplete ({first_line(error)}); {_BUILD}") from error


def _check(model: Any, options: TransformersOptions, checkpoint: Checkpoint) -> None:
    """See that the model is where and what was asked for."""
    asked = options.device.split(":")[0]
    there = [*model.parameters(), *model.buffers()]
    strays = {str(item.device) for item in there if item.device.type != asked}
    if strays:
        raise HarnessError(f"asked for device {options.device}, but weights lie on {', '.join(sorted(strays))}")
    types = {str(item.dtype).removeprefix("torch.") for item in model.parameters() if item.is_floating_point()}
    if types - checkpoint.types:
        raise HarnessError(f"asked for {options.dtype}, but weights are {', '.join(sorted(types))}")


def _notes(weights: Sequence[Path], options: TransformersOptions) -> tuple[Note, ...]:
    """Say where stored weights had another type than the one asked for."""
    stored = _stored_types(weights)
    if not stored or stored == {options.dtype}:
        return ()
    text = f"weights are stored as {', '.join(sorted(stored))} and were converted to {options.dtype}"
    return (Note(code="weights-converted", text=text),)


def _stored_types(weights: Sequence[Path]) -> set[str]:
    from safetensors import safe_open

    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
    found: set[str] = set()
    for path in weights:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                found |= {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - not a dict
    return {names[name] for name in found if name in names}


def _vocabulary(model: Any) -> int:
    head = model.get_output_embeddings()
    return int(head.weight.shape[0]) if head is not None else int(model.config.get_text_config().vocab_size)


def _context_length(config: Any, folder: Path) -> int:
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(found, int) or found < 1:
        raise HarnessError(f"{folder / 'config.json'} names no max_position_embeddings; add the model's context length")
    return found


def refuse(options: TransformersOptions, facts: Facts) -> str | None:
    """Say why a device cannot be had in an environment; no package is imported."""
    absent = [name for name in ("torch", "transformers") if name not in facts.packages]
    if absent:
        return facts.lacks(absent[0])
    if options.device != "cpu" and not facts.gpus:
        return f"device {options.device} needs an NVIDIA GPU, and this environment sees none"
    if options.device != "cpu" and facts.packages.get("torch", "").endswith("+cpu"):
        return (
            f"device {options.device} needs a CUDA build of torch, and this environment has {facts.packages['torch']}"
        )
    return None


def _imports() -> None:
    import safetensors  # noqa: F401
    import tokenizers  # noqa: F401
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM  # noqa: F401


_SINKS = frozenset({"gpt_oss"})
"""Model types with attention sinks, which torch's fused attention does not have."""


def refuse_model(options: TransformersOptions, facts: Facts, record: ModelRecord) -> str | None:
    """Say why a model's folder cannot be opened as it should be, from its configuration; no package is imported."""
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
    return unknown_code(record, version)


HF = FolderFormat(
    "hf", lambda folder: (folder / "config.json").is_file() and not (folder / "genai_config.json").exists()
)
"""An export for ONNX Runtime GenAI may hold a copy of the model's configuration, too."""

ENGINE = Engine(
    name="transformers",
    formats=(HF,),
    version=2,
    consumes=("hf",),
    offers=frozenset({"generates", "tells", "scores", "whole"}),
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

_SESSIONS: tuple[type[GeneratesAndScores], type[Whole]] = (
    TransformersSession,
    TransformersSession,
)
"""Read by the type checker alone: the session has what the capabilities ask for."""
