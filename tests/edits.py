"""Files edited as accidents and people do, and what is held of whatever reads them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.core.errors import HarnessError

SECONDS = 10.0
ASKED = os.environ.get("ANY_BYTES_EXAMPLES")
"""Examples of each property, others each time; by default a dozen, the same each time."""
EXAMPLES = int(ASKED or "12")
ODD = [
    "", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!python/none ", "<<: ", "null", "~", "1e999", "-.inf", ".nan", "9" * 50, "0x1f", "2150-01-01",
    "'", '"', "|\n", "\t", "\x00", "\ufeff", "\u2028", "#", "---\n", "...", "%YAML 1.2\n", "\\", "../..", "/dev/zero", "NaN", "Infinity", "true", "-1",
]  # fmt: skip
Edit = tuple[str, int, int, str | bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "twice", "put", "swap", "end"]),
        st.integers(0, 1 << 20),
        st.integers(0, 300),
        st.one_of(st.sampled_from(ODD), st.text(max_size=8), st.binary(max_size=6)),
    ),
    max_size=6,
)
PROPERTY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=ASKED is None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def edited(content: bytes, edits: list[Edit]) -> bytes:
    """Edit a file as accidents and people do: cut, double, insert, swap, break off."""
    for what, place, length, new in edits:
        at = place % (len(content) + 1)
        part = content[at : at + length]
        rest = content[at + length :]
        raw = new if isinstance(new, bytes) else new.encode("utf-8", "surrogatepass")
        content = {
            "cut": content[:at] + rest,
            "twice": content[:at] + part + part + rest,
            "put": content[:at] + raw + content[at:],
            "swap": content[:at] + raw + rest,
            "end": content[:at],
        }[what]
    return content


def held(read: Callable[[], object], file: str = "", line: str = r":\d+") -> None:
    """Read, or be refused in words that name the file and a line of it; in either case soon."""
    begun, said = time.process_time(), "nothing"
    try:
        read()
    except HarnessError as error:
        said = str(error)
        assert not file or re.search(re.escape(file) + line, said), "a refusal names the file and the line"
    assert said.strip(), "a refusal has words"
    assert time.process_time() - begun < SECONDS
