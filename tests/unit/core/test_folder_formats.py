"""Formats of folders: each told by what lies in it, two that claim one folder told to a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.folder_formats import FILES, FolderFormat, claims, format_of
from harness.engines import folder_formats

THEIRS = FolderFormat("theirs", lambda folder: (folder / "theirs.bin").is_file())


@pytest.mark.parametrize(("files", "form"), [
    (("config.json", "model.safetensors"), "hf"),
    (("genai_config.json", "model.onnx"), "ort-genai"),
    (("genai_config.json", "config.json"), "ort-genai"),
    (("noise.txt",), "fake"),
    (("noise.txt", "config.json"), "hf"),
    (("model.gguf",), FILES),
    ((), FILES),
])  # fmt: skip
def test_a_folder_is_told_by_what_lies_in_it(tmp_path: Path, files: tuple[str, ...], form: str) -> None:
    for name in files:
        (tmp_path / name).write_text("{}", "utf-8")
    assert format_of(tmp_path, folder_formats()) == form


def test_a_folder_that_is_not_there_is_of_no_format(tmp_path: Path) -> None:
    assert claims(tmp_path / "gone", folder_formats()) == []


def test_an_engine_of_ones_own_brings_its_format_and_two_that_claim_a_folder_are_told(tmp_path: Path) -> None:
    formats = (*folder_formats(), THEIRS)
    (tmp_path / "theirs.bin").write_bytes(b"x")
    assert format_of(tmp_path, formats) == "theirs"
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(
        HarnessError, match=r"could be of format hf or theirs: take out the files of the other, or say `format`"
    ):
        format_of(tmp_path, formats)


def test_a_format_that_two_engines_bring_is_one(tmp_path: Path) -> None:
    (tmp_path / "theirs.bin").write_bytes(b"x")
    assert format_of(tmp_path, (THEIRS, THEIRS)) == "theirs"
