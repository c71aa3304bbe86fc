"""Text to token ids and back from a folder's tokenizer.json; no transformers import."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.model_record import read_record

_REMEDY = (
    "save the model's fast tokenizer into the folder (`AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)`)"
)
_FLAGGED = frozenset({"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"})
"""Tokenizer classes of transformers that go by `add_bos_token`, whatever tokenizer.json says."""
_CLASSES = {
    "llama": "LlamaTokenizer", "mistral": "LlamaTokenizer", "mixtral": "LlamaTokenizer", "phi3": "LlamaTokenizer",
    "stablelm": "GPTNeoXTokenizer", "gemma": "GemmaTokenizer", "gemma2": "GemmaTokenizer", "gemma3_text": "GemmaTokenizer",
    "cohere": "CohereTokenizer", "cohere2": "CohereTokenizer",
}  # fmt: skip


Located = tuple[list[int], list[int]]
"""Token ids, and the character of a text at which each begins."""
PIECE, SHARED, ALIKE = 500_000, 8192, 64
"""Characters that are encoded at a time (a tokenizer takes 0.6 KB for each token), that two pieces share, and tokens that must be alike in both to join them."""


@dataclass(frozen=True)
class Codec:
    """A model's tokenizer, the same for every engine: special tokens are added only when they are asked for."""

    vocabulary: int
    bos: int | None
    eos: int | None
    ends: tuple[int, ...]
    """All tokens that end a text: the tokenizer's and those of the generation settings."""
    adds_bos: bool
    tokenizer: Any
    folder: Path

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        """Return token ids without special tokens; with `bos` exactly one BOS stands first.

        Raises: HarnessError where BOS is asked for and the tokenizer has none.
        """
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        if not bos:
            return ids
        if self.bos is None:
            raise HarnessError(f"the tokenizer in {self.folder} has no BOS token; ask for the text without BOS")
        return ids if ids[:1] == [self.bos] else [self.bos, *ids]

    def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
        """Return token ids as `encode` does, and the character of the text at which each token begins."""
        ids, begins = joined(self._encoded, text)
        if not bos or ids[:1] == [self.bos]:
            return ids, begins
        return [*self.encode("", bos=True), *ids], [0, *begins]

    def _encoded(self, text: str) -> Located:
        found = self.tokenizer.encode(text, add_special_tokens=False)
        return list(found.ids), [int(begin) for begin, _ in found.offsets]

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Return the text of token ids; special tokens are left out unless they are asked for."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=not special))


def joined(encoded: Callable[[str], Located], text: str) -> Located:
    """Encode a long text by pieces that overlap and are joined where both have the same tokens; whole where they have not."""
    ids, begins = encoded(text[:PIECE])
    start = 0
    while start + PIECE < len(text):
        start += PIECE - SHARED
        found, places = encoded(text[start : start + PIECE])
        places = [start + place for place in places]
        cut = _same((ids, begins), (found, places), start + SHARED // 4, start + SHARED // 2)
        if cut is None:
            return encoded(text)
        del ids[cut[0] :], begins[cut[0] :]
        ids += found[cut[1] :]
        begins += places[cut[1] :]
    return ids, begins


def _same(left: Located, right: Located, first: int, last: int) -> tuple[int, int] | None:
    """Find tokens of two encodings from which on ALIKE of them are the same, between these characters of the text."""
    there = {place: number for number, place in reversed(list(enumerate(right[1]))) if place <= last}
    for number in range(bisect_left(left[1], first), bisect_right(left[1], last)):
        other = there.get(left[1][number])
        if other is None or len(left[0]) < number + ALIKE:
            continue
        if all(
            one[number : number + ALIKE] == two[other : other + ALIKE] for one, two in zip(left, right, strict=True)
        ):
            return number, other
    return None


def open_codec(folder: Path) -> Codec:
    """Open a folder's tokenizer.json, with the special tokens that its settings name.

    Raises: HarnessError where tokenizer.json is missing or cannot be read.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise HarnessError(f"{path} is missing; {_REMEDY}")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise HarnessError(f"{path} cannot be read as a tokenizer ({first_line(error)}); {_REMEDY}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    settings = _settings(folder)
    bos = _token_id(tokenizer, settings.get("bos_token"))
    eos = _token_id(tokenizer, settings.get("eos_token"))
    return Codec(
        vocabulary=int(tokenizer.get_vocab_size(with_added_tokens=True)),
        bos=bos,
        eos=eos,
        ends=_ends(folder, eos),
        adds_bos=_adds_bos(tokenizer, settings, bos, folder),
        tokenizer=tokenizer,
        folder=folder,
    )


def _settings(folder: Path) -> dict[str, Any]:
    """Merge the files that name special tokens; tokenizer_config.json has the last word."""
    merged: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        merged |= {key: value for key, value in read_json(folder / name, optional=True).items() if value is not None}
    return merged


def _token_id(tokenizer: Any, token: Any) -> int | None:
    content = token.get("content") if isinstance(token, dict) else token
    found = tokenizer.token_to_id(content) if isinstance(content, str) else None
    return None if found is None else int(found)


def _ends(folder: Path, eos: int | None) -> tuple[int, ...]:
    """Collect the tokens that end a text: the tokenizer's, and those of the settings that a generation goes by."""
    record = read_record(folder)
    exported = read_json(folder / "genai_config.json", optional=True).get("model", {}).get("eos_token_id")
    named = exported if isinstance(exported, list) else [exported]
    found = (eos, *named, *(record.ends if record else ()))
    return tuple(sorted({token for token in found if isinstance(token, int)}))


def _adds_bos(tokenizer: Any, settings: dict[str, Any], bos: int | None, folder: Path) -> bool:
    """Tell whether a plain text gets BOS, as `AutoTokenizer` does it.

    A few classes write their post-processor anew from `add_bos_token` (true by default); all others ignore that flag, and
    the post-processor in tokenizer.json decides (transformers, tokenization_llama_fast.py and its like).
    """
    if bos is None:
        return False
    name = str(settings.get("tokenizer_class") or _class_of(folder)).removesuffix("Fast")
    if name in _FLAGGED:
        return bool(settings.get("add_bos_token", True))
    return list(tokenizer.encode("a", add_special_tokens=True).ids[:1]) == [bos]


def _class_of(folder: Path) -> str:
    """Name the tokenizer class that transformers takes for a model type where the settings name none."""
    record = read_record(folder)
    return _CLASSES.get(record.model_type, "") if record else ""


def read_json(path: Path, *, optional: bool = False) -> dict[str, Any]:
    """Read a JSON object that came with a model. Raises: HarnessError naming the file where it is missing or no object."""
    if not path.is_file():
        if optional:
            return {}
        raise HarnessError(f"{path} is missing; the folder is not a whole model: copy or build it again")
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path} is not JSON ({error}); copy or build the model again") from error
    if not isinstance(value, dict):
        raise HarnessError(f"{path} is not a JSON object; copy or build the model again")
    return value


def first_line(error: BaseException) -> str:
    """Return what another library's error says, on one line and not endless."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."
