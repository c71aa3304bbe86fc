"""An artifact, or a model's own folder, as the jobs behind it see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.core.folder_formats import Format
from harness.core.model_record import ModelRecord
from harness.core.seam import FloatType
from harness.core.spec import Input


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact, or a model's own folder, as the jobs behind it see it."""

    id: str
    format: Format
    recipe: str
    method: str
    model: str
    """Model under which it stands in tables."""
    needs: tuple[str, ...] = ()
    path: str = ""
    content: str | None = None
    refused: str | None = None
    vocabulary: int | None = None
    bytes: int = 0
    """Estimate of what it takes on disk."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    float_type: FloatType | None = None
    """Float type of all its weights; None where something is quantized, and for the model's own folder."""
    parameters: int | None = None
    bases: tuple[ArtifactRef, ...] = ()
    """What it was made from, the model's own folder included."""
    record: ModelRecord | None = None
    """What the files of the model say of it."""
    runtime: tuple[str, ...] = ()
    """Packages that an engine needs, beside its own, to open it."""
    capability: tuple[int, int] | None = None
    """Compute capability from which on a CUDA device multiplies its weights; None where any does."""

    @cached_property
    def measured(self) -> Input:
        """It as what a measurement opens; all jobs of an artifact share this record."""
        return self.input("artifact")

    def input(self, role: Any, **more: Any) -> Input:
        """Give it as the input of a job."""
        provenance = dict(self.provenance)
        return Input(role=role, id=self.id, path=self.path, content=self.content, provenance=provenance, **more)
