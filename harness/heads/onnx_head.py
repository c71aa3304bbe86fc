"""A head that is a piece of an ONNX graph: quantized products stay the operators that they are in the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import nvml
from harness.core.errors import HarnessError
from harness.heads.record import GRAPH, HeadRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

_PROVIDERS = {"cuda": "CUDAExecutionProvider"}
"""Providers on which a head runs as its model does; others take the CPU."""


class OnnxHead:
    """An opened head. Raises: HarnessError where this environment has no ONNX Runtime, or the file is broken."""

    def __init__(self, folder: Path, record: HeadRecord, provider: str = "cpu") -> None:
        self.record = record
        try:
            import onnxruntime
        except ImportError as error:
            raise HarnessError(
                "the reference's head is a quantized ONNX graph, and this environment has no onnxruntime; measure in one that has it, or take a "
                "reference in floats"
            ) from error
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.enable_mem_pattern = False
        nvml.load_cuda_libraries(provider)
        there = _PROVIDERS.get(provider, "CPUExecutionProvider")
        try:
            self._session = onnxruntime.InferenceSession(str(folder / GRAPH), settings, providers=[there])
        except Exception as error:  # onnxruntime's errors share no base class but Exception
            raise HarnessError(
                f"the head {folder / GRAPH} cannot be opened: {error}; make the reference again"
            ) from error

    def logits(self, hidden: Rows, out: Rows | None = None) -> Rows:
        """Give float32 [n, vocabulary] for hidden states float32 [n, hidden], in memory of the runtime's own."""
        import numpy as np

        del out
        given = hidden[None].astype(self.record.dtype, copy=False)
        found: Rows = self._session.run([self.record.gives], {self.record.feeds: given})[0][0]
        return found.astype(np.float32, copy=False)
