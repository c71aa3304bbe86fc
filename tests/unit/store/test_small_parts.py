"""What the database rests on and needs none for: arrays as rows, moments, ids, versions of files, and who holds a file."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql, sqlite

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.outcome import ArrayRef, Gpu
from harness.store import arrays, files, holders, where
from harness.store.against_files import Finding, differing
from harness.store.arrays import StoredArray
from harness.store.cache import History
from harness.store.dimensions import gpu_of
from harness.store.frame import split_measurement
from harness.store.result import ResultSet, result_of
from harness.store.row import Utc, chunks
from harness.store.walk import Ingested
from tests.unit.store.outcomes import environment, measured


def ref(raw: bytes) -> ArrayRef:
    return ArrayRef(name="a", sha256=hashlib.sha256(raw).hexdigest(), shape=(len(raw),), dtype="uint8")


def noise(size: int) -> bytes:
    """Bytes that cannot be made smaller."""
    return np.random.default_rng(1).bytes(size)


@pytest.mark.parametrize(("raw", "codec"), [
    (bytes(1000), "zlib"), (noise(64 * 1024), "raw"), (noise(64 * 1024 + 1), None), (bytes(1024 * 1024), "zlib"), (bytes(1024 * 1024 + 1), None), (b"", "raw"),
])  # fmt: skip
def test_an_array_is_kept_where_it_is_small_once_packed(raw: bytes, codec: str | None) -> None:
    row = arrays._row(ref(raw), raw)
    assert (row.codec, row.shape, row.dtype) == (codec, f"[{len(raw)}]", "uint8")
    assert (row.data is None) == (codec is None)
    if codec:
        assert arrays.unpacked(row).tobytes() == raw
        assert codec != "zlib" or zlib.decompress(row.data or b"") == raw
    assert arrays._row(ref(raw), None).data is None


def test_a_damaged_array_is_refused_and_shapes_come_back() -> None:
    values = np.arange(6, dtype="<i4").reshape(2, 3)
    row = StoredArray("a", hashlib.sha256(values.tobytes()).hexdigest(), "[2, 3]", "int32", "raw", values.tobytes())
    assert arrays.unpacked(row).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(HarnessError, match="array 'a' in the database is damaged"):
        arrays.unpacked(StoredArray("a", row.sha256, row.shape, row.dtype, "raw", b"x" * 24))


@pytest.mark.parametrize("samples", [(), (1.5,), (0.1, -2.0, 1e308)])
def test_few_samples_are_eight_bytes_each(samples: tuple[float, ...]) -> None:
    packed = arrays.packed_few(samples)
    assert (packed is None) == (not samples)
    if packed is not None:
        assert len(packed) == 8 * len(samples)
        assert np.frombuffer(packed, "<f8").tolist() == arrays.unpacked_few(packed) == list(samples)


def test_outcomes_differ_in_fields_and_a_finding_is_no_trouble_by_itself() -> None:
    one = measured(1)
    assert differing(one, one) == []
    assert differing(one, one.model_copy(update={"seconds": one.seconds + 1, "reason": "x"})) == ["reason", "seconds"]
    assert Finding("run a").trouble == ""


@pytest.mark.parametrize(("name", "found"), [("run#3", ("run", 3)), ("a#b#12", ("a#b", 12)), ("#0", ("", 0))])
def test_a_measurement_is_a_run_and_a_place(name: str, found: tuple[str, int]) -> None:
    assert split_measurement(name) == found


@pytest.mark.parametrize("name", ["run", "run#", "run#x", "run#-1", ""])
def test_what_is_no_measurement_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="is not a measurement id"):
        split_measurement(name)


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(0, 2, []), (4, 2, [2, 2]), (5, 2, [2, 2, 1]), (1, 2, [1]), (5001, None, [5000, 1])]
)
def test_statements_take_what_they_can(count: int, size: int | None, sizes: list[int]) -> None:
    found = list(chunks(range(count))) if size is None else list(chunks(range(count), size))
    assert [len(some) for some in found] == sizes
    assert [one for some in found for one in some] == list(range(count))


def test_moments_are_text_in_utc_on_sqlite_and_moments_elsewhere() -> None:
    kind, lite, server = Utc(), sqlite.dialect(), postgresql.dialect()
    moment = datetime(2026, 1, 31, 13, 30, tzinfo=timezone(timedelta(hours=1)))
    assert kind.process_bind_param(moment, lite) == "2026-01-31T12:30:00.000000+00:00"
    assert kind.process_bind_param(moment, server) == moment
    assert kind.process_bind_param(None, lite) is kind.process_result_value(None, lite) is None
    assert kind.process_result_value("2026-01-31T12:30:00.000000+00:00", lite) == moment
    assert kind.process_result_value(moment, server) == moment
    assert str(kind.load_dialect_impl(lite)) == "VARCHAR(32)"
    assert kind.load_dialect_impl(server).timezone is True  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="has no time zone"):
        kind.process_bind_param(datetime(2026, 1, 1), lite)  # noqa: DTZ001 - that is what is refused
    with pytest.raises(HarnessError, match="holds the moment 'soon', which is none"):
        kind.process_result_value("soon", lite)


def test_numbers_of_a_result_are_floats_and_columns_are_found_by_name() -> None:
    found = result_of([(1, "a", None), (2, None, True)], ["n", "t", "f"], {"n": "number", "t": "text", "f": "flag"})
    assert found == ResultSet(("n", "t", "f"), [(1.0, "a", None), (2.0, None, True)])
    assert type(found.rows[0][0]) is float
    assert (len(found), found.column("t"), found.tuples(["f", "n"])) == (2, ["a", None], [(None, 1.0), (True, 2.0)])
    assert list(found)[1] == {"n": 2.0, "t": None, "f": True}


@pytest.mark.parametrize(
    ("key", "shape", "seconds"),
    [
        ("k", None, 5.0),
        ("k", ("a", "b", "c", "d"), 5.0),
        ("x", ("a", "b", "c", "d"), 7.0),
        ("x", None, None),
        ("x", ("", "", "", ""), None),
    ],
)
def test_a_job_is_estimated_by_itself_else_by_its_like(key: str, shape: Any, seconds: float | None) -> None:
    assert History({"k": 5.0}, {("a", "b", "c", "d"): 7.0}).seconds(key, shape) == seconds


@pytest.mark.parametrize(("names", "found"), [((), None), (("A",), "A"), (("A", "A"), "A"), (("B", "A", "B"), "B + A")])
def test_different_gpus_are_joined(names: tuple[str, ...], found: str | None) -> None:
    assert gpu_of(environment(gpus=tuple(Gpu(name=name) for name in names))) == found


def test_conditions_of_tables_are_texts_and_none_is_absent() -> None:
    assert where.as_texts({"batch": [1.0, 8.0]}, lambda value: f"{value:g}") == {"batch": ("1", "8")}
    with pytest.raises(HarnessError, match="--where gpu=: give a value; only `harness export`"):
        where.as_texts({"gpu": ["A", None]}, str)
    assert where.parse_where(["started=2026-01-31T12:00+02:00"])["started"] == [datetime(2026, 1, 31, 10, tzinfo=UTC)]


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("said", ["abcdef012345\n", "ABCDEF012345"])
def test_a_folder_of_runs_keeps_its_id(tmp_path: Path, said: str) -> None:
    (tmp_path / ".id").write_text(said, "ascii")
    assert files.runs_id(tmp_path) == said.strip()


@pytest.mark.parametrize("said", [None, "", "abcdef01234", "abcdef0123456", "abcdef-12345", "ä"])
def test_a_folder_of_runs_without_an_id_is_given_one_that_stays(tmp_path: Path, said: str | None) -> None:
    if said is not None:
        (tmp_path / ".id").write_text(said, "utf-8")
    made = files.runs_id(tmp_path)
    assert made is not None
    assert len(made) == 12
    assert made.isalnum()
    assert made != said
    assert files.runs_id(tmp_path) == made
    assert files.runs_id(tmp_path / "gone") is None


@pytest.mark.parametrize(("content", "says"), [
    ({"schema_version": 99}, "has schema version 99 and this harness reads up to 1; update the harness"),
    ({"schema_version": 99, "more": 1}, "has schema version 99"), ({"schema_version": 1, "more": 1}, "(1 mistakes of this kind)"),
    ({"void": 3, "note": 4}, "(2 mistakes of this kind)"), ([], "the whole: "), (None, "cannot be read"),
])  # fmt: skip
def test_a_mark_that_cannot_be_read_says_why(tmp_path: Path, content: object, says: str) -> None:
    (tmp_path / "mark.json").write_text("{" if content is None else json.dumps(content), "utf-8")
    with pytest.raises(ConfigError) as found:
        files.read_mark(tmp_path)
    assert says in str(found.value)


def test_a_link_or_a_file_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    files.check_folders(tmp_path)
    (tmp_path / "runs").mkdir()
    files.check_folders(tmp_path)
    (tmp_path / "artifacts").write_text("", "utf-8")
    with pytest.raises(HarnessError, match="artifacts is not a folder"):
        files.check_folders(tmp_path)
    (tmp_path / "artifacts").unlink()
    (tmp_path / "artifacts").symlink_to(tmp_path / "nowhere")
    with pytest.raises(HarnessError, match="artifacts is a link"):
        files.check_folders(tmp_path)


# ---------------------------------------------------------------- who holds a file


@pytest.mark.parametrize(("kinds", "named"), [(("READ", "WRITE"), [12]), (("READ", "READ"), [11, 12]), ((), [])])
def test_writers_of_a_database_or_its_log_are_named_before_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...], named: list[int]
) -> None:
    file = tmp_path / "bench.db"
    places = [file, tmp_path / "bench.db-shm", tmp_path / "bench.db-wal"]
    for place in places:
        place.touch()
    inodes = [place.stat().st_ino for place in places]
    rows = [f"{at}: POSIX  ADVISORY  {kind} {11 + at} 08:01:{inodes[at % 3]} 0 EOF" for at, kind in enumerate(kinds)]
    rows += [f"8: POSIX  ADVISORY  WRITE {os.getpid()} 08:01:{inodes[2]} 0 EOF"] if not kinds else []
    rows += [
        "9: FLOCK  ADVISORY  WRITE 77 08:01:1 0 EOF",
        f"9: POSIX  ADVISORY  WRITE 78 08:01:{max(inodes) + 10} 0 EOF",
        "",
    ]
    (tmp_path / "locks").write_text("\n".join(rows), "utf-8")
    monkeypatch.setattr(holders, "_LOCKS", tmp_path / "locks")
    monkeypatch.setattr(holders, "_command", lambda pid: f" ({pid}!)")
    assert holders.holders(file) == ", ".join(f"process {pid} ({pid}!)" for pid in named)
    monkeypatch.setattr(holders, "_LOCKS", tmp_path / "gone")
    assert holders.holders(file) == ""


def test_a_command_line_is_cut_at_a_hundred_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, told in (
        (b"a\0b c\0", " (a b c)"),
        (b"x" * 100, f" ({'x' * 100})"),
        (b"x" * 101, f" ({'x' * 100}...)"),
        (b"", ""),
    ):
        monkeypatch.setattr(holders.Path, "read_bytes", lambda path, said=said: said)
        assert holders._command(5) == told


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "1 runs are new, 2 were known, 3 sessions"),
        ({"unfinished": ("a", "b")}, "1 runs are new, 2 were known, 3 sessions, 2 without an outcome"),
        ({"marks": 4}, "1 runs are new, 2 were known, 3 sessions, 4 marks changed"),
        ({"problems": (Problem("x"),)}, "1 runs are new, 2 were known, 3 sessions, 1 files cannot be read"),
    ],
)
def test_a_walk_says_what_it_found(more: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"new": 1, "known": 2, "sessions": 3, "unfinished": (), "problems": ()}
    assert str(Ingested(**{**given, **more})) == says
