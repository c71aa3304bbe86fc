"""Texts that texts.yaml declares: what a worker gets of them, and what is part of a job's key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spec import MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.keys import spec_key
from harness.texts import BUILT_IN

FILES = {
    "models": "a: {folder: x}\n",
    "methods": "fp32: {recipes: {ort-genai: {precision: fp32}}}\n",
    "environments": "cpu: {lock: cpu.txt}\n",
}


def declared(folder: Path, texts: str) -> dict[str, object]:
    for name, text in {**FILES, "texts": texts}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return dict(load_catalogue(folder).texts)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("mine: {rows: wikitext}\n", "text 'mine' needs a path, as {path: ~/texts/mine.txt}"),
        ("mine: {path: x, row: plain}\n", "did you mean 'rows'"),
        ("mine: {path: x, rows: plain, documents: records}\n", "rows: plain has no documents: records"),
        ("reference: {path: x}\n", "the text 'reference' comes with the harness; give yours another name"),
        ("wikitext-2: {path: x, rows: plain}\n", "or only its path, where a copy lies"),
        ("[a]\n", "the list of texts must be a mapping"),
    ],
)
def test_a_mistake_in_texts_is_told_with_its_line(texts: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"texts\.yaml:1") as caught:
        declared(tmp_path, texts)
    assert told in str(caught.value)


def test_a_copy_of_a_known_text_is_read_as_the_known_one(tmp_path: Path) -> None:
    found = declared(tmp_path, "wikitext-2: {path: ~/w}\n")["wikitext-2"]
    assert found == BUILT_IN["wikitext-2"].model_copy(update={"path": "~/w"})
    assert declared(tmp_path, "# nothing\n") == {}


def test_where_a_text_lies_is_no_part_of_a_key_and_how_it_is_read_is() -> None:
    def key(**corpus: str) -> str:
        spec = MeasureSpec(
            probe="perplexity", version=2, workload={"text": "mine", "corpus": corpus}, engine="e", engine_version=1,
            artifact="a", contents={"text": "t"},
        )  # fmt: skip
        return spec_key(spec, ("text", "corpus.path", "corpus.sha256"))

    assert key(path="/a", rows="wikitext") == key(path="/b", rows="wikitext")
    assert key(path="/a") == key(path="/b", sha256="0" * 64)
    assert key(path="/a", rows="wikitext") != key(path="/a")
    assert key(path="/a", documents="titles") != key(path="/a")
