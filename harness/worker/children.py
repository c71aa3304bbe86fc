"""Several builds in one worker: each is made by a process of its own, so that its peak of memory is its own and what it leaves behind ends with it.

On the CPU the worker imports a quantizer once, which is most of a small build, and lets a copy of itself make each artifact. What CUDA is in cannot
be copied: there each build is a worker that begins anew. One that dies takes the worker along in the same way: who reads our answers cannot tell.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from harness.core.clock import Spans
from harness.core.spec import BuildSpec, Job, MeasureSpec
from harness.worker import ALONE, JOB, LOG
from harness.worker.failures import logged, print_traceback
from harness.worker.inputs import quantizer_of

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG. Source: prctl(2)."""
_DRIVER = "libcuda.so"
"""Is loaded by the first call of CUDA, after which a copy of this process could no longer call it."""

How = Literal["here", "copied", "anew"]


def forks() -> bool:
    """Say whether this system lets a process go on as two that are alike and end together."""
    return hasattr(os, "fork") and sys.platform == "linux"


def how_made(folders: list[Path], spans: Spans) -> How:
    """Say how the jobs of run folders are done: several builds `copied`, by copies of this process, or `anew`, all others `here`.

    Imports the quantizer whose builds are copied; what fails here fails again in the copy, which has words for it.
    """
    specs = [_spec(folder) for folder in folders]
    builds = [spec for spec in specs if isinstance(spec, BuildSpec)]
    if len(specs) < 2 or len(builds) < len(specs):
        return "here"
    alike = {spec.quantizer for spec in builds} == {builds[0].quantizer}
    if not (forks() and alike and all(map(_is_on_cpu, builds))):
        return "anew"
    with suppress(Exception), logged(folders[0] / LOG), spans.span("import"):
        quantizer_of(builds[0])[0].imports()
    return "anew" if _is_in_cuda() else "copied"


def _is_on_cpu(spec: BuildSpec) -> bool:
    """Say whether a build's options keep it on the CPU; options that cannot be read do no harm."""
    with suppress(Exception):
        quantizer, options = quantizer_of(spec)
        return quantizer.calibrates_on(options) == "cpu"
    return True


def _is_in_cuda() -> bool:
    """Say whether the import has called CUDA."""
    with suppress(OSError):
        return _DRIVER in Path("/proc/self/maps").read_text("utf-8")
    return False


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
    _end_as(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def anew(environment: str, folder: Path) -> None:
    """Let a worker of its own do a run folder's job, and wait for it; ends as it ended where it did not come to its end.

    It speaks where we do, and ends with whoever reads us.
    """
    ours = str(Path(__file__).absolute().parents[2])
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH", ""))))
    words = [sys.executable, "-P", "-m", "harness.worker", environment, ALONE, str(folder)]
    _end_as(subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, check=False).returncode)


def _end_as(code: int) -> None:
    """End as a child did: by the signal that a negative code is, or with its code; go on where that is 0."""
    if code < 0:
        os.kill(os.getpid(), -code)
        os._exit(128 - code)
    if code:
        os._exit(code)


def _die_with(parent: int) -> None:
    """Ask the system to kill us when our parent ends, and end at once where it has ended already."""
    import ctypes

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(3)
