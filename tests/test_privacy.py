"""What the harness keeps to itself, seen from outside: an empty home stays empty, and nobody is asked anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from harness.environment_state import python_in
from harness.environments import LOCKS, ROOT, SHIPPED, folder_of
from tests.unit.importing.files import write
from tests.unit.test_leftovers import IMPORT
from tests.watched import Watched, tracing, watch

ENGINE = {"ort-genai": {"provider": "cpu"}}
KL = {"tokens": 1000, "window": 256, "stride": 128, "reference": {"method": "fp32"}}
ENVIRONMENTS = sorted(path.stem for path in LOCKS.glob("*.txt"))


def quiet(seen: Watched) -> None:
    assert seen.code == 0, seen.text[-3000:]
    assert seen.written == [], "files in the home folder"
    assert seen.strays == [], "files elsewhere"
    assert seen.reached == [], "other machines were asked"


@pytest.mark.skipif(
    not tracing(), reason="strace is not here or may not watch processes: what is opened cannot be seen"
)
def test_the_watch_sees_a_look_up_and_a_file_in_the_home_folder(tmp_path: Path) -> None:
    other = Path("/var/tmp") / f"{tmp_path.name}-stray"
    code = (
        "import pathlib, socket; home = pathlib.Path.home(); (home / 'x').touch(); (home / 'w').touch(); (home / 'w').unlink(); "
        f"there = pathlib.Path({str(other)!r}); there.mkdir(); (there / 'y').touch(); (there / 'y').rename(there / 'z'); "
        "(there / 'z').unlink(); there.rmdir(); socket.create_connection(('192.0.2.1', 9), 0.1)"
    )
    seen = watch(tmp_path, "-c", code)
    assert seen.strays == sorted([f"{tmp_path}/home/w", f"{tmp_path}/home/x", str(other), f"{other}/y", f"{other}/z"])
    assert seen.code != 0
    assert seen.written == ["x"]
    assert len(seen.sockets) == 1
    assert len(seen.reached) == 1


COMMANDS = [
    "plan quickstart", "report quickstart", "report --check README.md", "ingest --published results/published", "export {}/x.csv",
    "import {}/r.json", "explain quickstart-speed INT8 1", "lint README.md", "doctor", "doctor --files", "report --diff README.md",
]  # fmt: skip


@pytest.mark.parametrize(
    "words", [pytest.param(words, marks=pytest.mark.slow if at > 1 else ()) for at, words in enumerate(COMMANDS)]
)
def test_a_command_of_the_desk_writes_nothing_at_home_and_opens_no_network_socket(tmp_path: Path, words: str) -> None:
    given = words.format(tmp_path).split()
    if given[0] == "import":
        write(tmp_path, "r.json", IMPORT)
    ours = "--check" in words or "--diff" in words or given[0] in {"explain", "lint"}
    seen = watch(tmp_path, "-m", "harness", *given, *([] if ours else ["--results", str(tmp_path / "results")]))
    assert seen.code in {0, 1}, seen.text[-3000:]
    assert (seen.written, seen.strays, seen.reached, seen.sockets) == ([], [], [], [])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("offline", [False, True], ids=["", "offline"])
def test_building_and_measuring_keep_to_the_projects_folders(tmp_path: Path, environment: str, offline: bool) -> None:
    """`--offline`, builds and every probe open no network socket at all; without it a smaller sweep still asks nobody."""
    if environment == "cuda":
        pytest.skip("the wheels of environment cuda need a GPU")
    if folder_of(environment, ROOT) is None:
        pytest.skip(f"environment {environment} is not made here: harness setup --env {environment}")
    results = tmp_path / "results"
    words = [
        "-m",
        "harness",
        "run",
        "small",
        "--configs",
        str(_configs(tmp_path, environment, whole=offline)),
        "--results",
        str(results),
    ]
    variables = {"HARNESS_CACHE": str(results / "cache")}
    seen = watch(tmp_path, *words, *(["--offline"] if offline else []), variables=variables)
    quiet(seen)
    assert "failed" not in seen.text, seen.text[-3000:]
    if offline:
        assert seen.sockets == []


def _configs(root: Path, environment: str, *, whole: bool) -> Path:
    """Catalogues and a sweep for one environment; `whole`, with every kind of build and probe that it has."""
    configs = root / "configs"
    (configs / "sweeps").mkdir(parents=True)
    for name in ("models.yaml", "methods.yaml"):
        (configs / name).write_bytes((SHIPPED / "configs" / name).read_bytes())
    python = python_in(folder_of(environment, ROOT) or Path(os.devnull))
    every = whole and environment == "cpu"
    short = {"prompt": 32, "output": 16, "repetitions": 2}
    perplexity = {"tokens": 1000, "window": 256, "stride": 128}
    sweep = {
        "model": "reference",
        "environment": environment,
        "rounds": 1,
        "blocks": {
            "genai": {
                "engine": ENGINE,
                "method": [
                    "fp32",
                    *([{"int4_rtn": "ort-genai"}] if whole else []),
                    *(["int4_awq_reference"] if every else []),
                ],
                "probes": {
                    **({"kl_divergence": KL, "memory": {"prompt": 32, "output": 16}} if whole else {}),
                    **({"lm_eval": {"task": "reference", "shots": 1, "limit": 1}} if every else {}),
                    "perplexity": perplexity,
                    "generation": short,
                },
            },
            "torch": {
                "engine": "transformers",
                "method": "fp32",
                "probes": {"generation": short} if whole else {"perplexity": perplexity},
            },
        },
    }
    files = {"environments.yaml": {environment: {"python": str(python)}}, "sweeps/small.yaml": sweep}
    for name, content in files.items():
        (configs / name).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return configs
