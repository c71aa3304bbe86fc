"""What of a run's samples is published: what pairs item by item with another run, and statistics of the rest."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from harness.core.errors import HarnessError
from harness.core.outcome import Measurement
from harness.core.spec import Record
from harness.numbers import documents, strata
from harness.numbers.pairing import Items, by_document
from harness.store.database import Database
from harness.tables.samples import statistic_of
from harness.tables.specentries import STATS

FEW = 8
"""Samples up to this many are published one by one: as many as there are statistics."""


class PackedItems(Record):
    """What pairs, each array in one text: type, shape, and base64 of zlib of its C-ordered little-endian bytes."""

    samples: str | None = None
    """Answers, and values of questions."""
    documents: str | None = None
    """Sums and counts by document, where those are the unit."""
    strata: str | None = None
    """Questions of each stratum, in order."""

    def unpacked(self) -> Items:
        """Return the arrays. Raises: HarnessError for a text that is no array."""
        counts = _unpacked(self.strata)
        return Items(
            _unpacked(self.samples), _unpacked(self.documents), None if counts is None else [int(one) for one in counts]
        )


def items_of(database: Database, measurement: str) -> Items:
    """Collect what a database keeps of a measurement's items; what it does not is None."""
    samples = _or_none(lambda: database.samples(measurement))
    sizes = _or_none(lambda: database.beside(measurement, documents.SUFFIX))
    counts = _or_none(lambda: database.beside(measurement, strata.SUFFIX))
    sums = None if samples is None or sizes is None else documents.sums_of(samples, sizes)
    return Items(samples, sums, None if counts is None else [int(count) for count in counts])


def _or_none(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except HarnessError:
        return None


def packed_items(item: Measurement, items: Items) -> PackedItems | None:
    """Keep of a measurement's items what a comparison with another run needs; None where it does not pair.

    Of what is counted by document its sums are enough, and of answers there also which ones were right.
    """
    import numpy as np

    if item.items is None or (item.array is None and len(item.samples) <= FEW):
        return None
    values, sums = items.samples, items.documents if by_document(item.metric) else None
    if by_document(item.metric) and (sums is None or (values is not None and values.dtype.kind not in "biu")):
        values = None
    kept = PackedItems(
        samples=None if values is None else _packed(values),
        documents=None if sums is None else _packed(sums),
        strata=None if items.strata is None else _packed(np.asarray(items.strata, dtype=np.int32)),
    )
    return None if kept.samples is None and kept.documents is None else kept


def statistics_of(samples: object) -> dict[str, float]:
    """Compute all statistics that a table can ask for; what too few samples do not tell is left out."""
    found = {stat: statistic_of(samples, stat) for stat in STATS}
    return {stat: value for stat, value in found.items() if value is not None}


def _packed(array: Any) -> str:
    import numpy as np

    values = np.ascontiguousarray(array)
    values = values.astype(values.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")
    return f"{values.dtype.str} {'x'.join(map(str, values.shape))} {data}"


def _unpacked(text: str | None) -> Any:
    import numpy as np

    if text is None:
        return None
    try:
        kind, sides, data = text.split(" ")
        dtype, shape = np.dtype(kind), tuple(int(side) for side in sides.split("x"))
        most = math.prod(shape) * dtype.itemsize
        raw = zlib.decompressobj().decompress(base64.b64decode(data, validate=True), most + 1)
        return np.frombuffer(raw, dtype=dtype).reshape(shape)
    except (ValueError, TypeError, zlib.error) as error:
        raise HarnessError(f"published items are damaged ({error}); publish their run again") from None


def is_apart(kept: PackedItems | None, other: PackedItems | None) -> bool:
    """Say whether two runs' items differ where both are at hand."""
    pairs: Mapping[str, Any] = {} if kept is None or other is None else other.model_dump()
    return any(value is not None and getattr(kept, name) not in {None, value} for name, value in pairs.items())
