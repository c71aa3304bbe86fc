"""A model's configuration as the installed transformers must have it, held against what config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.rope import TRANSLATED, as_version_4, hold_rope
from harness.core.spec import Note


def load_config(folder: Path, written: Mapping[str, Any]) -> tuple[Any, tuple[Note, ...]]:
    """Load a folder's configuration; one written by transformers 5 is translated for transformers 4, with a note.

    written: its config.json.
    Raises: Unsupported where transformers 4 cannot hold what it says, HarnessError where a key of the rotary embeddings
    does not arrive.
    """
    import transformers
    from transformers import AutoConfig

    translated = as_version_4(written) if int(transformers.__version__.partition(".")[0]) < 5 else dict(written)
    notes: tuple[Note, ...] = ()
    if translated == written:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    else:
        config = AutoConfig.for_model(translated.pop("model_type"), **translated)
        notes = (TRANSLATED,)
    hold_rope(written, config)
    return config, notes
