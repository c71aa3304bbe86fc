"""A GGUF's own tokenizer as a `tokenizer.json`, checked against the file's vocabulary and merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.gguf.contents import GgufContents
from harness.gguf.merging import Merger

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL, _USER_DEFINED = 3, 4
"""Kinds of tokens that are one piece wherever their text stands. Source: gguf, TokenType."""
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN2 = _LLAMA3.replace("{1,3}", "")
_DIGIT = r"\p{N}"


@dataclass(frozen=True)
class Splitting:
    """How a text is cut before merging: each pattern cuts what the one before it left."""

    patterns: tuple[str, ...]
    whole_words: bool = False
    """A piece that is in the vocabulary is taken whole, whatever the merges say."""


SPLITTINGS: Mapping[str, Splitting] = {
    **dict.fromkeys(("gpt-2", "default"), Splitting((_GPT2,))),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r"), Splitting((_DIGIT, _GPT2))),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3"), Splitting((_LLAMA3,), whole_words=True)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen"), Splitting((_QWEN2,))),
}
"""`tokenizer.ggml.pre` to the way of cutting. Source: llama.cpp, llama-vocab.cpp."""
_ELSEWHERE = "it cannot be trusted with this model: use the model's own folder or hub id"
HARD_TEXT = (
    "Hello world, it's 12345 o'clock: don't we'll I'VE 3.14159, 2,000 and x=10**-7;\n\n  indented\tby tabs \t and\r\n\r\nlines   "
    "of   spaces, ünïcödé Ωμέγα здравствуй 你好世界 こんにちは ½ ١٢٣ 🙂👩‍👩‍👧 naïve café   \n"
)
"""Where ways of cutting a text part company: digits, contractions, runs of white space, scripts, joined emoji."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id, merges in order, and how a text is cut, as a GGUF says it."""

    tokens: Sequence[str]
    merges: Sequence[str]
    kinds: Sequence[int]
    splitting: Splitting
    bos: int | None
    eos: int | None
    unknown: int | None
    padding: int | None
    adds_bos: bool

    def of_kind(self, kind: int) -> list[str]:
        """List the tokens of a kind."""
        return [token for token, found in zip(self.tokens, self.kinds, strict=True) if found == kind]

    def name(self, token: int | None) -> str | None:
        """Give a token's text."""
        return None if token is None else self.tokens[token]


def vocabulary_of(found: GgufContents) -> Vocabulary:
    """Take the tokenizer out of a GGUF's metadata.

    Raises: HarnessError where it has none, or one whose rules are not known here: nothing is guessed.
    """
    model, pre = found.field("tokenizer.ggml.model"), found.field("tokenizer.ggml.pre", "default")
    name = found.path.name
    if model != "gpt2":
        raise HarnessError(
            f"the tokenizer in {name} is of kind '{model or 'none'}', and only byte-level BPE ('gpt2') can be rebuilt and "
            "checked; use the model's own folder or hub id"
        )
    if pre not in SPLITTINGS:
        raise HarnessError(
            f"the tokenizer in {name} cuts text by the rules of '{pre}', which are not known here (known are "
            f"{', '.join(SPLITTINGS)}); use the model's own folder or hub id"
        )
    tokens, merges = found.field("tokenizer.ggml.tokens"), found.field("tokenizer.ggml.merges")
    if not tokens or not merges:
        raise HarnessError(
            f"{name} holds no {'merges' if tokens else 'vocabulary'}; use the model's own folder or hub id"
        )
    ids = {key: found.field(f"tokenizer.ggml.{key}_token_id") for key in ("bos", "eos", "unknown", "padding")}
    kinds = found.field("tokenizer.ggml.token_type") or [1] * len(tokens)
    return Vocabulary(
        tokens, merges, kinds, SPLITTINGS[pre], adds_bos=bool(found.field("tokenizer.ggml.add_bos_token", False)), **ids
    )


def tokenizer_of(known: Vocabulary) -> Tokenizer:
    """Build the tokenizer that `tokenizer.json` holds."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    ids = {token: number for number, token in enumerate(known.tokens)}
    merges = [(left, right) for left, _, right in (merge.partition(" ") for merge in known.merges)]
    made = Tokenizer(models.BPE(vocab=ids, merges=merges, ignore_merges=known.splitting.whole_words))
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in known.splitting.patterns]
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, normalized=False) for token in known.of_kind(_CONTROL)])
    made.add_tokens([AddedToken(token, normalized=False) for token in known.of_kind(_USER_DEFINED)])
    bos = known.name(known.bos)
    if known.adds_bos and bos is not None:
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, known.bos)]
        )
    return made


def settings_of(known: Vocabulary, context: int | None, template: str | None) -> dict[str, Any]:
    """Write what stands beside a tokenizer: special tokens by name, the context, the chat template."""
    names = {"bos_token": known.bos, "eos_token": known.eos, "unk_token": known.unknown, "pad_token": known.padding}
    told: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    told |= {key: known.name(number) for key, number in names.items() if number is not None}
    told |= {"model_max_length": context} if context else {}
    return told | ({"chat_template": template} if template else {})


def check(tokenizer: Tokenizer, known: Vocabulary, text: str) -> None:
    """Hold a tokenizer against the vocabulary: every id's token, and the ids of a text merged here by the file's merges.

    Raises: HarnessError with the first difference.
    """
    if tokenizer.get_vocab_size(with_added_tokens=True) != len(known.tokens):
        raise HarnessError(
            f"the tokenizer has {tokenizer.get_vocab_size()} tokens where the GGUF has {len(known.tokens)}; {_ELSEWHERE}"
        )
    for number, token in enumerate(known.tokens):
        if tokenizer.id_to_token(number) != token:
            raise HarnessError(
                f"token {number} is {tokenizer.id_to_token(number)!r} in the tokenizer and {token!r} in the GGUF; {_ELSEWHERE}"
            )
    merger = Merger.of(known.tokens, known.merges, known.splitting.patterns, whole_words=known.splitting.whole_words)
    for line in text.splitlines(keepends=True):
        theirs, ours = tokenizer.encode(line, add_special_tokens=False).ids, merger.encode(line)
        if theirs != ours:
            raise HarnessError(
                f"{line[:60]!r} is {theirs[:12]} by the tokenizer and {ours[:12]} by the GGUF's own merges; {_ELSEWHERE}"
            )
