"""From what a probe found to what is kept: measurements, arrays and the facts of a sealed artifact."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.executed import Executed
from harness.core.files import write_whole
from harness.core.identity import digest, file_sha256, files_below, folder_bytes, folder_sha256
from harness.core.metric import metric
from harness.core.model_record import TensorHeader, read_tensors
from harness.core.outcome import ArrayRef, Artifact, Measurement, Protocol, Scheme
from harness.core.seam import Built, MetricValue, ProbeResult
from harness.core.spec import Input, Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 64
"""Samples up to this many stay in the measurement itself."""
ARRAYS = "arrays.npz"
_BLOCK = 1 << 22
"""Bytes of a tensor that are read at a time."""
_WEIGHTS = (".onnx", ".onnx.data", ".onnx_data", ".data", ".safetensors", ".bin", ".pth")


@dataclass
class Gathered:
    """What a job has come to so far; where it fails, what it read and on what it ran is kept."""

    inputs: tuple[Input, ...] = ()
    provider: str | None = None
    protocol: Protocol | None = None
    measurements: tuple[Measurement, ...] = ()
    artifact: Artifact | None = None
    scheme: Scheme | None = None
    executed: Executed | None = None
    notes: tuple[Note, ...] = ()


def array_ref(name: str, array: NDArray[Any]) -> ArrayRef:
    """Describe an array by name, shape, dtype and the sha256 of its C-ordered bytes."""
    import numpy as np

    whole = np.ascontiguousarray(array)
    return ArrayRef(
        name=name,
        sha256=hashlib.sha256(whole.tobytes()).hexdigest(),
        shape=tuple(int(size) for size in whole.shape),
        dtype=str(whole.dtype),
    )


def keep(findings: ProbeResult, folder: Path) -> tuple[Measurement, ...]:
    """Write a job's arrays into its run folder, whole, and return its measurements.

    Raises: HarnessError where a reading is not a finite number, or one array name stands for two arrays.
    """
    arrays: dict[str, NDArray[Any]] = dict(findings.arrays)
    kept = tuple(_measurement(reading, arrays) for reading in findings.values)
    if arrays:
        write_whole(folder / ARRAYS, _npz(arrays))
    return kept


def _measurement(reading: MetricValue, arrays: dict[str, NDArray[Any]]) -> Measurement:
    import numpy as np

    definition = metric(reading.metric)
    samples = np.asarray(reading.samples)
    if not np.isfinite(reading.value) or not np.isfinite(samples).all():
        raise HarnessError(f"{reading.metric} of '{reading.slice or 'all'}' is not finite ({reading.value})")
    ref: ArrayRef | None = None
    few: tuple[float, ...] = ()
    name = reading.array or (None if samples.size <= FEW else f"{reading.metric}.{reading.slice or 'all'}")
    if name is not None:
        _add(arrays, name, samples)
        ref = array_ref(name, samples)
    else:
        few = tuple(float(sample) for sample in samples.ravel())
    return Measurement(
        metric=reading.metric,
        metric_version=definition.version if reading.version is None else reading.version,
        slice=reading.slice,
        value=float(reading.value),
        unit=definition.unit if reading.unit is None else reading.unit,
        low=None if reading.low is None else float(reading.low),
        high=None if reading.high is None else float(reading.high),
        interval=reading.interval,
        n=int(reading.n if reading.n is not None else max(1, samples.size)),
        array=ref,
        samples=few,
        source=reading.source,
        items=reading.items,
        better=reading.better,
    )


def _add(arrays: dict[str, NDArray[Any]], name: str, samples: NDArray[Any]) -> None:
    import numpy as np

    if name in arrays and not np.array_equal(arrays[name], samples):
        raise HarnessError(f"two different arrays are called '{name}'")
    arrays[name] = samples


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    import io

    import numpy as np

    buffer = io.BytesIO()
    save: Any = np.savez_compressed
    save(buffer, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def weights_bytes(folder: Path) -> int:
    """Add up the sizes of an artifact's graph and weights files, in bytes; tokenizer and configuration do not count."""
    return sum(path.stat().st_size for path in files_below(folder) if path.name.endswith(_WEIGHTS))


def weights_sha256(folder: Path) -> str | None:
    """Hash the weights of a folder. None without any.

    Of safetensors files the tensors count, whatever file they lie in and whatever else its header says; other files count whole.
    """
    tensors = read_tensors(folder)
    read = {tensor.file for tensor in tensors.values()}
    files = [path for path in files_below(folder) if path.name.endswith(_WEIGHTS) and path not in read]
    rows: list[list[object]] = [[path.name, file_sha256(path)] for path in files]
    rows += [[name, one.dtype, list(one.shape), _tensor_sha256(one)] for name, one in sorted(tensors.items())]
    return digest(rows) if rows else None


def _tensor_sha256(tensor: TensorHeader) -> str:
    state = hashlib.sha256()
    with tensor.file.open("rb") as file:
        file.seek(tensor.begin)
        while block := file.read(min(_BLOCK, tensor.end - file.tell())):
            state.update(block)
    return state.hexdigest()


def artifact_of(identity: str, folder: Path, built: Built, seconds: float, peak: int | None) -> Artifact:
    """Describe a filled folder: content hash, sizes, build time, layers by type."""
    return Artifact(
        id=identity,
        content=folder_sha256(folder),
        bytes=folder_bytes(folder),
        files=len(files_below(folder)),
        weights_bytes=weights_bytes(folder),
        format=built.format,
        seconds=seconds,
        peak_rss_bytes=peak,
        layers=built.layers,
        facts=built.facts,
    )


def build_measurements(artifact: Artifact) -> tuple[Measurement, ...]:
    """State what a build measured by itself: sizes, time and memory."""
    values = {
        "artifact_bytes": artifact.bytes,
        "weights_bytes": artifact.weights_bytes,
        "build_seconds": artifact.seconds,
        "build_peak_rss_bytes": artifact.peak_rss_bytes,
    }
    return tuple(
        Measurement(
            metric=name,
            metric_version=metric(name).version,
            value=float(value),
            unit=metric(name).unit,
            n=1,
            samples=(float(value),),
            source="rss" if name.endswith("rss_bytes") else None,
        )
        for name, value in values.items()
        if value is not None
    )
