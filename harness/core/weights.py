"""What a model's weight files hold beside what is read, and values that no model can have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.model_record import ModelRecord, TensorHeader, read_tensors
from harness.core.spec import Note

_BLOCK = 1 << 24
"""Bytes read at a time; a multiple of every type's size."""
_EXPONENTS = {
    "F64": ("<u8", 0x7FF0 << 48), "F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80),
}  # fmt: skip
"""How a type of safetensors is read as integers, and the bits of its exponent: all ones in NaN and infinity alone."""


def weights_unread(names: Iterable[str], model: str) -> tuple[Note, ...]:
    """Say which tensors of the files no module of the model took."""
    unread = sorted(names)
    if not unread:
        return ()
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    text = (
        f"{model} does not read {unread[0]}{more} of the weight files; the numbers are those of the model without them"
    )
    return (Note(code="weights-unread", text=text),)


@contextlib.contextmanager
def watched_loading() -> Iterator[list[str]]:
    """Watch how transformers loads models; the list grows by the tensors of the files that no module takes.

    Raises: HarnessError where the files lack a weight, which transformers would make up.
    """
    from transformers import PreTrainedModel

    before = vars(PreTrainedModel)["from_pretrained"]
    unread: list[str] = []

    def from_pretrained(cls: Any, *given: Any, **named: Any) -> Any:
        asked = named.pop("output_loading_info", False)
        model, found = before.__func__(cls, *given, output_loading_info=True, **named)
        absent = sorted(found["missing_keys"]) + sorted(str(item) for item in found["mismatched_keys"])
        if absent:
            raise HarnessError(
                f"the weight files lack what the configuration asks for, as {absent[0]}; copy or build the model again"
            )
        unread.extend(found["unexpected_keys"])
        return (model, found) if asked else model

    PreTrainedModel.from_pretrained = classmethod(from_pretrained)
    try:
        yield unread
    finally:
        PreTrainedModel.from_pretrained = before


FLAWS_VERSION = 2
"""Of what is looked for: what an earlier one found nothing in is read again."""


def weights_flaw(folder: Path, record: ModelRecord | None) -> str | None:
    """Read a folder's weights once and say why they are no model's, or None: NaN, infinity, two heads where one is meant."""
    tensors = read_tensors(folder)
    pickled = sorted(folder.glob("pytorch_model*.bin")) if not tensors else []
    if reason := next(filter(None, map(_pickled_flaw, pickled)), None):
        return reason
    for name, tensor in sorted(tensors.items()):
        count = _not_finite(tensor)
        if count:
            return (
                f"{name} in {tensor.file.name} holds {count} values that are NaN or infinite: the model is broken; "
                "fetch it again or convert it anew"
            )
    return _two_heads(tensors, record)


def _pickled_flaw(file: Path) -> str | None:
    """Read a file of pickled weights as transformers does, running none of its code, and look for values that no model can have."""
    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        for name, tensor in sorted(found.items()):
            if (
                torch.is_tensor(tensor)
                and tensor.is_floating_point()
                and (count := int((~torch.isfinite(tensor)).sum()))
            ):
                return (
                    f"{name} in {file.name} holds {count} values that are NaN or infinite: the model is broken; "
                    "fetch it again or convert it anew"
                )
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        return f"{file.name} holds more than weights, or is damaged ({said[0][:160]}); save the model as safetensors"
    return None


def _ties(record: ModelRecord) -> bool:
    """Say whether a model shares its head with its embedding: as config.json says, else as its class does by itself."""
    said = record.config.get("tie_word_embeddings")
    if isinstance(said, bool):
        return said
    try:
        from transformers import AutoConfig

        return AutoConfig.for_model(record.model_type).tie_word_embeddings is True
    except (ImportError, ValueError, KeyError, AttributeError, TypeError):
        return False


def _two_heads(tensors: Mapping[str, TensorHeader], record: ModelRecord | None) -> str | None:
    """Find a head that differs from the embedding it is said to share, which transformers 4 drops and transformers 5 keeps."""
    head = tensors.get("lm_head.weight")
    embedding = next((found for name, found in tensors.items() if name.endswith("embed_tokens.weight")), None)
    if record is None or head is None or embedding is None or not _ties(record):
        return None
    if head.shape == embedding.shape and head.dtype == embedding.dtype and _same(head, embedding):
        return None
    return (
        "config.json ties the LM head to the embedding (tie_word_embeddings: true, which is so for this type of model where it is not "
        "said), but the files hold another head, which transformers 4 drops and transformers 5 keeps: say tie_word_embeddings: false to keep it, or take lm_head.weight out"
    )


def _same(one: TensorHeader, other: TensorHeader) -> bool:
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.begin)
        second.seek(other.begin)
        left = one.end - one.begin
        while left > 0:
            size = min(_BLOCK, left)
            if first.read(size) != second.read(size):
                return False
            left -= size
    return True


def _not_finite(tensor: TensorHeader) -> int:
    """Count values whose exponent is all ones, block by block."""
    import numpy as np

    layout = _EXPONENTS.get(tensor.dtype)
    if layout is None:
        return 0
    kind, mask = layout
    found = 0
    with tensor.file.open("rb") as file:
        file.seek(tensor.begin)
        left = tensor.end - tensor.begin
        while left > 0:
            block = file.read(min(_BLOCK, left))
            if not block:
                break
            bits = np.frombuffer(block, dtype=kind)
            found += int(((bits & mask) == mask).sum())
            left -= len(block)
    return found
