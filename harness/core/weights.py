"""What a model's weight files hold beside what is read, and values that no model can have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from harness.core.errors import HarnessError
from harness.core.spec import Note


def weights_unread(names: Iterable[str], model: str) -> tuple[Note, ...]:
    """Say which tensors of the files no module of the model took."""
    unread = sorted(names)
    if not unread:
        return ()
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    text = (
        f"{model} does not read {unread[0]}{more} of the weight files; the numbers are those of the model without them"
    )
    return (Note(code="weights-unread", text=text),)


@contextlib.contextmanager
def watched_loading() -> Iterator[list[str]]:
    """Watch how transformers loads models; the list grows by the tensors of the files that no module takes.

    Raises: HarnessError where the files lack a weight, which transformers would make up.
    """
    from transformers import PreTrainedModel

    before = vars(PreTrainedModel)["from_pretrained"]
    unread: list[str] = []

    def from_pretrained(cls: Any, *given: Any, **named: Any) -> Any:
        asked = named.pop("output_loading_info", False)
        model, found = before.__func__(cls, *given, output_loading_info=True, **named)
        absent = sorted(found["missing_keys"]) + sorted(str(item) for item in found["mismatched_keys"])
        if absent:
            raise HarnessError(
                f"the weight files lack what the configuration asks for, as {absent[0]}; copy or build the model again"
            )
        unread.extend(found["unexpected_keys"])
        return (model, found) if asked else model

    PreTrainedModel.from_pretrained = classmethod(from_pretrained)
    try:
        yield unread
    finally:
        PreTrainedModel.from_pretrained = before
