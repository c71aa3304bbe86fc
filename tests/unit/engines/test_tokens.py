from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness import reference
from harness.core.errors import HarnessError
from harness.engines import tokens
from harness.engines.tokens import joined, open_codec
from tests.tiny_model import write_tokenizer


def test_special_tokens_are_added_only_when_asked_for_even_where_the_tokenizer_adds_them_itself(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    codec = open_codec(tmp_path)
    plain = codec.encode("the end")
    assert plain
    assert codec.bos == 0
    assert codec.eos == 1
    assert codec.bos not in plain
    assert codec.encode("the end", bos=True) == [codec.bos, *plain]
    assert codec.decode(codec.encode("the end", bos=True)) == "the end"


def test_bos_stands_once_where_the_text_already_begins_with_it(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    codec = open_codec(tmp_path)
    assert codec.encode("<s>the", bos=True).count(0) == 1


@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "LlamaTokenizerFast", "LlamaTokenizer", "GemmaTokenizer"])
@pytest.mark.parametrize("template", [True, False])
@pytest.mark.parametrize("setting", [None, True, False])
def test_bos_stands_before_a_text_where_the_installed_tokenizer_puts_it(
    tmp_path: Path, name: str, template: bool, setting: bool | None
) -> None:
    from transformers import AutoTokenizer

    write_tokenizer(tmp_path, template=template)
    path = tmp_path / "tokenizer_config.json"
    said = {} if setting is None else {"add_bos_token": setting}
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": name, **said}))
    expected = AutoTokenizer.from_pretrained(tmp_path).encode("the")[0] == 0
    assert open_codec(tmp_path).adds_bos is expected


def test_a_text_ends_at_every_token_that_the_settings_name(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    assert open_codec(tmp_path).ends == (1,)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "eos_token_id": 7}))
    assert open_codec(tmp_path).ends == (1, 7)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 42]}))
    assert open_codec(tmp_path).ends == (1, 2, 42)
    (tmp_path / "config.json").unlink()
    (tmp_path / "genai_config.json").write_text(json.dumps({"model": {"eos_token_id": [3, 5]}}))
    assert open_codec(tmp_path).ends == (1, 3, 5)


def test_special_tokens_may_be_written_as_objects(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": {"content": "<s>"}, "eos_token": None}))
    codec = open_codec(tmp_path)
    assert (codec.bos, codec.eos) == (0, None)


def test_truncation_and_padding_in_the_file_do_not_cut_texts(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert len(open_codec(tmp_path).encode("something rather longer")) > 3


def test_a_missing_or_broken_tokenizer_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"tokenizer\.json is missing; save"):
        open_codec(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"tokenizer\.json cannot be read"):
        open_codec(tmp_path)


def test_bos_that_a_tokenizer_has_not_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(HarnessError, match="no BOS token"):
        open_codec(tmp_path).encode("a", bos=True)


@pytest.mark.parametrize("piece", [20_000, 33_333])
@pytest.mark.parametrize("what", ["words", "one letter", "any characters"])
def test_a_long_text_is_encoded_by_pieces_to_the_same_tokens(
    monkeypatch: pytest.MonkeyPatch, what: str, piece: int
) -> None:
    codec = open_codec(reference.model_folder())
    drawn = random.Random(1).choices([*range(32, 127), 10, 0xE9, 0x4E2D, 0x1F600], k=60_000)
    text = {"words": reference.heldout_text(), "one letter": "a" * 60_000}.get(what, "".join(map(chr, drawn)))
    wanted = codec.located(text)
    assert wanted[0] == codec.encode(text)
    monkeypatch.setattr(tokens, "PIECE", piece)
    assert joined(codec._encoded, text) == wanted
    assert codec.located(text, bos=True) == ([codec.bos, *wanted[0]], [0, *wanted[1]])


def test_pieces_without_the_same_tokens_where_they_overlap_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def by_length(text: str) -> tuple[list[int], list[int]]:
        asked.append(len(text))
        return [len(text)] * len(text), list(range(len(text)))

    monkeypatch.setattr(tokens, "PIECE", 20_000)
    text = "x" * 25_000
    assert joined(by_length, text) == ([25_000] * 25_000, list(range(25_000)))
    assert asked == [20_000, 25_000 - 20_000 + tokens.SHARED, 25_000]
