"""What other tools measured into run folders: their files (`harness.formats`), and tables that a person's map explains."""

from __future__ import annotations

from harness.formats import FORMATS as FILES

FORMATS = {**FILES, "markdown": "harness.importing.markdown:FORMAT"}
"""In the order in which formats are tried."""
