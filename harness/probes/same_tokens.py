"""Whether a candidate reads a text as its reference does: only then are its distributions those of the same tokens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.sessions import TextCodec
from harness.probes.streams import Stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_REMEDY = "compare models that share a tokenizer"


def texts_sha256(codec: TextCodec, ids: Ints) -> str:
    """Hash the texts of the tokens that occur among ids int64 [tokens], once each; entries that do not, as padding, have no part in it."""
    import numpy as np

    found = hashlib.sha256()
    for token in np.unique(ids).tolist():
        found.update(codec.decode([token], special=True).encode(errors="replace") + b"\0")
    return found.hexdigest()


def refuse_other(own: Stream, codec: TextCodec, ids: Ints, texts: str) -> None:
    """Hold what a candidate reads with its tokenizer against its reference's token ids int64 [tokens] and the hash of their texts, if any.

    Raises: HarnessError naming what differs.
    """
    import numpy as np

    both = min(len(own.ids), len(ids))
    apart = np.flatnonzero(own.ids[:both] != ids[:both])
    if len(apart):
        place = int(apart[0])
        raise HarnessError(
            f"the candidate has another tokenizer than the reference: token {place:,} of the text is {own.ids[place]} for it "
            f"and {ids[place]} for the reference; {_REMEDY}"
        )
    if len(own.ids) != len(ids):
        raise HarnessError(
            f"the candidate has another tokenizer than the reference: the text has {len(own.ids):,} tokens for it and "
            f"{len(ids):,} for the reference; {_REMEDY}"
        )
    if texts and texts_sha256(codec, ids) != texts:
        raise HarnessError(
            f"the candidate has another tokenizer than the reference: the same ids stand for other texts; {_REMEDY}"
        )
