"""The command line: each command parses, calls one function, prints. Exit codes: 0 all ok, 1 some job failed, 2 invalid input, or nothing can run."""

from __future__ import annotations

import gc
import os
import sys

import typer

from harness.cli import comparing, history, machine, measuring, night, pages, results
from harness.cli.app import app
from harness.core.errors import HarnessError
from harness.core.files import disk_trouble
from harness.core.spelling import RENAMED

INTERRUPTED = 130


GARBAGE = 100_000
"""New objects between two searches for garbage: nearly all that a command makes, it keeps to its end."""
__all__ = ["app", "comparing", "history", "machine", "main", "measuring", "night", "pages", "results"]


def main() -> None:
    """Run the command line; print what a person can act on in one line, keep the traceback of a bug."""
    _utf8()
    gc.set_threshold(GARBAGE)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _unread()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except OSError as error:
        code = _disk(error)
    except Exception as error:
        code = _usage(error)
    if code == INTERRUPTED:
        sys.stderr.write("interrupted; run the same command again to continue\n")
    sys.exit(code or 0)


def _unread() -> int:
    """Say nothing more where whoever read our output has gone, as `head` does; what a sweep had finished is kept."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _disk(error: OSError) -> int:
    """Show a full or closed disk in one line; any other trouble with a file is a bug and goes on."""
    trouble = disk_trouble(error)
    if trouble is None:
        raise error
    sys.stderr.write(f"{trouble}\n")
    return 2


def _usage(error: Exception) -> int:
    """Show a mistake in the words of the command line; anything else is a bug and goes on."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or code is None:
        raise error
    option = str(getattr(error, "option_name", ""))
    if option in RENAMED:
        sys.stderr.write(f"{option} is called {RENAMED[option]} now\n")
        return int(code)
    show()
    return int(code)


def _utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")  # a word of the command line may be no text
