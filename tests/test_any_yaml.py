"""Sweeps of a megabyte, in any YAML: planned or refused soon, and in little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edits import ASKED, EXAMPLES, ODD, PROPERTY, SECONDS

MEASURE = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([child.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""Run from a small process: a peak of memory starts at that of the process it was forked from, and these tests are large."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell how much memory a child took")
@pytest.mark.parametrize(
    "text",
    [
        "method: [" + "fp32, " * 160_000 + "]",
        "a: &a [x]\n" + "".join(f"b{number}: *a\n" for number in range(80_000)),
        "title: " + "x" * 1_000_000,
        "- " * 500_000,
        "blocks:\n" + "".join(f"  b{number}: {{engine: fake}}\n" for number in range(40_000)),
        "".join(f"{number}: 1\n" for number in range(110_000)),
    ],
    ids=["long list", "aliases", "long text", "deep", "blocks", "keys"],
)
def test_a_megabyte_of_yaml_is_planned_or_refused_soon_and_in_little_memory(tmp_path: Path, text: str) -> None:
    hold_planning(tmp_path, text)


def hold_planning(folder: Path, text: str) -> None:
    """Plan a text in a process of its own: it plans or names file and line, in little time and memory."""
    path = folder / "sweep.yaml"
    path.write_text(text, "utf-8", "surrogatepass")
    with open(folder / "said", "wb") as said:
        plan = [sys.executable, "-m", "harness", "plan", str(path), "--results", str(folder / "results")]
        measured = subprocess.run(
            [sys.executable, "-c", MEASURE, *plan], stdout=subprocess.PIPE, stderr=said, check=True, text=True
        )
    code, seconds, kilobytes = json.loads(measured.stdout)
    words = (folder / "said").read_text("utf-8")
    assert "Traceback" not in words
    assert code in {0, 2}
    assert code == 0 or re.search(r"sweep\.yaml:\d+", words), words[-500:]
    assert words.count("\n") <= 102, "nobody mends more mistakes at a time"
    assert seconds < SECONDS
    assert kilobytes < 500_000


SWEEP_KEYS = st.sampled_from([
    "model", "method", "engine", "environment", "probes", "rounds", "blocks", "cases", "skip", "title", "tables", "verify", "timeout", "batch", "x",
])  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(
        [
            "reference",
            "fp32",
            "int8",
            "ort-genai",
            "transformers",
            "cpu",
            "perplexity",
            "generation",
            "kl_divergence",
            *ODD,
        ]
    ),
    st.integers().map(str),
    st.text(max_size=12),
)


def _flow(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(below, max_size=5).map(lambda some: f"[{', '.join(some)}]"),
        st.lists(st.tuples(SWEEP_KEYS, below), max_size=5).map(
            lambda some: "{" + ", ".join(f"{key}: {value}" for key, value in some) + "}"
        ),
    )


VALUES = st.recursive(SCALARS, _flow, max_leaves=12)
LINES = st.builds(
    lambda depth, dash, key, value: f"{'  ' * depth}{'- ' if dash else ''}{key}: {value}",
    st.integers(0, 3), st.booleans(), st.one_of(SWEEP_KEYS, st.text(max_size=6)), VALUES,
)  # fmt: skip


@st.composite
def yaml_texts(draw: st.DrawFn) -> str:
    """Write a text of up to a megabyte: lines and values in the style of sweeps, some of them over and over, with numbers in them or without."""
    text = ""
    for line in draw(st.lists(st.one_of(LINES, VALUES), min_size=1, max_size=12)):
        times = draw(st.sampled_from([1, 1, 1, 10, 1_000, 100_000]))
        numbered, end = draw(st.booleans()), draw(st.sampled_from(["\n", "\n", "\n", ", ", ""]))
        room = (1_000_000 - len(text.encode("utf-8", "surrogatepass"))) // (
            len(line.encode("utf-8", "surrogatepass")) + 8
        )
        text += "".join(f"{number if numbered else ''}{line}{end}" for number in range(min(times, max(room, 0))))
    return text


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell how much memory a child took")
@settings(PROPERTY, max_examples=EXAMPLES if ASKED else 6)
@given(text=yaml_texts())
def test_any_yaml_text_plans_or_names_file_and_line_soon_and_in_little_memory(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    hold_planning(tmp_path_factory.mktemp("text"), text)
