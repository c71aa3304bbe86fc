"""The samples behind a number: in the database where they are few, else in the run folder, held to their hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from harness.core.errors import HarnessError
from harness.store import arrays, files, frame
from harness.store import models as m
from harness.store.row import table
from harness.worker.record import ARRAYS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RUN, _MEASUREMENT, _SAMPLES = table(m.RunRow), table(m.MeasurementRow), table(m.SamplesRow)


def of_measurement(connection: Connection, results: Path | None, measurement_id: str) -> NDArray[np.generic]:
    """Return the samples of a measurement, in their own shape and type. Raises: HarnessError where there are none."""
    run, ordinal = frame.split_measurement(measurement_id)
    query = select(_MEASUREMENT.c.array, _MEASUREMENT.c.samples).join(_RUN, _RUN.c.id == _MEASUREMENT.c.run_id)
    found = connection.execute(query.where(_RUN.c.name == run, _MEASUREMENT.c.ordinal == ordinal)).first()
    if found is None:
        raise HarnessError(f"the database holds no measurement '{measurement_id}'")
    if found.array is not None:
        return array(connection, results, run, found.array)
    if found.samples is None:
        raise HarnessError(f"measurement {measurement_id} keeps no samples")
    import numpy as np

    return np.array(arrays.unpacked_few(found.samples))


def beside(
    connection: Connection, results: Path | None, measurement_id: str, suffix: str
) -> NDArray[np.generic] | None:
    """Return the array whose name is that of a measurement's samples and a suffix; None where there is none."""
    run, ordinal = frame.split_measurement(measurement_id)
    named = (_SAMPLES.c.run_id == _RUN.c.id) & (_SAMPLES.c.name == _MEASUREMENT.c.array + suffix)
    query = select(_SAMPLES.c.name).select_from(
        _MEASUREMENT.join(_RUN, _RUN.c.id == _MEASUREMENT.c.run_id).join(_SAMPLES, named)
    )
    name = connection.execute(query.where(_RUN.c.name == run, _MEASUREMENT.c.ordinal == ordinal)).scalar()
    return None if name is None else array(connection, results, run, name)


def array(connection: Connection, results: Path | None, run: str, name: str) -> NDArray[np.generic]:
    """Return an array of a run by name.

    results: folder that holds `runs/`. Raises: HarnessError where there is none, or its run folder is gone or was changed.
    """
    query = select(_SAMPLES).join(_RUN, _RUN.c.id == _SAMPLES.c.run_id)
    row = connection.execute(query.where(_RUN.c.name == run, _SAMPLES.c.name == name)).first()
    if row is None:
        raise HarnessError(f"run {run} keeps no samples called '{name}'")
    if row.data is not None:
        return arrays.unpacked(arrays.StoredArray(row.name, row.sha256, row.shape, row.dtype, row.codec, row.data))
    if results is None:
        raise HarnessError(f"array '{name}' of run {run} lies in its run folder; open the database with `results`")
    path = results / files.RUNS / run / ARRAYS
    return arrays.verified(arrays.read_arrays(path).get(name), name, row.sha256, path)


def stored(connection: Connection, run: str) -> list[arrays.StoredArray]:
    """Return all arrays of a run as the database keeps them."""
    query = select(_SAMPLES).join(_RUN, _RUN.c.id == _SAMPLES.c.run_id).where(_RUN.c.name == run)
    return [
        arrays.StoredArray(row.name, row.sha256, row.shape, row.dtype, row.codec, row.data)
        for row in connection.execute(query.order_by(_SAMPLES.c.name))
    ]


def arrays_of(connection: Connection, run: str) -> list[tuple[str, str, str]]:
    """List the arrays that a run keeps: name, shape as JSON, sha256."""
    query = select(_SAMPLES.c.name, _SAMPLES.c.shape, _SAMPLES.c.sha256).join(_RUN, _RUN.c.id == _SAMPLES.c.run_id)
    rows = connection.execute(query.where(_RUN.c.name == run).order_by(_SAMPLES.c.name))
    return [(row.name, row.shape, row.sha256) for row in rows]
