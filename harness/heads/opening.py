"""Opening a head from the folder in which an engine left it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.heads.linear import LinearHead
from harness.heads.onnx_head import OnnxHead
from harness.heads.record import HeadRecord, read_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OpenHead(Protocol):
    """A head that can be asked."""

    @property
    def record(self) -> HeadRecord: ...
    def logits(self, hidden: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Give the model's own logits, float32 [n, vocabulary], for hidden states float32 [n, hidden].

        out: memory of that shape in which they may be given.
        """


def open_head(folder: Path, provider: str = "cpu") -> OpenHead:
    """Open a head without its model. Raises: HarnessError where a file is missing, damaged, or cannot run here."""
    record = read_record(folder)
    return LinearHead(folder, record) if record.kind == "linear" else OnnxHead(folder, record, provider)
