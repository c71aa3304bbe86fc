"""Whatever stands in a file that somebody hands us, it is read or refused by name: no traceback, no endless work."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.importing.source import read_source
from harness.importing.taking import format_of, read_contents
from harness.lint.linter import lint_files
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import expand
from harness.plan.reading import read_sweep
from harness.report.published import read_published
from harness.report.specfile import read_specs
from tests.conftest import ROOT
from tests.unit.importing import files

SECONDS = 10.0
EXAMPLES = int(os.environ.get("ANY_BYTES_EXAMPLES", "12"))
ODD = [
    "", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!python/none ", "<<: ", "null", "~", "1e999", "-.inf", ".nan", "9" * 50, "0x1f", "2150-01-01",
    "'", '"', "|\n", "\t", "\x00", "\ufeff", "\u2028", "#", "---\n", "...", "%YAML 1.2\n", "\\", "../..", "/dev/zero", "NaN", "Infinity", "true", "-1",
]  # fmt: skip
Edit = tuple[str, int, int, str | bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "twice", "put", "swap", "end"]),
        st.integers(0, 1 << 20),
        st.integers(0, 300),
        st.one_of(st.sampled_from(ODD), st.text(max_size=8), st.binary(max_size=6)),
    ),
    max_size=6,
)
PROPERTY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def edited(content: bytes, edits: list[Edit]) -> bytes:
    """Edit a file as accidents and people do: cut, double, insert, swap, break off."""
    for what, place, length, new in edits:
        at = place % (len(content) + 1)
        part = content[at : at + length]
        rest = content[at + length :]
        raw = new if isinstance(new, bytes) else new.encode("utf-8", "surrogatepass")
        content = {
            "cut": content[:at] + rest,
            "twice": content[:at] + part + part + rest,
            "put": content[:at] + raw + content[at:],
            "swap": content[:at] + raw + rest,
            "end": content[:at],
        }[what]
    return content


def held(read: Callable[[], object]) -> None:
    """Read, or be refused in words; in either case soon."""
    begun, said = time.process_time(), "nothing"
    try:
        read()
    except HarnessError as error:
        said = str(error)
    assert said.strip(), "a refusal has words"
    assert time.process_time() - begun < SECONDS


@pytest.fixture(scope="module")
def catalogue() -> Any:
    return load_catalogue(ROOT / "configs")


@pytest.mark.parametrize("name", ["quickstart", "gpu", "smollm2"])
@PROPERTY
@given(edits=EDITS)
def test_any_sweep_plans_or_is_refused(catalogue: Any, tmp_path: Path, name: str, edits: list[Edit]) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(edited((ROOT / "configs" / "sweeps" / f"{name}.yaml").read_bytes(), edits))
    held(lambda: expand(read_sweep(path, catalogue, None), catalogue, {}))


@pytest.mark.parametrize("name", ["models", "methods", "environments", "texts"])
@PROPERTY
@given(edits=EDITS)
def test_any_catalogue_is_read_or_refused(tmp_path: Path, name: str, edits: list[Edit]) -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / f"{name}.yaml").write_bytes(edited((ROOT / "configs" / f"{name}.yaml").read_bytes(), edits))
    held(lambda: load_catalogue(tmp_path))


@pytest.mark.parametrize("name", ["quickstart", "modelopt_windows"])
@PROPERTY
@given(edits=EDITS)
def test_any_tables_are_read_or_refused(tmp_path: Path, name: str, edits: list[Edit]) -> None:
    path = tmp_path / f"{name}.tables.yaml"
    path.write_bytes(edited((ROOT / "reports" / "tables" / path.name).read_bytes(), edits))
    held(lambda: read_specs(path))


@PROPERTY
@given(edits=EDITS)
def test_any_reported_numbers_are_read_or_refused(tmp_path: Path, edits: list[Edit]) -> None:
    path = tmp_path / "bnb.yaml"
    path.write_bytes(edited((ROOT / "results" / "published" / "bnb.yaml").read_bytes(), edits))
    held(lambda: read_published(tmp_path))


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
