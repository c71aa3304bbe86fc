"""Records with a prompt and an answer, as chat and instruction data sets are: read from JSON lines, packed into rows of tokens.

Packed as in llama-recipes: BOS, prompt, answer and end of sequence, record after record, cut into rows of one length; only tokens of answers count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import ConfigError, HarnessError
from harness.texts import CALIBRATION, REFERENCE, read, text_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHIPPED = frozenset({REFERENCE, CALIBRATION})
"""Texts that ship: each passage's first half is the prompt, the other the answer."""
_STYLES: Mapping[str, tuple[str, str, str]] = {
    "samsum": ("dialogue", "summary", "Summarize this dialog:\n{dialogue}\n---\nSummary:\n"),
    "dolly": ("instruction", "response", "{instruction}\n{context}\n"),
    "plain": ("prompt", "answer", "{prompt}"),
}
"""Key of what is asked, key of the answer, and how the prompt is written."""


@dataclass(frozen=True)
class Answered:
    """A prompt and the answer that a model should give."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class PackedRows:
    """Records packed into rows of one length."""

    ids: NDArray[np.int64]
    """Token ids [rows, window]."""
    counts: NDArray[np.bool_]
    """Whether each token is one of an answer, [rows, window]."""
    records: int
    sha256: str
    """Hash of both arrays."""


def answered_files(name: str) -> dict[str, Path]:
    """Give the file whose content decides the records. Raises: ConfigError where there is none."""
    return {"data": text_file(name) if name in SHIPPED else _file(name)}


def _file(name: str) -> Path:
    path = text_file(name)
    if path.suffix != ".jsonl":
        raise ConfigError(f"{path} is no .jsonl file; give one JSON object a line, or {' or '.join(sorted(SHIPPED))}")
    return path


def read_answered(name: str) -> list[Answered]:
    """Read records: JSON lines with dialogue and summary, instruction, context and response, or prompt and answer; or a text that ships.

    Raises: ConfigError with file and line where a record has no prompt or no answer.
    """
    if name in SHIPPED:
        return [_halved(part) for part in read(name).alone if len(part.split()) > 1]
    path = _file(name)
    found = list(_records(path))
    if not found:
        raise ConfigError(f"{path} holds no record; give one JSON object a line")
    return found


def _halved(passage: str) -> Answered:
    words = passage.split(" ")
    middle = len(words) // 2
    return Answered(" ".join(words[:middle]) + " ", " ".join(words[middle:]))


def _records(path: Path) -> Iterator[Answered]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _record(line, f"{path}:{number}")


def _record(line: str, place: str) -> Answered:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{place}: not a JSON object ({error}); one record stands on a line") from None
    styles = [style for style in _STYLES.values() if isinstance(said, dict) and style[0] in said]
    if not styles:
        keys = ", ".join(f"{asked} and {answer}" for asked, answer, _ in _STYLES.values())
        raise ConfigError(f"{place}: a record has {keys}; this one has none of these")
    asked, answer, form = styles[0]
    texts = {key: value if isinstance(value, str) else "" for key, value in said.items()}
    for key, what in ((asked, "prompt"), (answer, "answer")):
        if not texts.get(key, "").strip():
            raise ConfigError(
                f"{place}: no {what}: '{key}' is missing, empty or no text; complete the line or take it out"
            )
    return Answered(form.format_map({"context": "", **texts}), texts[answer])


def packed(
    records: Sequence[Answered], encode: Callable[[str], Sequence[int]], bos: int | None, eos: int | None, window: int
) -> PackedRows:
    """Pack records into rows. encode: text to token ids without special ones; window: tokens in a row; what is left over is dropped.

    Raises: HarnessError where all records together are shorter than a row.
    """
    import numpy as np

    ids: list[int] = []
    counts: list[bool] = []
    for record in records:
        asked = [*([] if bos is None else [bos]), *encode(record.prompt)]
        answer = [*encode(record.answer), *([] if eos is None else [eos])]
        ids += [*asked, *answer]
        counts += [False] * len(asked) + [True] * len(answer)
    rows = len(ids) // window
    if not rows:
        raise HarnessError(
            f"{len(records)} records are {len(ids)} tokens, fewer than a row of {window}; give more, or a smaller window"
        )
    tokens = np.array(ids[: rows * window], dtype=np.int64).reshape(rows, window)
    answers = np.array(counts[: rows * window], dtype=np.bool_).reshape(rows, window)
    digest = hashlib.sha256(tokens.astype("<i8").tobytes() + answers.tobytes()).hexdigest()
    return PackedRows(tokens, answers, len(records), digest)
