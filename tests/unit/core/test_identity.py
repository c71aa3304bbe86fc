"""Keys of JSON values and hashes of files and folders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.core.identity import canonical, digest, file_sha256, files_below, folder_bytes, folder_sha256, short


def test_a_value_has_one_canonical_form_whatever_order_its_keys_came_in() -> None:
    assert canonical({"b": [1, 2.5], "a": "ä"}) == '{"a":"ä","b":[1,2.5]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    assert digest([]) == hashlib.sha256(b"[]").hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [float("-inf")]}])
def test_what_is_not_finite_has_no_key(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


def test_a_key_is_printed_short() -> None:
    assert short("b", "0123456789abcdef") == "b-0123456789ab"


def test_a_file_is_hashed_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    assert file_sha256(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two!")
    assert file_sha256(file) == hashlib.sha256(b"two!").hexdigest()


def test_a_file_longer_than_a_block_is_hashed_whole(tmp_path: Path) -> None:
    whole = os.urandom((1 << 20) + 17)
    (tmp_path / "a").write_bytes(whole)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(whole).hexdigest()


def test_names_and_contents_make_a_folder_and_times_do_not(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        (folder / "sub").mkdir(parents=True)
        (folder / "b.txt").write_text("b", "utf-8")
        (folder / "sub" / "a.txt").write_text("aa", "utf-8")
    os.utime(folders[1] / "b.txt", (1, 1))
    assert folder_sha256(folders[0]) == folder_sha256(folders[1])
    assert folder_bytes(folders[0]) == 3
    assert [path.name for path in files_below(folders[0])] == ["b.txt", "a.txt"]
    assert [path.name for path in files_below(folders[0], {"b.txt"})] == ["a.txt"]
    (folders[1] / "sub" / "a.txt").rename(folders[1] / "sub" / "c.txt")
    assert folder_sha256(folders[0]) != folder_sha256(folders[1])
    assert folder_sha256(folders[0], {"a.txt"}) == folder_sha256(folders[1], {"c.txt"})
