"""Whatever stands in a file that somebody hands us, it is read or refused by name: no traceback, no endless work."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.formats.source import read_source
from harness.importing.import_files import format_of, import_files, read_contents
from harness.lint.linter import lint_files
from harness.lint.markdown import read_text
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import expand
from harness.plan.reading import read_sweep
from harness.plan.sources import find
from harness.plan.yamlfile import Mistakes
from harness.published.reading import read_published
from harness.published.text import raw_file
from harness.runner.opened import OpenWorkspace, recover
from harness.store.database import Database
from harness.tables.specfile import read_specs
from tests.conftest import ROOT
from tests.edits import EDITS, PROPERTY, Edit, edited, held
from tests.fake_machine import Bench
from tests.unit.importing import files


@pytest.fixture(scope="module")
def catalogue() -> Any:
    return load_catalogue(ROOT / "configs")


@pytest.mark.parametrize("name", ["quickstart", "gpu", "smollm2"])
@PROPERTY
@given(edits=EDITS)
def test_any_sweep_plans_or_is_refused(catalogue: Any, tmp_path: Path, name: str, edits: list[Edit]) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(edited((ROOT / "configs" / "sweeps" / f"{name}.yaml").read_bytes(), edits))
    held(lambda: read_sweep(path, catalogue, None), "sweep.yaml")
    held(lambda: expand(read_sweep(path, catalogue, None), catalogue, {}), ".yaml")


@pytest.mark.parametrize("name", ["models", "methods", "environments", "texts"])
@PROPERTY
@given(edits=EDITS)
def test_any_catalogue_is_read_or_refused(tmp_path: Path, name: str, edits: list[Edit]) -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / f"{name}.yaml").write_bytes(edited((ROOT / "configs" / f"{name}.yaml").read_bytes(), edits))
    held(lambda: load_catalogue(tmp_path), ".yaml")


@pytest.mark.parametrize("name", ["quickstart", "modelopt_windows"])
@PROPERTY
@given(edits=EDITS)
def test_any_tables_are_read_or_refused(tmp_path: Path, name: str, edits: list[Edit]) -> None:
    path = tmp_path / f"{name}.tables.yaml"
    path.write_bytes(edited((ROOT / "reports" / "tables" / path.name).read_bytes(), edits))
    held(lambda: read_specs(path), path.name)


@PROPERTY
@given(edits=EDITS)
def test_any_reported_numbers_are_read_or_refused(tmp_path: Path, edits: list[Edit]) -> None:
    path = tmp_path / "bnb.yaml"
    path.write_bytes(edited((ROOT / "results" / "published" / "bnb.yaml").read_bytes(), edits))
    held(lambda: read_published(tmp_path), "bnb.yaml", line="")


@pytest.mark.parametrize(
    "text",
    [
        "runs: [" + "[" * 5000,
        "runs: 2025-13-45",
        "runs: " + "9" * 5000,
        "runs: [1e999, .nan]",
        "a: &a [x, x]\n"
        + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrst")),
        "runs: &r [*r]",
    ],
    ids=["deep", "no date", "long number", "no number", "aliases", "itself"],
)
def test_published_yaml_without_an_end_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(text, "utf-8")
    held(lambda: read_published(tmp_path), "theirs.yaml", line="")


@pytest.mark.parametrize("read", [read_source, read_specs, read_text, raw_file])
@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_what_has_no_end_is_no_file(tmp_path: Path, read: Callable[[Path], object], place: str) -> None:
    path = Path(place)
    if place == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    if not path.exists():
        pytest.skip(f"there is no {place} here")
    with pytest.raises(HarnessError, match="it is no file"):
        read(path)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One whole file of each format that the tests of imports make."""
    return {path.name: path.read_bytes() for path in files.one_of_each(tmp_path_factory.mktemp("imports"))}


@PROPERTY
@given(number=st.integers(0, 1 << 20), edits=EDITS)
def test_any_file_is_imported_or_refused(
    imported: dict[str, bytes], tmp_path: Path, number: int, edits: list[Edit]
) -> None:
    name = sorted(imported)[number % len(imported)]
    path = tmp_path / name
    path.write_bytes(edited(imported[name], edits))

    def read() -> None:
        source = read_source(path)
        read_contents(format_of(source), source)

    held(read)


@PROPERTY
@given(number=st.integers(0, 1 << 20), edits=EDITS)
def test_any_file_is_imported_to_the_end_or_refused(
    imported: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, number: int, edits: list[Edit]
) -> None:
    name = sorted(imported)[number % len(imported)]
    folder = tmp_path_factory.mktemp("import")
    (folder / name).write_bytes(edited(imported[name], edits))
    done = import_files([folder / name], folder / "results")
    assert len(done.files) + bool(done.problems) == 1
    assert all(str(problem).strip() for problem in done.problems)
    assert {path.name for path in (folder / "results" / "runs").glob(".*")} <= {".id"}, (
        "an import leaves nothing of its own beside the runs"
    )


CONFIGURATION = {
    "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "vocab_size": 257, "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "sliding_window": 128,
    "max_position_embeddings": 512, "original_max_position_embeddings": 256, "rope_theta": 10000.0, "eos_token_id": [1, 2],
    "rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0], "original_max_position_embeddings": 128},
    "rope_parameters": {"rope_type": "longrope", "original_max_position_embeddings": 128}, "quantization_config": {"quant_method": "awq"},
    "tie_word_embeddings": False, "torch_dtype": "float32", "attn_logit_softcapping": None, "layer_types": ["full_attention"],
}  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e999, 10**400, "4096", "", [], ["x"], {}, {"x": []}, [[1]])


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(below, (*above, key))


def _with(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    found = dict(value) if isinstance(value, dict) else list(value)
    found[place[0]] = _with(value[place[0]], place[1:], odd)
    return found


def test_a_configuration_with_anything_in_any_place_is_planned_or_refused(bench: Bench) -> None:
    folder = bench.configs.parent / "model"
    catalogue = load_catalogue(bench.configs)
    others = {
        "tokenizer.json": {"added_tokens": [{"id": 300, "content": "x"}], "model": {"vocab": {"a": 0}}},
        "model.safetensors.index.json": {"weight_map": {"a": "model.safetensors"}},
        "tokenizer_config.json": {"pad_token": "x", "bos_token": "x", "add_bos_token": True},
        "generation_config.json": {"eos_token_id": 3},
    }
    for name, whole in {"config.json": CONFIGURATION, **others}.items():
        for place in _places(whole):
            for odd in ODD_VALUES:
                (folder / name).write_text(json.dumps(_with(whole, place, odd)), "utf-8")
                held(lambda: find("toy", catalogue, Mistakes(), lambda _: "0" * 64))
        (folder / name).write_text(json.dumps(whole), "utf-8")


LEFT_NAMES = st.sampled_from([
    "20260101T000000-b-000000000000-00000000", "x", ".import-dead", ".import-dead.lock", "s.json", "a.partial", "a.partial-gone", "b-0123456789ab",
    "b-0123456789ab.stamp", "b-0123456789ab.stamp.partial", "r-0123456789ab.partial-1", "environments", "lock", "ü\n€",
    "job.json", "outcome.json", "heartbeat", "log.txt", "arrays.npz.partial", "mark.json",
])  # fmt: skip
A_RUN = "runs/20260101T000000-b-000000000000-00000000"
PLACES = ("", "runs", "artifacts", "sessions", "sessions/environments", A_RUN)


@PROPERTY
@given(left=st.lists(st.tuples(st.sampled_from(PLACES), st.one_of(LEFT_NAMES, st.sampled_from(["runs", "artifacts", "sessions"])),
                               st.sampled_from(["file", "folder", "link", "dangling", "loop", "outcome", "job"]), st.binary(max_size=40)), max_size=8))  # fmt: skip
def test_any_leftovers_are_met_by_recovery(
    opened: OpenWorkspace, tmp_path_factory: pytest.TempPathFactory, left: list[tuple[str, str, str, bytes]]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    theirs = ("precious", "thesis.partial.docx", "b-0123456789ab.partial-gone", "log.txt")
    for name in theirs:
        (outside / name).write_text("x", "utf-8")
    results = tmp_path_factory.mktemp("left")
    for place, name, kind, content in left:
        path = results / place / name
        with suppress(FileExistsError, NotADirectoryError, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path) or not path.parent.is_dir() or path.parent.resolve().is_relative_to(outside):
            continue
        if kind == "file":
            path.write_bytes(content)
        elif kind in {"link", "dangling", "loop"}:
            path.symlink_to({"link": outside, "dangling": outside / "nowhere", "loop": path}[kind])
        else:
            path.mkdir()
            if kind != "folder":
                (path / f"{kind}.json").write_bytes(content)
    with Database.open("sqlite://") as database:
        for _ in range(2):
            with suppress(HarnessError):  # a link or a file in the place of a folder of ours is refused by name
                recover(replace(opened, results=results, database=database))
    assert {path.name for path in outside.iterdir()} == set(theirs), "what a link leads to stays"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWorkspace]:
    machine = Bench(tmp_path_factory.mktemp("runner"))
    machine.sweep(method=["fp32"])
    with machine.opened() as (_, found):
        yield found


@pytest.mark.parametrize("page", ["README.md", "reports/modelopt-windows.md", "harness/lint/RULES.md"])
@PROPERTY
@given(edits=EDITS)
def test_any_page_is_linted_or_named(tmp_path: Path, page: str, edits: list[Edit]) -> None:
    path = tmp_path / "page.md"
    path.write_bytes(edited((ROOT / page).read_bytes(), edits))
    held(lambda: lint_files([path]))


@PROPERTY
@given(st.binary(max_size=400))
def test_bytes_of_no_kind_are_refused_everywhere(tmp_path: Path, content: bytes) -> None:
    for name, read in {
        "x.tables.yaml": read_specs,
        "x.json": lambda path: read_contents(format_of(read_source(path)), read_source(path)),
        "x.csv": lambda path: read_contents(format_of(read_source(path)), read_source(path)),
        "x.md": lambda path: lint_files([path]),
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        held(lambda read=read, path=path: read(path))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000, "a: &a [" * 50_000])
def test_nesting_without_end_is_refused_everywhere(tmp_path: Path, text: str) -> None:
    for name in ("x.json", "x.yaml", "x.jsonl"):
        (tmp_path / name).write_text(text, "utf-8")
        held(lambda name=name: read_contents(format_of(read_source(tmp_path / name)), read_source(tmp_path / name)))
    held(lambda: read_specs(tmp_path / "x.yaml"))
    json.dumps(text)
