"""Stored references that are damaged: one byte in any file is found, and told by the file's name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.probes import kl_dense, kl_reference
from harness.probes.kl_divergence import Workload, measure
from harness.probes.kl_files import BlockSums, sealed, sums_of, unsealed
from tests.unit.probes.hidden_scores import HiddenScores

GIVEN: dict[str, Any] = {"window": 64, "stride": 32}


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("".join(map(chr, np.random.default_rng(5).integers(32, 127, 2500))))
    return str(path)


def stored(session: Any, tmp_path: Path, text: str, **more: Any) -> Path:
    out = tmp_path / "reference"
    out.mkdir()
    kl_reference.measure(session, kl_reference.Workload(text=text, **GIVEN, **more), Context(folder=tmp_path, out=out))
    return out


def compared(folder: Path, tmp_path: Path, text: str) -> float:
    context = Context(folder=tmp_path, reference=folder)
    return float(measure(HiddenScores(noise=0.1), Workload(text=text, **GIVEN), context).values[0].value)


def flip(path: Path, place: int, bit: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(bytes(content))


HELD = {
    "float16": ("hidden.bin", "head/weight.npy", "head/head.json"),
    "float32": ("hidden.bin", "head/weight.npy"),
    "logprobs": ("logprobs.npy",),
}


@pytest.mark.parametrize("share", [0.3, 0.62, 0.999])
@pytest.mark.parametrize(
    ("stores", "file"),
    [
        (stores, file)
        for stores, own in HELD.items()
        for file in (*own, "token_ids.npy", "documents.npy", "positions.npy", "meta.json")
    ],
)
def test_one_bit_in_any_file_is_found_and_told_by_name(
    text: str, tmp_path: Path, stores: str, file: str, share: float
) -> None:
    session = HiddenScores()
    session.head *= np.float32(0.05 if stores == "float16" else 1)
    folder = stored(session, tmp_path, text, stores=stores)
    assert stores == "logprobs" or json.loads((folder / "meta.json").read_text())["hidden_dtype"] == stores
    path = folder / file
    place = int(share * (path.stat().st_size - 1))
    if file.endswith(".json"):
        content = path.read_text("utf-8")
        place = [found.start() for found in re.finditer("[0-9]", content)][
            int(share * len(re.findall("[0-9]", content)))
        ]
    flip(path, place)
    told = "has the head|head.json" if file == "head/head.json" else re.escape(Path(file).name)
    with pytest.raises(HarnessError, match=told) as raised:
        compared(folder, tmp_path, text)
    assert "again" in str(raised.value)


def test_the_damaged_positions_of_log_probabilities_are_named(text: str, tmp_path: Path) -> None:
    folder = stored(HiddenScores(), tmp_path, text, stores="logprobs")
    flip(folder / "logprobs.npy", (folder / "logprobs.npy").stat().st_size - 4 * 258 * 3)
    with pytest.raises(HarnessError, match=r"logprobs\.npy are damaged between positions 2048 and 2499"):
        compared(folder, tmp_path, text)
    (folder / "logprobs.npy").write_bytes((folder / "logprobs.npy").read_bytes()[:-40])
    with pytest.raises(HarnessError, match=r"logprobs\.npy are damaged \("):
        compared(folder, tmp_path, text)
    np.save(folder / "logprobs.npy", np.zeros((2500, 200), dtype=np.float32))
    with pytest.raises(HarnessError, match=r"logprobs\.npy are incomplete or others"):
        compared(folder, tmp_path, text)


def test_a_reference_that_was_written_before_there_were_checksums_is_read(text: str, tmp_path: Path) -> None:
    folder = stored(HiddenScores(), tmp_path, text)
    wanted = compared(folder, tmp_path, text)
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    for name in ("crc", "files", "block"):
        del meta[name]
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")
    assert compared(folder, tmp_path, text) == wanted


@pytest.mark.parametrize("pieces", [[10], [3, 4, 3], [1] * 10, [8, 2]])
def test_checksums_of_blocks_do_not_depend_on_the_pieces(pieces: list[int]) -> None:
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    sums, whole = BlockSums(4), BlockSums(4)
    whole.add(rows)
    begin = 0
    for count in pieces:
        sums.add(rows[begin : begin + count])
        begin += count
    assert sums.crcs == whole.crcs
    assert len(sums.crcs) == 3


def test_a_record_keeps_its_own_checksum_whatever_its_spaces(tmp_path: Path) -> None:
    record = {"a": 1.5e-9, "b": ["ä", None], "c": {"2": 3}}
    assert unsealed(json.dumps(json.loads(sealed(record)))) == record
    with pytest.raises(ValueError, match="checksum"):
        unsealed(sealed(record).replace("1.5e-09", "1.6e-09"))
    with pytest.raises(TypeError, match="no record"):
        unsealed('"a"')
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "y").write_bytes(b"abc")
    (tmp_path / "z").write_bytes(b"abc")
    assert sums_of(tmp_path, ["z"]) == {"x/y": 0x352441C2}


def test_log_probabilities_go_on_at_the_last_finished_window(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(session: HiddenScores, name: str, resume: Path | None) -> tuple[Path, Any]:
        out = tmp_path / name
        out.mkdir()
        context = Context(folder=tmp_path, out=out, resume=resume)
        return out, kl_reference.measure(session, kl_reference.Workload(text=text, **GIVEN, stores="logprobs"), context)

    whole, _ = written(HiddenScores(), "whole", None)
    dying, again = HiddenScores(), HiddenScores()
    dying.dies_at = 50
    with pytest.raises(KeyboardInterrupt):
        written(dying, "killed", tmp_path / "groups")
    folder, found = written(again, "again", tmp_path / "groups")
    windows = -(-(2500 - 64) // 32) + 1
    assert again.windows == windows - 49
    assert (folder / "logprobs.npy").read_bytes() == (whole / "logprobs.npy").read_bytes()
    assert "resumed" in {note.code for note in found.notes}
    monkeypatch.setattr(kl_dense, "KEPT_BYTES", 1000)
    large, session = tmp_path / "others", HiddenScores()
    folder, _ = written(session, "large", large)
    assert not large.exists(), "a window that is large is never held whole"
    assert (folder / "meta.json").read_text() == (whole / "meta.json").read_text()
