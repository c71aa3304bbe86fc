"""Calibration inputs for Model Optimizer: texts as token ids, and for ONNX empty pasts, for every input that a graph declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.core.errors import HarnessError
from harness.core.spec import Note
from harness.corpus import Text
from harness.quantizers.folders import read_json
from harness.quantizers.modelopt_options import ModeloptOptions
from harness.texts import change_notes, read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOKENS = 512
"""Texts are cut here, as in the original, or at the model's context where that is shorter."""
_HUB = frozenset({"cnn_dailymail", "pile-val"})
_SEED = 20240101


class CalibrationOptions(Protocol):
    """What options say of the calibration texts."""

    @property
    def dataset(self) -> str: ...
    @property
    def calib_size(self) -> int: ...
    @property
    def text(self) -> str | None:
        """Name of the text as `texts` knows it; None where none is read."""


class CalibrationReader:
    """Hands prepared inputs out one batch at a time, again and again."""

    def __init__(self, batches: Sequence[dict[str, Any]]) -> None:
        self._batches = list(batches)
        self._next = iter(self._batches)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._next, None)

    def get_first(self) -> dict[str, Any]:
        return self._batches[0]

    def rewind(self) -> None:
        self._next = iter(self._batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def calibration_reader(
    base: Path, model: Any, options: ModeloptOptions
) -> tuple[CalibrationReader, list[Note], dict[str, Any]]:
    """Prepare the calibration inputs of a base artifact.

    Token ids: int64 [batch_size, tokens], padded at the end with the end-of-sequence id to the longest text, masked.
    Returns: the reader, notes, and facts (texts, tokens, share of padding). Raises: HarnessError where texts are too
    few, or options and graph do not fit.
    """
    import numpy as np

    config = read_json(base / "genai_config.json")["model"]
    rows, changes = token_rows(base, options, int(config["context_length"]), int(config["vocab_size"]))
    ids, mask = padded(rows, _first(config.get("eos_token_id", 0)))
    notes = [*_fit(model, options), *changes]
    cut = range(0, len(rows) - options.batch_size + 1, options.batch_size)
    batches = [
        _inputs(
            model, ids[start : start + options.batch_size], mask[start : start + options.batch_size], config, options
        )
        for start in cut
    ]
    facts = {"texts": len(rows), "tokens": int(mask.sum()), "longest": int(ids.shape[1]), "batches": len(batches)}
    return CalibrationReader(batches), notes, {**facts, "padding": round(1 - float(np.mean(mask)), 6)}


def _first(value: int | list[int]) -> int:
    return value[0] if isinstance(value, list) else value


def token_rows(
    folder: Path, options: CalibrationOptions, context: int, vocabulary: int
) -> tuple[list[list[int]], tuple[Note, ...]]:
    """Give the token ids of each calibration text, and what is to be said of the text; drawn ones where none is read.

    folder: it holds tokenizer.json; context: tokens that the model can read; vocabulary: ids that it knows.
    Raises: HarnessError where texts are too few.
    """
    length = min(TOKENS, context)
    if options.text is None:
        return _random_rows(options, vocabulary, length), ()
    text = read(options.text)
    return _text_rows(folder, text, options, length), change_notes(text, options.text)


def _random_rows(options: CalibrationOptions, vocabulary: int, length: int) -> list[list[int]]:
    import numpy as np

    source = np.random.default_rng(_SEED)
    rows: list[list[int]] = source.integers(0, vocabulary, (options.calib_size, length)).tolist()
    return rows


def _text_rows(base: Path, text: Text, options: CalibrationOptions, length: int) -> list[list[int]]:
    """Tokenize: sets of documents one text each; a running text (a file, the reference) cut every `length` tokens."""
    from tokenizers import Tokenizer

    name = options.text or ""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    if name in _HUB or name.endswith(".jsonl"):
        documents = text.alone[: options.calib_size]
        rows = [encoding.ids[:length] for encoding in tokenizer.encode_batch(list(documents))]
    else:
        ids = tokenizer.encode(text.whole).ids
        rows = [ids[start : start + length] for start in range(0, len(ids) - length + 1, length)][: options.calib_size]
    if len(rows) < options.calib_size:
        raise HarnessError(
            f"calibration text '{options.dataset}' gives {len(rows)} texts of up to {length} tokens where calib_size is "
            f"{options.calib_size}; give a longer text or a smaller calib_size"
        )
    return rows


def padded(rows: list[list[int]], filler: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fill rows of token ids up to the longest one. Returns: ids and mask, int64 [rows, longest]; 0 in the mask is filled."""
    import numpy as np

    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), filler, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def _fit(model: Any, options: ModeloptOptions) -> list[Note]:
    names = {value.name for value in model.graph.input}
    pasts = any(name.startswith("past_key_values") for name in names)
    if options.add_position_ids and "position_ids" not in names:
        raise HarnessError("add_position_ids is set, but the base graph has no input position_ids; leave it out")
    if options.no_past_kv_inputs and pasts:
        raise HarnessError("no_past_kv_inputs is set, but the base graph needs past_key_values; leave it out")
    if "position_ids" in names and not options.add_position_ids:
        return [Note(code="position-ids", text="position_ids were fed because the base graph declares them")]
    return []


def _inputs(
    model: Any, ids: NDArray[np.int64], mask: NDArray[np.int64], config: dict[str, Any], options: ModeloptOptions
) -> dict[str, Any]:
    import numpy as np
    import onnx

    positions = np.where(mask == 0, 1, np.cumsum(mask, axis=-1) - 1)
    known = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    decoder = config["decoder"]
    past = config["context_length"] if options.use_buffer_share else 0
    shape = (len(ids), decoder["num_key_value_heads"], past, decoder["head_size"])
    made: dict[str, Any] = {}
    for value in model.graph.input:
        if not value.name.startswith("past_key_values") and value.name not in known:
            raise HarnessError(f"the base graph has an input '{value.name}' that calibration cannot fill")
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        made[value.name] = known[value.name].astype(kind) if value.name in known else np.zeros(shape, dtype=kind)
    return made
