"""The forward pass of a GenAI artifact on a raw ONNX Runtime session, which can batch, tile and keep caches on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import nvml
from harness.core.errors import HarnessError
from harness.engines import pass_budget, pass_room, sharing, wanted_rows
from harness.engines.cache_names import dimension, pairs_of
from harness.engines.pass_room import PassRoom
from harness.engines.rotary_border import rotary_border
from harness.engines.scoring import in_one_pass, log_softmax
from harness.engines.scoring_view import HIDDEN, HIDDEN_ROWS, ROWS, row_inputs
from harness.engines.sharing import Sharing
from harness.engines.tokens import first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import FloatArray

PROVIDERS = {
    "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "dml": "DmlExecutionProvider", "NvTensorRtRtx": "NvTensorRTRTXExecutionProvider",
}  # fmt: skip
_WEIGHTS_IN = "session.model_external_initializers_file_folder_path"
"""Setting of a session whose graph comes from memory: where its weight files lie."""
_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(bfloat16)": "bfloat16"}


@dataclass(frozen=True)
class Cache:
    """Keys and values of one sequence: input name -> OrtValue on the device."""

    length: int
    values: dict[str, Any]


@dataclass
class OnnxForward:
    """A decoder graph with key/value cache inputs; `run` is described by `scoring.Forward`."""

    session: Any
    past: dict[str, str]
    """Past input name -> present output name."""
    shape: tuple[int, int]
    """Key/value heads and head size."""
    dtype: str
    vocabulary: int
    context_length: int
    device: str
    positions: bool
    """Whether the graph takes position_ids."""
    pads: bool = False
    border: int | None = None
    picks: bool = False
    """Whether the graph is a scoring view, which takes the rows that are wanted."""
    hidden: bool = False
    """Whether it is a view that also gives what the head sees."""
    sharing: Sharing = sharing.NOT_TRIED
    whole: int = 0
    room: PassRoom = field(default_factory=PassRoom)
    budget: pass_budget.PassBudget = field(default_factory=pass_budget.PassBudget)

    @property
    def continues(self) -> bool:
        """Whether a cache may be continued; see `scoring.Forward`."""
        return self.sharing.continues

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], object]:
        """Run one pass, in parts where memory runs out; see `scoring.Forward.run`."""
        return self._in_parts(self._once, batch, wanted, cache, keep=keep)

    def states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: object, *, keep: bool
    ) -> tuple[list[wanted_rows.States], object]:
        """Run one pass as `run` does, the head left out; give final hidden states [wanted, hidden] for each sequence."""
        return self._in_parts(self._states, batch, wanted, cache, keep=keep)

    def _in_parts(
        self, once: Any, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[Any]], object]:
        before = cache.length if cache is not None else 0
        in_one = in_one_pass(self, before + max(len(ids) for ids in batch))
        return pass_room.run(once, self.room, batch, wanted, cache, keep=keep, in_one=in_one)

    def _states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[Any]], Cache | None]:
        hidden, after = self.logits(batch, cache, keep=keep, places=wanted_rows.places(batch, wanted), output=HIDDEN)
        return [hidden[0, part] for part in wanted_rows.slices(wanted)], after

    def _once(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Cache | None]:
        before = cache.length if cache is not None else 0
        rows, after = self._unnormalized(batch, wanted, cache, keep=keep)
        return [log_softmax(one, asked + before) for one, asked in zip(rows, wanted, strict=True)], after

    def unnormalized(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: object, *, keep: bool
    ) -> tuple[list[FloatArray], object]:
        """Run one pass as `run` does; give logits [wanted, vocabulary] in the graph's type for each sequence, not checked."""
        return self._in_parts(self._unnormalized, batch, wanted, cache, keep=keep)

    def _unnormalized(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[Any]], Cache | None]:
        if not self.picks:
            logits, after = self.logits(batch, cache, keep=keep)
            return [wanted_rows.picked(logits[at], asked) for at, asked in enumerate(wanted)], after
        logits, after = self.logits(batch, cache, keep=keep, places=wanted_rows.places(batch, wanted))
        return [logits[0, part] for part in wanted_rows.slices(wanted)], after

    def logits(
        self,
        batch: Sequence[Sequence[int]],
        cache: Cache | None,
        *,
        keep: bool,
        places: Any = None,
        output: str = "logits",
    ) -> tuple[Any, Cache | None]:
        """Return logits [batch, tokens, vocabulary] in the graph's type, on the host, and the cache where it is kept.

        places: of a scoring view, the rows of the flattened batch that are computed, [1, places, vocabulary]. output: what is fetched.
        """
        binding = self.session.io_binding()
        if places is not None:
            for name, rows in row_inputs(places, output, hidden=self.hidden).items():
                binding.bind_cpu_input(name, rows)
        before = cache.length if cache is not None else 0
        width = max(len(ids) for ids in batch)
        for name, array in _inputs(batch, width, before, positions=self.positions).items():
            binding.bind_cpu_input(name, array)
        pasts = cache.values if cache is not None else self._empty(len(batch))
        for name, value in pasts.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(output, "cpu")
        if keep:
            for present in self.past.values():
                binding.bind_output(present, self.device)
        try:
            self.session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's errors share no base class but Exception
            raise HarnessError(
                f"onnxruntime failed while scoring {len(batch)} x {width} tokens: {first_line(error)}"
            ) from error
        found = binding.get_outputs()
        after = Cache(before + width, dict(zip(self.past, found[1:], strict=True))) if keep else None
        return found[0].numpy(), after

    def _empty(self, batch: int) -> dict[str, Any]:
        import numpy as np
        import onnxruntime

        heads, size = self.shape
        nothing = np.zeros((batch, heads, 0, size), dtype=self.dtype)
        value = onnxruntime.OrtValue.ortvalue_from_numpy(nothing, self.device, 0)
        return dict.fromkeys(self.past, value)


def _inputs(
    batch: Sequence[Sequence[int]], width: int, before: int, *, positions: bool
) -> dict[str, NDArray[np.int64]]:
    """Lay out token ids, right padded; the mask covers what the cache holds."""
    import numpy as np

    ids = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros((len(batch), before + width), dtype=np.int64)
    for row, sequence in enumerate(batch):
        ids[row, : len(sequence)] = sequence
        mask[row, : before + len(sequence)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask}
    if positions:
        inputs["position_ids"] = np.tile(np.arange(before, before + width, dtype=np.int64), (len(batch), 1))
    return inputs


def open_forward(folder: Path, config: dict[str, Any], provider: str, session: Any) -> OnnxForward:
    """Describe an opened session and try it: all positions' logits, and whether padding changes results.

    config: genai_config.json's `model`. Raises: HarnessError where the graph cannot serve scoring, with the remedy.
    """
    inputs = {item.name: item for item in session.get_inputs()}
    picks = inputs.pop(ROWS, None) is not None
    inputs.pop(HIDDEN_ROWS, None)
    outputs = [item.name for item in session.get_outputs()]
    past = pairs_of(folder, config["decoder"], set(inputs), outputs)
    first = inputs[next(iter(past))]
    dtype = _TYPES.get(first.type, first.type)
    if dtype not in ("float32", "float16"):
        raise HarnessError(
            f"{folder}: scoring cannot read {dtype} caches from onnxruntime; build the artifact in fp16 or fp32"
        )
    forward = OnnxForward(
        session=session,
        past=past,
        shape=(
            dimension(first.shape[1], config, "num_key_value_heads"),
            dimension(first.shape[3], config, "head_size"),
        ),
        dtype=dtype,
        vocabulary=int(config["vocab_size"]),
        context_length=int(config["context_length"]),
        device="cuda" if provider == "cuda" else "cpu",
        positions="position_ids" in inputs,
        border=rotary_border(folder / config["decoder"]["filename"]),
        picks=picks,
        hidden=HIDDEN in outputs,
    )
    forward.vocabulary = _real_vocabulary(folder, forward)
    forward.pads = sharing.padding_is_harmless(forward, sharing.TOLERANCE[dtype])
    forward.sharing = sharing.found(forward, sharing.TOLERANCE[dtype], forward.border)
    token_bytes = len(past) * forward.shape[0] * forward.shape[1] * (4 if dtype == "float32" else 2)
    forward.budget = pass_budget.budget(provider, forward.vocabulary, token_bytes, pass_budget.free_memory(provider))
    return forward


def _real_vocabulary(folder: Path, forward: OnnxForward) -> int:
    """Run a short sequence; return how many logits a position has. Raises: HarnessError where only the last one has any."""
    import numpy as np

    ids = list(range(12))
    places = np.arange(len(ids)) if forward.picks else None
    logits, _ = forward.logits([ids], None, keep=False, places=places)
    if logits.shape[1] != len(ids):
        raise HarnessError(
            f"{folder} gives logits of the last position only (it was exported with prune_lm_head); scoring needs all "
            "positions: build it again with prune_lm_head=false"
        )
    return int(logits.shape[2])


def open_raw(
    folder: Path,
    config: dict[str, Any],
    provider: str,
    options: dict[str, str],
    threads: int | None,
    view: bytes | None = None,
) -> Any:
    """Open the graph, or a view of it, with onnxruntime; the provider asked for must be the one that runs.

    Raises: HarnessError where the provider is not there or the file cannot be opened.
    """
    import onnxruntime

    name = PROVIDERS[provider]
    check_available(provider)
    nvml.load_cuda_libraries(provider)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.enable_mem_pattern = False  # every new shape would keep a plan of its own; DirectML refuses it
    if provider == "dml":
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL  # DirectML runs no other
    settings.intra_op_num_threads = threads or 0  # 0 is its own default
    path = folder / config["decoder"]["filename"]
    if view is not None:
        settings.add_session_config_entry(_WEIGHTS_IN, str(path.parent))
    try:
        session = onnxruntime.InferenceSession(view or str(path), settings, providers=[(name, options)])
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        raise HarnessError(broken(path, "onnxruntime", error)) from error
    if session.get_providers()[0] != name:
        raise HarnessError(
            f"asked for {provider}, but onnxruntime runs {path.name} on {session.get_providers()[0]}; "
            "install the runtime and driver that this provider needs"
        )
    return session


def check_available(provider: str) -> None:
    """Refuse a provider that this onnxruntime was not built with. Raises: HarnessError."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in there:
        raise HarnessError(
            f"provider {provider} is not in this onnxruntime (it has {', '.join(there)}); "
            "use an environment with the matching wheel, or ask for provider cpu"
        )


def broken(path: Path, library: str, error: BaseException) -> str:
    """Say that a model file cannot be opened and what to do."""
    return (
        f"{path} cannot be opened by {library}: {first_line(error)}; the file is damaged, incomplete or made for "
        "another version: delete the artifact and build it again"
    )
