from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.engines.tokens import open_codec
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
