"""What a build hands back, held against its recipe, its files and what lies beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.files import Stamp, write_stamp
from harness.core.outcome import Scheme
from harness.core.spec import BuildSpec, Note
from harness.worker.made import alike_notes, declared_floats, layers_scheme, old_notes, same_notes, scheme_notes


def texts(notes: tuple[Note, ...]) -> str:
    assert {note.code for note in notes} <= {"implausible"}
    return " ".join(note.text for note in notes)


def test_weights_older_than_the_build_are_told_and_a_copied_tokenizer_is_not(tmp_path: Path) -> None:
    begun = tmp_path.stat().st_mtime
    (tmp_path / "weights.bin").write_bytes(bytes(1000))
    (tmp_path / "tokenizer.json").write_bytes(bytes(100))
    os.utime(tmp_path / "tokenizer.json", (begun - 1e6, begun - 1e6))
    assert old_notes(tmp_path, begun) == ()
    os.utime(tmp_path / "weights.bin", (begun - 60, begun - 60))
    assert "weights.bin of what was built were there before" in texts(old_notes(tmp_path, begun))


def test_weights_that_lie_elsewhere_too_are_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "kept.bin").write_bytes(bytes(1000))
    os.link(tmp_path / "kept.bin", tmp_path / "out" / "weights.bin")
    assert "handed out again" in texts(old_notes(tmp_path / "out", 0.0))
    assert old_notes(tmp_path / "nothing", 0.0) == ()


def spec(**other: Any) -> BuildSpec:
    return BuildSpec(**{"quantizer": "q", "version": 1, "model": "m", "options": {"bits": 4}, **other})


def test_equal_weights_of_another_recipe_are_told_with_what_differs() -> None:
    assert same_notes(spec(), {"b-1": spec(), "b-2": spec(version=2), "b-3": spec(quantizer="p", options={})}) == ()
    assert "those of b-1, which was asked for otherwise (bits 8 there, 4 here)" in texts(
        same_notes(spec(), {"b-1": spec(options={"bits": 8})})
    )
    assert "(model n there, m here; bits the default there, 4 here)" in texts(
        same_notes(spec(), {"b-1": spec(model="n", options={})})
    )
    aside = spec(options={"bits": 4, "threshold": 0.0})
    assert "threshold 0.0 there" in texts(same_notes(spec(), {"b-1": aside}))
    assert same_notes(spec(), {"b-1": aside}, frozenset({"threshold"})) == (), "it lies beside the weights"
    assert "bits 4 there" in texts(same_notes(spec(options={}), {"b-1": aside}, frozenset({"threshold"})))


@pytest.mark.parametrize(("scheme", "given", "declared", "says"), [
    ("int4 b32 sym x20; head float32; embedding float32", {}, 0, ""),
    ("int4 b32 sym x19 + float32 x1; head float32", {}, 0, "1 of 20 multiplied weight matrices are float32"),
    ("int4 b32 sym x19 + float32 x1", {}, 1, ""),
    ("int4 b32 sym x19 + float32 x1", {"nodes_to_exclude": ["a"]}, 0, ""),
    ("float16 x20; head float16", {}, 0, ""),
    ("int8 b32 sym x20", {"bits": 4}, 0, "4 bits were asked for, and the files hold int8"),
    ("int4 b32 sym x20", {"bits": 4, "block_size": 32}, 0, ""),
    ("int4 b32 sym x20", {"block_size": 128}, 0, "blocks of 128 were asked for"),
    ("int4 channel sym x20", {"block_size": -1}, 0, ""),
])  # fmt: skip
def test_the_files_hold_what_the_options_say(scheme: str, given: dict[str, Any], declared: int, says: str) -> None:
    found = texts(scheme_notes(Scheme(text=scheme), given, declared))
    assert says in found
    assert bool(says) == bool(found)
    assert scheme_notes(None, given, declared) == ()


def test_layers_that_a_build_declares_are_counted_without_head_and_embedding() -> None:
    text = "lm_head.weight, model.embed_tokens.weight, a.weight and 2 more stay in bfloat16"
    assert declared_floats([Note(code="left-in-floats", text=text), Note(code="other", text="b.weight stay in x")]) == 3
    assert declared_floats([Note(code="left-in-floats", text="lm_head.weight stay in float16")]) == 0
    assert declared_floats([]) == 0


def test_a_format_that_nobody_reads_is_described_by_its_arrays_or_its_build(tmp_path: Path) -> None:
    assert layers_scheme(tmp_path, {}) is None
    np.savez(
        tmp_path / "w.npz",
        a=np.zeros((2, 2), np.int8),
        b=np.zeros((2, 2), np.float32),
        head=np.zeros((2, 2)),
        n=np.zeros(2),
    )
    assert layers_scheme(tmp_path, {}) == Scheme(text="float32 x1 + int8 x1")
    assert layers_scheme(tmp_path, {"int4": 3}) == Scheme(text="int4 x3")


def test_other_weights_that_score_to_the_last_bit_the_same_are_told(tmp_path: Path) -> None:
    folders = {}
    for name, weights, scheme in (("one", "w1", "int4 x2"), ("two", "w2", "int8 x2"), ("three", "w3", "int8 x2")):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        write_stamp(folders[name], Stamp(name, weights, scheme))
    assert alike_notes(folders["one"], "engine", "scores") == ()
    assert alike_notes(folders["one"], "engine", "scores") == (), "it is itself"
    assert alike_notes(folders["two"], "another", "scores") == alike_notes(folders["two"], "engine", "others") == ()
    assert "scores to the last bit as one" in texts(alike_notes(folders["two"], "engine", "scores"))
    os.utime(folders["three"], (1, 1))
    assert "as one" in texts(alike_notes(folders["three"], "engine", "scores"))
    assert alike_notes(tmp_path / "never", "engine", "scores") == ()
