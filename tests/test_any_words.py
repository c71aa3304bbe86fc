"""Whatever words stand on a command line, they are explained or refused, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.explain import explanation
from harness.commands.workspace import read_workspace
from tests.conftest import ROOT
from tests.edits import PROPERTY, held


@PROPERTY
@given(
    words=st.lists(
        st.one_of(st.text(max_size=12), st.sampled_from(["quickstart-speed", "1", "FP32"])), min_size=1, max_size=4
    )
)
def test_any_words_are_explained_or_refused(tmp_path: Path, words: list[str]) -> None:
    held(lambda: explanation(words, read_workspace(ROOT), tmp_path))


@PROPERTY
@given(
    words=st.lists(st.binary(max_size=12).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))), min_size=1, max_size=4)
)
def test_any_bytes_as_words_are_explained_or_refused(tmp_path: Path, words: list[str]) -> None:
    held(lambda: explanation(words, read_workspace(ROOT), tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="only there are arguments bytes")
@pytest.mark.parametrize(
    "words", [[b"\xff\xfe"], [b"quickstart-speed", b"\x80FP32", b"1"], [b"README.md:\xb2:1"], [b"\xed\xa0\x80.md:1:1"]]
)
def test_bytes_that_are_no_text_are_no_traceback_on_the_command_line(tmp_path: Path, words: list[bytes]) -> None:
    command = [sys.executable.encode(), b"-m", b"harness", b"explain", *words, b"--results", os.fsencode(tmp_path)]
    said = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, timeout=120)
    assert b"Traceback" not in said.stderr
    assert said.returncode == 2
    assert said.stderr.strip()
