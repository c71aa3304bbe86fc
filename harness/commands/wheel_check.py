"""Whether a wheel is what it says: its name, its metadata and its RECORD against what is in it. Source: PEP 427, PEP 376."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import zipfile
import zlib
from collections.abc import Sequence
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from packaging.tags import Tag, parse_tag, sys_tags

from harness.core.errors import HarnessError
from harness.core.paths import NoHome, placed

_CHUNK = 1 << 20
_TEXT_BYTES = 64 << 20
"""Most of what is read of a wheel's own notes."""
_HASHES = ("sha256", "sha384", "sha512")
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of a wheel's own that its RECORD cannot hash."""
_BROKEN = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    csv.Error,
)


def wheel_path(wheel: str, root: Path) -> Path:
    """Give the path that an environment's wheel says, where it is one. Raises: HarnessError naming the wheel."""
    try:
        return placed(wheel, root)
    except NoHome as error:
        raise HarnessError(f"wheel {error}") from None


def check_wheel(wheel: Path, taken: Sequence[Tag] = ()) -> None:
    """Hold a wheel's name, metadata and RECORD against what is in it, every file by its hash.

    taken: tags of the machine that it is for, newest first; this one where empty. Raises: HarnessError saying what contradicts what.
    """
    parts = wheel.name.removesuffix(".whl").split("-")
    if len(parts) not in {5, 6} or not wheel.name.endswith(".whl"):
        raise HarnessError(f"{wheel.name} is not named as a wheel is, NAME-VERSION-PYTHON-ABI-PLATFORM.whl")
    try:
        with zipfile.ZipFile(wheel) as archive:
            _check_inside(wheel.name, parts, archive)
    except _BROKEN as error:
        raise HarnessError(f"{wheel.name} is no wheel, or is damaged ({error})") from None
    where, taken = ("that machine's", taken) if taken else ("this machine's", tuple(sys_tags()))
    python, abi, machine = parts[-3:]
    if parse_tag("-".join(parts[-3:])).isdisjoint(taken):
        raise HarnessError(
            f"{wheel.name} is for {python} ({abi}) on {machine}, and {where} Python takes {taken[0]} or what is older; build one for it"
        )


def _check_inside(name: str, parts: Sequence[str], archive: zipfile.ZipFile) -> None:
    members = [one.filename for one in archive.infolist() if not one.is_dir()]
    _check_paths(name, members)
    folders = sorted({member.partition("/")[0] for member in members if re.match(r"[^/]+\.dist-info/", member)})
    if len(folders) != 1:
        raise HarnessError(
            f"{name} has {len(folders)} folders *.dist-info ({', '.join(folders)}), and a wheel has one; build it anew"
        )
    (info,) = folders
    lacks = [file for file in ("METADATA", "WHEEL", "RECORD") if f"{info}/{file}" not in members]
    if lacks:
        raise HarnessError(f"{name} lacks {info}/{lacks[0]}; build it anew")
    told = _headers(archive, f"{info}/METADATA")
    called = (told["Name"] or "", told["Version"] or "")
    noted = info.removesuffix(".dist-info").rsplit("-", 1)
    for said in (called, tuple(noted)):
        if [_plain(one) for one in said] != [_plain(one) for one in parts[:2]]:
            raise HarnessError(
                f"{name} says {parts[0]} {parts[1]} in its name and {' '.join(said)} inside; build it anew"
            )
    tags = _headers(archive, f"{info}/WHEEL").get_all("Tag") or []
    if tags and parse_tag("-".join(parts[-3:])).isdisjoint({tag for one in tags for tag in parse_tag(one.strip())}):
        raise HarnessError(
            f"{name} says {'-'.join(parts[-3:])} in its name and {tags[0].strip()} inside ({info}/WHEEL); build it anew"
        )
    _check_record(name, info, members, archive)


def _check_paths(name: str, members: Sequence[str]) -> None:
    """Refuse files that would lie elsewhere than in the package's folder, or twice in one place."""
    for member in members:
        path = PurePosixPath(member)
        if path.is_absolute() or ".." in path.parts or "\\" in member or re.match(r"[A-Za-z]:", member):
            raise HarnessError(
                f"{name} would write '{member}', outside of the folder that it is installed into; do not use it"
            )
    twice = (
        next((member for member in members if members.count(member) > 1), None)
        if len(set(members)) < len(members)
        else None
    )
    if twice is not None:
        raise HarnessError(f"{name} holds '{twice}' twice; build it anew")


def _headers(archive: zipfile.ZipFile, member: str) -> Message:
    return HeaderParser().parsestr(_text(archive, member))


def _text(archive: zipfile.ZipFile, member: str) -> str:
    with archive.open(member) as file:
        return file.read(_TEXT_BYTES).decode("utf-8", "replace")


def _check_record(name: str, info: str, members: Sequence[str], archive: zipfile.ZipFile) -> None:
    """Hold each file against its line of RECORD, which is what tells two wheels of one version apart once they are installed."""
    rows = [row for row in csv.reader(_text(archive, f"{info}/RECORD").splitlines()) if row]
    known = {row[0]: row[1] for row in rows if len(row) == 3}
    for path in known:
        if path not in members:
            raise HarnessError(f"{name}: its RECORD lists {path}, which is not in it; build it anew")
    for member in members:
        if member in {f"{info}/{file}" for file in _UNLISTED}:
            continue
        method, _, said = known.get(member, "").partition("=")
        if method not in _HASHES or not said:
            raise HarnessError(f"{name}: its RECORD has no hash of {member}; build it anew")
        if _hash(archive, member, method) != said.rstrip("="):
            raise HarnessError(f"{name}: {member} is not what its RECORD says; build it anew")


def _hash(archive: zipfile.ZipFile, member: str, method: str) -> str:
    found = hashlib.new(method)
    with archive.open(member) as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode()


def _plain(text: str) -> str:
    return re.sub(r"[-_.+]+", "-", text).lower()
