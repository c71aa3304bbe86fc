"""Passes of a transformers model: from token ids to log-probabilities of the rows that are wanted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.core.model_record import record_of
from harness.engines import (
    pass_budget,
    pass_room,
    scoring,
    sharing,
    torch_in_row,
    torch_rows,
    wanted_rows,
    whole,
)
from harness.engines.pass_room import PassRoom

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import FloatArray

    Finish = Callable[[Any, NDArray[np.int64]], NDArray[np.float32]]


class TorchForward:
    """A causal language model; `run` is described by `scoring.Forward`."""

    def __init__(self, model: Any, vocabulary: int, context_length: int, dtype: str) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.context_length = context_length
        record = record_of(model.config.get_text_config().to_dict())
        self.border = record.border
        token_bytes = pass_budget.token_bytes(record, model.dtype.itemsize)
        self.budget = pass_budget.budget(model.device.type, vocabulary, token_bytes, _free(model.device))
        self._slices = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.room = PassRoom()
        self.whole = 0
        self.sharing = sharing.NOT_TRIED
        self.pads = self.picks = False
        self._row_until = 0
        self.picks = torch_rows.takes_rows(model, lambda batch: self._inputs(batch, 0), dtype)
        self.pads = sharing.padding_is_harmless(self, sharing.TOLERANCE[dtype])
        self.sharing = self._tried_sharing(sharing.TOLERANCE[dtype])

    @property
    def continues(self) -> bool:
        """Whether a cache may be continued; see `scoring.Forward`."""
        return self.sharing.continues

    def run(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Any]:
        """Run one pass, in parts where memory runs out; see `scoring.Forward.run`."""
        return self._in_parts(self._once, batch, wanted, cache, keep=keep)

    def states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: object, *, keep: bool
    ) -> tuple[list[wanted_rows.States], object]:
        """Run one pass as `run` does, the head left out; give final hidden states [wanted, hidden] for each sequence."""
        return self._in_parts(self._states, batch, wanted, cache, keep=keep)

    def _in_parts(
        self, once: Any, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[Any]], Any]:
        before = int(cache.get_seq_length()) if cache is not None else 0
        in_one = scoring.in_one_pass(self, before + max(len(ids) for ids in batch))
        return pass_room.run(once, self.room, batch, wanted, cache, keep=keep, in_one=in_one)

    def _states(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[Any]], Any]:
        import torch

        before = int(cache.get_seq_length()) if cache is not None else 0
        cache = torch_rows.behind(cache, len(batch), keep=keep)
        head = self.model.get_output_embeddings()
        with torch.inference_mode(), torch_rows.seen(head, wanted_rows.places(batch, wanted)) as kept:
            out = self.model(**self._inputs(batch, before), past_key_values=cache, use_cache=keep)
        hidden = torch_rows.as_array(kept[-1][0])
        return [hidden[part] for part in wanted_rows.slices(wanted)], out.past_key_values if keep else None

    def unnormalized(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: object, *, keep: bool
    ) -> tuple[list[FloatArray], object]:
        """Run one pass as `run` does; give float32 logits [wanted, vocabulary] for each sequence, not checked."""
        return self._in_parts(partial(self._rows, _as_they_are), batch, wanted, cache, keep=keep)

    def _once(
        self, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Any]:
        return self._rows(_normalized, batch, wanted, cache, keep=keep)

    def _rows(
        self, finish: Finish, batch: Sequence[Sequence[int]], wanted: Sequence[NDArray[np.int64]], cache: Any, *, keep: bool
    ) -> tuple[list[NDArray[np.float32]], Any]:  # fmt: skip
        """Make a pass; only the rows that somebody wants go through the head. finish: what is done to them, in float32."""
        import numpy as np
        import torch

        before = int(cache.get_seq_length()) if cache is not None else 0
        if self.picks:
            with torch.inference_mode():
                logits, after = self._gathered(batch, wanted, cache, keep=keep)
                mine = zip(wanted_rows.slices(wanted), wanted, strict=True)
                return [finish(logits[0, part].float(), asked + before) for part, asked in mine], after
        cache = torch_rows.behind(cache, len(batch), keep=keep)
        union = np.unique(np.concatenate(wanted)) if wanted else np.empty(0, dtype=np.int64)
        keeps: dict[str, Any] = {}
        if self._slices:
            rows = union if union.size else np.zeros(1, dtype=np.int64)
            keeps["logits_to_keep"] = torch.as_tensor(rows, device=self.model.device)
        with torch.inference_mode():
            out = self.model(**self._inputs(batch, before), past_key_values=cache, use_cache=keep, **keeps)
            made = [
                finish(_picked(out.logits[number], union if self._slices else None, asked).float(), asked + before)
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

    def _gathered(self, batch: Sequence[Sequence[int]], wanted: Sequence[Any], cache: Any, *, keep: bool) -> Any:
        """Return logits [1, rows, vocabulary] and the cache, the head having seen the wanted rows alone."""
        before = int(cache.get_seq_length()) if cache is not None else 0
        width = max(map(len, batch))
        if cache is not None and width > 1 and before + width <= self._row_until:
            inputs = torch_in_row.inputs(batch, before, self.model.dtype, self.model.device)
            batch, wanted = torch_in_row.joined(batch, wanted)
        else:
            inputs = self._inputs(batch, before)
        cache = torch_rows.behind(cache, len(batch), keep=keep)
        with torch_rows.gathered(self.model.get_output_embeddings(), wanted_rows.places(batch, wanted)):
            out = self.model(**inputs, past_key_values=cache, use_cache=keep)
        return out.logits, out.past_key_values if keep else None

    def _tried_sharing(self, tolerance: float) -> sharing.Sharing:
        """Try whether continuations may stand in one row behind a cache; where not, side by side behind copies of it.

        The mask of a row knows no window: what is longer than one gets its mask from transformers.
        """
        until = min(whole.switches(self.model.config), default=None)
        self._row_until = (until or self.context_length) if self.picks else 0
        found = sharing.found(self, tolerance, until, batches=True)
        if self._row_until and found.batched:
            return replace(found, in_row=torch_in_row.TOKENS.get(self.model.device.type, torch_in_row.TOKENS["cpu"]))
        self._row_until = 0
        return sharing.found(self, tolerance, until, batches=True) if self.picks else found


def _free(device: Any) -> int | None:
    """Return the bytes that are free on a device."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return pass_budget.free_memory(str(device.type))


def _picked(logits: Any, kept: NDArray[np.int64] | None, asked: NDArray[np.int64]) -> Any:
    """Pick the wanted rows of one sequence. kept: which positions the logits are of; None: all."""
    import numpy as np
    import torch

    index = asked if kept is None else np.searchsorted(kept, asked)
    return logits[torch.as_tensor(index, device=logits.device)]


def _normalized(rows: Any, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give log-probabilities of float32 logits: on the device where there is one."""
    import torch

    if rows.device.type == "cpu":
        return scoring.log_softmax(rows.numpy(), positions)
    broken = ~torch.isfinite(rows).all(dim=-1)
    if bool(broken.any()):
        scoring.refuse_non_finite(int(positions[int(broken.nonzero()[0])]))
    found: NDArray[np.float32] = torch.log_softmax(rows, dim=-1).cpu().numpy()
    return found


def _as_they_are(rows: Any, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    del positions
    found: NDArray[np.float32] = rows.cpu().numpy()
    return found
