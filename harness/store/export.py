"""Write a frame for other programs: CSV, JSON lines, Parquet; equal frames give equal bytes, numbers lose no digit."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.spelling import unknown

if TYPE_CHECKING:
    import pandas as pd

ExportFormat = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[str, ...] = get_args(ExportFormat)


def export(frame: pd.DataFrame, path: Path, form: str | None = None) -> Path:
    """Write a frame, whole or not at all, in UTF-8; the format is the file name's ending unless it is given.

    Absent values are empty in CSV, null in JSON lines and Parquet. Raises: HarnessError for an unknown format or a
    folder that cannot be written.
    """
    chosen = form or path.suffix.removeprefix(".")
    if chosen not in FORMATS:
        raise HarnessError(unknown("export format", chosen, FORMATS))
    content = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[chosen](frame)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise HarnessError(f"cannot write {path} ({error}); choose another folder, or free some space") from error
    return path


def _csv(frame: pd.DataFrame) -> bytes:
    text: str = _plain(frame).to_csv(index=False, lineterminator="\n")
    return text.encode()


def _jsonl(frame: pd.DataFrame) -> bytes:
    plain = _plain(frame).astype(object)
    rows = plain.where(plain.notna(), None).to_dict("records")
    return "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows).encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    columns = {str(name): _arrow(frame[name]) for name in frame.columns}
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _arrow(column: Any) -> Any:
    """Give a column the type that its kind has, also where every value is absent."""
    import pyarrow as pa

    names = {"f": pa.float64(), "M": pa.timestamp("us", tz="UTC")}
    kind = names.get(column.dtype.kind) or (pa.bool_() if column.dtype == object else pa.string())
    return pa.array(column, type=kind, from_pandas=True)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Write moments as ISO text in UTC."""
    plain = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind == "M":
            plain[name] = frame[name].map(lambda moment: moment.isoformat(timespec="microseconds"), na_action="ignore")
    return plain
