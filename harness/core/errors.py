"""The error tree. A `HarnessError` is something a person can act on; everything else is a bug."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_ALLOCATION_FAILED = (
    "CUDA out of memory", "CUDA failure 2: out of memory", "Failed to allocate memory for requested buffer", "cudaErrorMemoryAllocation",
    "std::bad_alloc", "bad allocation",
)  # fmt: skip
"""What torch, ONNX Runtime and CUDA say of an allocation that failed."""


class HarnessError(Exception):
    """Something was wrong that a person can put right; the message says what, where and how."""


class ConfigError(HarnessError):
    """A file that a person wrote is wrong; `problems` holds every mistake found in one reading."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = [Problem(problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Busy(HarnessError):
    """Another process holds the database for writing; what was to be written can be written later."""


class MissingDependency(HarnessError):
    """A package or environment is not there; the message names the one to make."""


class Unsupported(HarnessError):
    """This combination cannot run here; found while planning, becomes an outcome with its reason."""


class Differs(HarnessError):
    """A float export is not its model; `protocol` holds what was measured and what was allowed."""

    def __init__(self, message: str, protocol: Any) -> None:
        self.protocol = protocol
        super().__init__(message)


class Trouble(SystemExit):
    """Ends the command with exit code 2 and its reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(2)
        self.reason = reason
        sys.stderr.write(f"{reason}\n")

    def __str__(self) -> str:
        return self.reason


class Problem:
    """One mistake in a file: `path:line: message`, or the message alone where there is no file."""

    def __init__(self, message: str, path: Path | str | None = None, line: int | None = None) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.line = line

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message

    def __repr__(self) -> str:
        return f"Problem({str(self)!r})"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error is a failed allocation, of Python, torch, ONNX Runtime or CUDA, also inside our own words."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or any(mark in str(error) for mark in _ALLOCATION_FAILED)
