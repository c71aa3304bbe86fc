from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.gguf.contents import read
from harness.gguf.convert import FACTS, convert
from harness.gguf.merging import Merger, letters
from harness.gguf.vocabulary import HARD_TEXT, SPLITTINGS, Vocabulary, check, tokenizer_of
from tests.unit.gguf.files import gguf, tensors_of, write_gguf


def converted(file: Path) -> Path:
    out = file.with_suffix("")
    out.mkdir()
    convert(file, out)
    return out


def logits(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.arange(2, 66)[None]).logits.numpy()


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0", "F16"])
def test_a_converted_model_computes_with_the_weights_that_the_file_holds(tmp_path: Path, tiny: Path, kind: str) -> None:
    from safetensors.numpy import load_file, save_file

    out = converted(write_gguf(tmp_path / "m.gguf", tiny, kind=kind))
    assert json.loads((out / FACTS).read_text("utf-8"))["quantized"] == kind
    rounded = tmp_path / "rounded"
    rounded.mkdir()
    stored = gguf.GGMLQuantizationType[kind]
    own = load_file(tiny / "model.safetensors")
    kept = {name: _rounded(values, stored) if values.ndim == 2 else values for name, values in own.items()}
    save_file(kept, rounded / "model.safetensors", {"format": "pt"})
    (rounded / "config.json").write_bytes((tiny / "config.json").read_bytes())
    np.testing.assert_allclose(logits(out), logits(rounded), atol=2e-5)
    if kind == "Q4_1":
        assert np.abs(logits(out) - logits(tiny)).max() > 0.01, "four bits must show"


def _rounded(values: np.ndarray, stored: Any) -> np.ndarray:
    made: np.ndarray = gguf.quants.dequantize(gguf.quants.quantize(values, stored), stored).astype(np.float32)
    return made


@pytest.mark.parametrize("adds_bos", [False, True])
def test_the_tokenizer_is_the_files_own_and_puts_bos_first_only_where_the_file_says_so(
    tmp_path: Path, tiny: Path, adds_bos: bool
) -> None:
    from transformers import AutoTokenizer

    out = converted(write_gguf(tmp_path / "m.gguf", tiny, adds_bos=adds_bos))
    ours, own = AutoTokenizer.from_pretrained(out), AutoTokenizer.from_pretrained(tiny)
    for text in ("the quick brown fox 123", HARD_TEXT, "</s>the end"):
        assert ours(text, add_special_tokens=False).input_ids == own(text, add_special_tokens=False).input_ids
        assert (ours(text).input_ids[0] == 0) == adds_bos
    assert (ours.bos_token_id, ours.eos_token_id) == (0, 1)
    assert ours.model_max_length == 1024


@pytest.mark.parametrize("name", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_each_way_of_cutting_agrees_with_plain_merging_on_a_hard_text(name: str) -> None:
    known = _vocabulary(name)
    check(tokenizer_of(known), known, HARD_TEXT * 2)


def test_a_tokenizer_that_cuts_or_numbers_otherwise_is_found() -> None:
    known = _vocabulary("gpt-2")
    other = _vocabulary("gpt-2", SPLITTINGS["smollm"])
    with pytest.raises(HarnessError, match=r"by the tokenizer and .* by the GGUF's own merges"):
        check(tokenizer_of(other), known, "in 12345 words")
    swapped = Vocabulary(
        **{**known.__dict__, "tokens": [*known.tokens[:5], known.tokens[6], known.tokens[5], *known.tokens[7:]]}
    )
    with pytest.raises(HarnessError, match="token 5 is"):
        check(tokenizer_of(swapped), known, "")


def _vocabulary(name: str, splitting: Any = None) -> Vocabulary:
    """A vocabulary with merges of letters, digits and spaces, trained with one big piece per line so that cutting matters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    maker = Tokenizer(models.BPE())
    maker.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(letters()), show_progress=False, special_tokens=["<s>", "</s>"]
    )
    maker.train_from_iterator([HARD_TEXT, *HARD_TEXT.split("\n"), "12345 12345 in 1234 ", "don't we'll"], trainer)
    whole = json.loads(maker.to_str())
    ids = whole["model"]["vocab"]
    tokens = sorted(ids, key=lambda token: ids[token])
    kinds = [3 if token in {"<s>", "</s>"} else 1 for token in tokens]
    merges = [" ".join(pair) for pair in whole["model"]["merges"]]
    return Vocabulary(tokens, merges, kinds, splitting or SPLITTINGS[name], 0, 1, None, None, adds_bos=False)


def test_merging_takes_the_lowest_rank_first() -> None:
    tokens = ["a", "b", "c", "ab", "bc", "abc"]
    merger = Merger.of(tokens, ["b c", "a b", "a bc"], [r"\w+"], whole_words=False)
    assert merger.encode("abc") == [5]
    assert merger.encode("ab") == [3]
    assert merger.encode("aab") == [0, 3]
    with pytest.raises(HarnessError, match="no token for 'd'"):
        merger.encode("abd")


def refused(file: Path) -> str:
    with pytest.raises(HarnessError) as error:
        converted(file)
    said = str(error.value)
    assert "\n" not in said
    return said


def test_a_file_that_is_cut_off_anywhere_is_refused_in_one_sentence(tmp_path: Path, tiny: Path) -> None:
    whole = write_gguf(tmp_path / "whole.gguf", tiny).read_bytes()
    for number, end in enumerate([6, 20, 100, len(whole) // 20, len(whole) // 2, len(whole) - 200]):
        part = tmp_path / f"part{number}.gguf"
        part.write_bytes(whole[:end])
        assert "is cut off" in refused(part), end


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>not found</html>", "utf-8")
    assert "is not a GGUF file" in refused(tmp_path / "page.gguf")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "bert"}, "architecture 'bert', which the installed transformers cannot read"),
        ({"tokenizer": "llama"}, "is of kind 'llama', and only byte-level BPE"),
        ({"pre": "poro"}, "rules of 'poro', which are not known here"),
        ({"drop": "blk.1.ffn_up.weight"}, "lacks weights that its architecture needs (model.layers.1.mlp.up_proj.weight)"),
        ({"extra": {"rope_freqs.weight": np.ones(8, np.float32)}}, "holds weights that the installed transformers does not read"),
        ({"fields": {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.0}}, "llama.rope.scaling.factor"),
    ],
)  # fmt: skip
def test_what_would_compute_something_else_is_refused_with_the_reason(
    tmp_path: Path, tiny: Path, change: dict[str, Any], words: str
) -> None:
    assert words in refused(write_gguf(tmp_path / "m.gguf", tiny, **change))


def test_the_files_contents_are_told_without_its_weights(tmp_path: Path, tiny: Path) -> None:
    found = read(write_gguf(tmp_path / "m.gguf", tiny, kind="Q4_0"))
    assert (found.architecture, found.quantized) == ("llama", "Q4_0")
    assert set(found.tensors) == set(tensors_of(tiny))
