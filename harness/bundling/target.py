"""Run a bundle where it was brought to: check its pieces, put its files in place, make its environments, run its stages, pack what came of them.

It travels beside the pieces, in the folder `script`, and run.sh starts it. Standard library alone, and nothing of the harness but the two
modules that travel with it: the rest is in the pieces.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import io
import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from harness.bundling.packing import RESULTS
from harness.bundling.records import FORMAT, PARTIAL, File, Manifest, Refused, read_manifest, sha256_of
from harness.bundling.stages import run_stages, say, version_of, write_beside

CONTENT = "content"
MARK = "bundle-work"
"""File that says that a folder is one in which this script works."""
_OLDER = "harness/bundling/target.py"
"""Stands in the content of bundles whose scripts wrote no mark yet."""
_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_SHUT = {errno.EACCES, errno.EROFS, errno.EPERM, errno.EEXIST, errno.ENOTDIR}


def main(words: Sequence[str]) -> int:
    """Run a bundle. words: its folder, and what was asked of run.sh. Returns 0 all ok, 1 some job failed, 2 it cannot run."""
    here, words = Path(words[0]).resolve(), words[1:]
    asked = _asked(words, here)
    try:
        manifest = read_manifest(here)
        check_scripts(here, manifest)
        check_machine(manifest)
        for option, folder in (("--work", asked.work), ("--out", asked.out)):
            _check_place(option, folder)
        with _alone(asked.work):
            content = asked.work / CONTENT
            _refuse_foreign(asked.work)
            if asked.check:
                check_pieces(here, manifest)
                say("all pieces are whole, and this machine can take them")
                return 0
            put_in_place(here, manifest, content)
            return run_stages(manifest, asked, content)
    except Refused as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        said = _disk(error, asked)
        if not said:
            raise
        sys.stderr.write(f"{said}; then the same command goes on\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    return 2


def _disk(error: OSError, asked: argparse.Namespace) -> str:
    """Say what is wrong with a disk and what to do; empty for an error about something else."""
    place = error.filename or asked.work
    if error.errno in _FULL:
        return f"the disk is full ({place}): free some space, or name another folder with --work"
    if error.errno in _SHUT:
        return f"no access to {place} ({error.strerror}): name folders that you may write with --work and --out"
    return ""


def _asked(words: Sequence[str], here: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.sh", description="Run the sweeps of this bundle without a network.")
    parser.add_argument("--work", type=Path, default=here / "work", help="folder for files, environments and results")
    parser.add_argument(
        "--out", type=Path, default=here / "out", help="folder for what is taken back: a tar of each stage"
    )
    parser.add_argument("--stage", help="run this stage alone, by its number or name")
    parser.add_argument("--rerun", action="store_true", help="also stages that are done")
    parser.add_argument("--check", action="store_true", help="check pieces and machine, and run nothing")
    asked = parser.parse_args(list(words))
    asked.work, asked.out = asked.work.resolve(), asked.out.resolve()
    return asked


def _check_place(option: str, folder: Path) -> None:
    """Find out before hours of work that a folder cannot be made or written. Raises: Refused."""
    above = next(one for one in (folder, *folder.parents) if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise Refused(f"{folder} cannot be written: name a folder that you may write with {option} DIR")


def _refuse_foreign(work: Path) -> None:
    """Keep away from what somebody else has put where our own would stand: it would be replaced. Raises: Refused."""
    ours = (work / MARK).is_file() or (work / CONTENT / _OLDER).is_file()
    names = (CONTENT, f"{CONTENT}{PARTIAL}", RESULTS, "env-*/")
    there = [] if ours else [path for name in names for path in sorted(work.glob(name)) if not _is_empty(path)]
    if there:
        raise Refused(
            f"{there[0]} is there and not from this script, which would replace it: name another folder with --work"
        )


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


class _alone:  # noqa: N801 - it is used as a function
    """Let one command at a time work in a folder; who dies lets go of it. Raises: Refused."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._file = open(work / "lock", "a", encoding="utf-8")  # noqa: SIM115 - held until the end

    def __enter__(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"another run.sh works in {Path(self._file.name).parent}; wait for it, or end it") from None

    def __exit__(self, *_: object) -> None:
        self._file.close()


# ---------------------------------------------------------------- checks


def check_scripts(here: Path, manifest: Manifest) -> None:
    """Hold this script against what was bundled. Raises: Refused."""
    wrong = [one.path for one in manifest.scripts if sha256_of(here / one.path) != one.sha256]
    if wrong:
        raise Refused(f"{', '.join(wrong)} of this bundle was changed or is missing: copy it again")


def check_machine(manifest: Manifest) -> None:
    """Hold this machine against what the bundle is for, before anything is written. Raises: Refused."""
    said = tuple(int(part) for part in manifest.python.split("."))
    here = sys.version_info[: len(said)]
    if here != said if manifest.exact else here < said:
        more = "" if manifest.exact else " or newer"
        raise Refused(
            f"this bundle needs Python {manifest.python}{more}; this is {platform.python_version()} ({sys.executable}). "
            f"Name another: PYTHON=/path/to/python{manifest.python} sh run.sh"
        )
    if sys.platform != "linux" or platform.machine() != manifest.machine:
        raise Refused(f"this bundle is for Linux on {manifest.machine}; this is {sys.platform} on {platform.machine()}")
    library, version = platform.libc_ver()
    if manifest.glibc and (library != "glibc" or _numbers(version) < _numbers(manifest.glibc)):
        raise Refused(
            f"this bundle needs glibc {manifest.glibc} or newer; this system has {library or 'no glibc'} {version}".rstrip()
        )
    lacking = [name for name in manifest.has if version_of(name) is None]
    if lacking:
        raise Refused(
            f"this bundle leaves to the machine what it should have, and {sys.executable} lacks {', '.join(lacking)}: "
            "name a Python that has it with PYTHON=..., or make the bundle without --has"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def check_pieces(here: Path, manifest: Manifest) -> None:
    """Hash every piece. Raises: Refused naming all that are missing or changed."""
    wrong = [said for piece in manifest.pieces if (said := _wrong(here / piece.path, piece))]
    if wrong:
        raise Refused("\n".join([*wrong, "copy these again; nothing was run"]))


def _wrong(path: Path, wanted: File) -> str:
    if not path.is_file():
        return f"{wanted.path} is missing"
    size = path.stat().st_size
    if size != wanted.bytes:
        return f"{wanted.path} has {size:,} bytes and should have {wanted.bytes:,}"
    return (
        "" if sha256_of(path) == wanted.sha256 else f"{wanted.path} is not what was bundled: its sha256 is another one"
    )


# ---------------------------------------------------------------- files


def put_in_place(here: Path, manifest: Manifest, content: Path) -> None:
    """Fill the content's folder whole or not at all, every file held against its hash; what stands there whole is kept.

    Raises: Refused where a piece is missing or changed, or the disk has no room.
    """
    if content.is_dir():
        changed = [one.path for one in manifest.files if _wrong(content / one.path, one)]
        if not changed:
            return
        say(
            f"{content}: {len(changed)} files are not those of this bundle, as {changed[0]}; putting them in place anew"
        )
    check_pieces(here, manifest)
    write_beside(content.with_name(MARK), f"{FORMAT}\n")
    partial = content.with_name(f"{content.name}{PARTIAL}")
    for old in (partial, content):
        if old.exists():
            shutil.rmtree(old)
    free = shutil.disk_usage(content.parent).free
    if free < manifest.bytes:
        raise Refused(
            f"{content.parent} has {free:,} bytes free, and {manifest.bytes:,} are needed: free some space, or name another folder with --work"
        )
    say(f"putting {len(manifest.files)} files, {manifest.bytes / 1e6:,.0f} MB, into {content}")
    with closing(_Stream([here / piece.path for piece in manifest.pieces])) as stream:
        for one in manifest.files:
            _write(stream, partial / one.path, one)
    os.replace(partial, content)


def _write(stream: _Stream, path: Path, wanted: File) -> None:
    state, left = hashlib.sha256(), wanted.bytes
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        while left and (chunk := stream.read(min(_CHUNK, left))):
            file.write(chunk)
            state.update(chunk)
            left -= len(chunk)
    if left or state.hexdigest() != wanted.sha256:
        raise Refused(f"{wanted.path} in the pieces is not what was bundled: copy all pieces again")


class _Stream:
    """Pieces, read as one stream."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._left = list(paths)
        self._file: BinaryIO = io.BytesIO()

    def close(self) -> None:
        """Close the piece that is open."""
        self._file.close()

    def read(self, count: int) -> bytes:
        """Read up to so many bytes; none where the last piece ends."""
        while True:
            chunk = self._file.read(count)
            if chunk or not self._left:
                return chunk
            self._file.close()
            self._file = open(self._left.pop(0), "rb")  # noqa: SIM115 - closed by the next one, or by close
