"""How large what people hand us may be. Generous: whoever meets one has made a mistake, or is no friend."""

from __future__ import annotations

YAML_BYTES = 8_000_000
"""A file that a person writes. Published results are no such file."""
READ_BYTES = 2_000_000_000
"""A result file or a page of others, and a file of published results."""
YAML_DEPTH = 60
"""Brackets or indents inside one another."""
YAML_PARTS = 300_000
"""Parts of a file once its aliases are written out."""
PUBLISHED_PARTS = 50_000_000
"""Parts of a file of published results, written out alike."""
DIGITS = 60
"""Digits of a number."""
JOBS = 100_000
"""Jobs of a sweep."""
BROUGHT_BYTES = 50_000_000_000
"""All files of one run, or of one tar, that `ingest` takes in."""
