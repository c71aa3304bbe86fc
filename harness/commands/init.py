"""Make a workspace of a folder, empty or somebody's repository: a few short files, none over one that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.commands.workspace import FILE
from harness.core.errors import HarnessError
from harness.core.files import write_whole

_FILES = {  # harness.yaml last: what was cut off is no workspace yet
    "configs/models.yaml": (
        "names your models; those that come with the harness stay",
        """\
# Models of your own by name, beside those that come with the harness; an entry of the same name stands in its place.
# Methods, environments and texts alike: methods.yaml, environments.yaml, texts.yaml.
#
# mine: {folder: ~/models/mine, title: My model}
# theirs: {hub: Qwen/Qwen2.5-0.5B-Instruct, revision: 7ae557604adf67be50417f59c2c2f167def9a775}
""",
    ),
    "configs/sweeps/first.yaml": (
        "a sweep to change: which model, quantized how, measured how",
        """\
# `harness plan first` shows its jobs, `harness run first` runs them and prints their tables.
title: Reference model, two ways
model: reference          # a small model that comes with the harness; put yours into ../models.yaml
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
        """\
# Benchmarks

`harness bench` measures, `harness promote quickstart` keeps the numbers in `results/published`, and `harness report --write`
writes them here.

<!-- table: quickstart-quality -->
<!-- end: quickstart-quality -->

<!-- table: quickstart-speed -->
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
pages: [README.md, benchmarks.md, "docs/**/*.md"]   # whose tables `harness report --write` writes
""",
    ),
}


def make_workspace(folder: Path) -> Iterator[str]:
    """Write what a workspace needs; says of each file what it is for, and which were there already.

    Raises: HarnessError where the folder cannot be written, or is a workspace already.
    """
    root = folder.expanduser().resolve()
    if (root / FILE).exists():
        raise HarnessError(f"{root} is a workspace already: {FILE} is in it")
    try:
        root.mkdir(parents=True, exist_ok=True)
        for name, (what, text) in _FILES.items():
            path = root / name
            if path.exists():
                yield f"{name}: there already, and left as it is"
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
            yield f"{name}: {what}"
    except OSError as error:
        raise HarnessError(f"cannot write to {root} ({error.strerror}); name a folder that you may write") from None
    outer = next((one for one in root.parents if (one / FILE).is_file()), None)
    if outer is not None:
        yield f"this workspace lies inside of another, {outer}; commands in it use this one"
    yield "next: `harness bench` (the quickstart, in about ten minutes the first time), or `harness plan first`"
