"""One import for several builds: the worker imports a quantizer once and lets a child of itself, a copy, make each artifact.

Importing is most of a small build. A child begins where the import ended, so that its peak of memory is its own, and whatever a build leaves
behind ends with it. A child that dies takes the worker along in the same way: who reads our answers cannot tell the two apart.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.core.clock import Spans
from harness.core.spec import BuildSpec, Job, MeasureSpec
from harness.worker import JOB, LOG
from harness.worker.failures import logged, print_traceback
from harness.worker.inputs import quantizer_of

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG. Source: prctl(2)."""


def forks() -> bool:
    """Say whether this system lets a process go on as two that are alike and end together."""
    return hasattr(os, "fork") and sys.platform == "linux"


def imported(folders: list[Path], spans: Spans) -> bool:
    """Say whether all of several run folders are builds of one quantizer, for each of which a child is made; import that quantizer here.

    What fails here fails again in the child, which has words for it.
    """
    specs = [_spec(folder) for folder in folders]
    first = specs[0] if len(specs) > 1 and forks() else None
    if not isinstance(first, BuildSpec):
        return False
    if not all(isinstance(spec, BuildSpec) and spec.quantizer == first.quantizer for spec in specs):
        return False
    with suppress(Exception), logged(folders[0] / LOG), spans.span("import"):
        quantizer, _ = quantizer_of(first)
        quantizer.imports()
    return True


def _spec(folder: Path) -> BuildSpec | MeasureSpec | None:
    with suppress(OSError, ValueError):
        return Job.model_validate_json((folder / JOB).read_text("utf-8")).spec
    return None


def in_child(work: Callable[[], object]) -> None:
    """Let a copy of this process do some work, and wait for it; ends as it ended where it did not come to its end."""
    mine = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_with(mine)
            work()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # as an uncaught error ends a process: with its words, on standard error
            print_traceback()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os.kill(mine, os.WTERMSIG(status))
        os._exit(128 + os.WTERMSIG(status))
    if os.WEXITSTATUS(status):
        os._exit(os.WEXITSTATUS(status))


def _die_with(parent: int) -> None:
    """Ask the system to kill us when our parent ends, and end at once where it has ended already."""
    import ctypes

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(3)
