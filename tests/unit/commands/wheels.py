"""Small wheels, and an environment that follows one."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from harness.plan.entries import EnvironmentEntry

INFO = "tonight-{}.dist-info"


def wheel(folder: Path, version: str = "0.45.0.dev0", inside: str = "", code: str = "x = 1\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tonight-{version}-py3-none-any.whl"
    files = {
        "tonight/__init__.py": code,
        f"{INFO.format(version)}/METADATA": f"Metadata-Version: 2.1\nName: tonight\nVersion: {inside or version}\n",
        f"{INFO.format(version)}/WHEEL": "Wheel-Version: 1.0\n",
    }
    return zipped(path, files, version)


def zipped(
    path: Path, files: dict[str, str], version: str = "0.45.0.dev0", record: dict[str, str] | None = None
) -> Path:
    """Write a wheel of files; record: what its RECORD says of other contents."""
    rows = [f"{name},sha256={hashed(text)},{len(text)}" for name, text in (files if record is None else record).items()]
    name = f"{INFO.format(version)}/RECORD"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, name: "\n".join([*rows, f"{name},,", ""])}.items():
            archive.writestr(member, text)
    return path


def hashed(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def entry(what: str) -> dict[str, EnvironmentEntry]:
    return {"nightly": EnvironmentEntry(on="cpu", wheel=what, refresh="each-run")}
