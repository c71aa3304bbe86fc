"""Beyond which length a graph's rotary embeddings are others, read from its file."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

_SWITCH = re.compile(
    rb"/model/constants/INT(?:64|32)/(\d+)\x12.{1,2}/model/(?:rope_caches_subgraph/Greater|pos_ids_reformat/GreaterOrEqual)/",
    re.DOTALL,
)


def rotary_border(graph: Path) -> int | None:
    """Read from a graph of the GenAI builder beyond which length its rotary embeddings are others; None where never.

    The builder compares the length of the attention mask (or the largest position) with a constant that has its value in
    its name; the file is searched for that node, since this environment may have no `onnx`.
    """
    if graph.stat().st_size == 0:  # what is empty cannot be mapped; whoever opens the graph says what is wrong with it
        return None
    with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = _SWITCH.search(content)
        return int(found[1]) if found else None
