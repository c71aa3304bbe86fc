"""Tell a file's format and read it, without names of machines and people and without numbers that are none."""

from __future__ import annotations

from dataclasses import replace

from harness.core.errors import ConfigError
from harness.core.metric import impossible
from harness.core.registry import Registry, load
from harness.formats import FORMATS
from harness.formats.private import anonymous
from harness.formats.records import FileContents, FileFormat
from harness.formats.source import FileSource

NOT_AS_EXPECTED = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What a reader meets where another tool's file has something else in a place than that tool writes there."""


def format_of(source: FileSource, formats: Registry = FORMATS) -> FileFormat:
    """Tell a file's format by its shape; what a person's map explains is read as the map says. Raises: ConfigError naming those known."""
    if source.map is not None and "markdown" in formats:
        return load(formats, "format", "markdown")  # type: ignore[no-any-return]
    for name in formats:
        format_: FileFormat = load(formats, "format", name)
        if format_.recognizes(source):
            return format_
    raise source.wrong(f"is not a result file of a known format ({', '.join(formats)})")


def recognized(source: FileSource, name: str) -> FileFormat:
    """Give a format by name. Raises: ConfigError where the file has another shape."""
    format_: FileFormat = load(FORMATS, "format", name)
    try:
        fits = format_.recognizes(source)
    except NOT_AS_EXPECTED as error:
        raise other_layout(format_, source, error) from error
    if not fits:
        raise source.wrong(f"is not a file of {format_.title} ({name})")
    return format_


def read_contents(format_: FileFormat, source: FileSource) -> FileContents:
    """Read a file, without names of machines and people. Raises: ConfigError where it is not laid out as its format is."""
    try:
        return possible(anonymous(format_.read(source), source), source)
    except NOT_AS_EXPECTED as error:
        raise other_layout(format_, source, error) from error


def possible(contents: FileContents, source: FileSource) -> FileContents:
    """Leave out the numbers that no measurement can give, and say which."""
    runs = []
    for place, found in enumerate(contents.runs, 1):
        why = [number.comparison is None and impossible(number.metric, number.value) for number in found.numbers]
        for number, reason in zip(found.numbers, why, strict=True):
            if reason:
                source.lost[
                    f"{number.metric}{f' of {number.slice}' if number.slice else ''} in result {place}: {reason}"
                ] = None
        kept = tuple(number for number, reason in zip(found.numbers, why, strict=True) if not reason)
        runs.append(replace(found, numbers=kept))
    return replace(contents, runs=tuple(runs))


def other_layout(format_: FileFormat, source: FileSource, error: Exception) -> ConfigError:
    """Make the error of a file that is not laid out as its format is."""
    said = " ".join(str(error).split())[:160]
    return source.wrong(
        f"does not have the layout of {format_.title} ({type(error).__name__}: {said}); nothing was imported"
    )
