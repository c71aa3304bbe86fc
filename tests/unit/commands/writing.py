"""Files of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def write(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
