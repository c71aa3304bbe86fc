"""Make a workspace of a folder, empty or somebody's repository: a few short files, none over one that is there, none beside another tool's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.commands.workspace import outer_of, read_workspace
from harness.core.errors import ConfigError, HarnessError
from harness.core.files import PARTIAL, write_whole
from harness.core.paths import FILE, at_home
from harness.environments import SHIPPED
from harness.plan.catalogue import load_catalogue
from harness.store.location import USUAL
from harness.tables.markdown import EMPTY

OWN = "harness-"
"""Begins the name of a folder of ours where another tool has one of the usual name."""
_FILES = {  # harness.yaml last: what was cut off is no workspace yet
    "configs/.gitignore": (
        "keeps out of git what describes this machine alone",
        """\
/local.yaml
""",
    ),
    "configs/sweeps/first.yaml": (
        "a sweep to change: which model, quantized how, measured how",
        """\
# `harness plan first` shows its jobs, `harness run first` runs them and prints their tables.
title: Reference model, two ways
model: reference          # a small model that comes with the harness; yours is a line of ../models.yaml: `mine: {folder: ~/models/mine}`
method: [fp32, int8]
environment: cpu
engine: {ort-genai: {provider: cpu}}
rounds: 3
probes:
  perplexity: {tokens: 4000, window: 512, stride: 256}
  generation: {prompt: 128, output: 32, repetitions: 10}
""",
    ),
    "benchmarks.md": (
        "a page with the tables of the quickstart, empty until you keep its numbers",
        f"""\
# Benchmarks

`harness bench --sweep quickstart` measures, `harness publish quickstart` keeps the numbers in `results/published`, and
`harness report --write` writes them here.

<!-- table: quickstart-quality -->

{EMPTY}

<!-- end: quickstart-quality -->

<!-- table: quickstart-speed -->

{EMPTY}

<!-- end: quickstart-speed -->
""",
    ),
    "results/.gitignore": (
        "keeps what is large and local out of git; `results/published` is for git",
        """\
/bench.db*
/runs/
/artifacts/
/sessions/
/cache/
/tables/
/*.lock
""",
    ),
    FILE: (
        "marks this folder as a workspace and says where its pages are",
        """\
# This folder is a workspace of the harness: commands find it from here and from any folder below.
version: 1
{places}pages: [README.md, benchmarks.md, "docs/**/*.md"]   # whose tables `harness report --write` writes
""",
    ),
}


def make_workspace(folder: Path) -> Iterator[str]:
    """Write what a workspace needs; says of each file what it is for, and which were there already.

    Where `configs` or `results` are another tool's, ours get names of their own, which harness.yaml says. Raises: HarnessError where
    the folder cannot be written, is a workspace already, or has another tool's harness.yaml.
    """
    root = at_home(folder).resolve()
    if (root / FILE).exists():
        read_workspace(root)
        raise HarnessError(f"{root} is a workspace already: {FILE} is in it")
    foreign = dict(_foreign(root))
    for name, why in foreign.items():
        yield f"{name}: {why}; left as it is, and ours goes into {OWN}{name} (`{name}:` in {FILE})"
    try:
        root.mkdir(parents=True, exist_ok=True)
        for usual, (what, usual_text) in _FILES.items():
            name, text = _placed(usual, foreign), _said(usual_text, foreign)
            path = root / name
            if path.exists():
                yield f"{name}: there already, and left as it is"
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
            yield f"{name}: {what}"
    except OSError as error:
        raise HarnessError(f"cannot write to {root} ({error.strerror}); name a folder that you may write") from None
    if outer := outer_of(root):
        yield f"this workspace lies inside of another, {outer}; commands in it use this one"
    yield "next: `harness bench` (the quickstart, in about ten minutes the first time), or `harness plan first`"


def _foreign(root: Path) -> Iterator[tuple[str, str]]:
    """Find folders of the usual names that are another tool's, with what tells it."""
    configs, results = root / "configs", root / "results"
    if configs.exists() and not configs.is_dir():
        yield "configs", "is a file"
    try:
        load_catalogue([SHIPPED / "configs", configs])
    except ConfigError as error:
        yield "configs", f"another tool's, it seems ({error.problems[0]})"
    kept = results / ".gitignore"
    ours = (results / USUAL).exists() or (kept.is_file() and f"/{USUAL}" in kept.read_text("utf-8", "replace"))
    cut_off = f"{kept.name}{PARTIAL}"  # all that an `init` may have left that was killed
    if (
        results.exists()
        and not ours
        and not (results.is_dir() and all(one.name == cut_off for one in results.iterdir()))
    ):
        yield "results", "holds something else than our results"


def _placed(name: str, foreign: Mapping[str, str]) -> str:
    return f"{OWN}{name}" if name.partition("/")[0] in foreign else name


def _said(text: str, foreign: Mapping[str, str]) -> str:
    """Name our folders in a text as they are called here."""
    places = "".join(f"{name}: {OWN}{name}\n" for name in foreign)
    places += f"tables: {OWN}configs/tables\n" if "configs" in foreign else ""
    text = text.replace("{places}", places)
    return text.replace("`results/published`", f"`{_placed('results/published', foreign)}`")
