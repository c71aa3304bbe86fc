"""An old table, and a new rendering that it is held against."""

from __future__ import annotations

from harness.tables.markdown import Rendered
from harness.tables.result import Table

OLD = """\
| Model | Method | Decode | Speed-up |
| :--- | :--- | ---: | ---: |
| [Llama](https://example.org) | FP16 | 1,000 ± 3 | 1.00x |
|  | INT4 | **2,000** | 2.00x |
| Phi | FP16 | oom <sup>1</sup> | - |
|  | INT4 | 90 | 0.0% |

- <sup>1</sup> killed
"""


def rendered(markdown: str, keys: int = 2, name: str = "t") -> Rendered:
    return Rendered(name, markdown, Table(name, "", "table", (), (), ()), keys=keys)
