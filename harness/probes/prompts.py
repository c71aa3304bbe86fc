"""Prompts of exactly the length asked for: random token ids, or cut from a text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from harness.core.errors import HarnessError
from harness.core.sessions import TextCodec, TextSession
from harness.core.spec import Note
from harness.probes.speed import SEED


class Prompted(Protocol):
    """A workload whose prompts may be cut from a text."""

    @property
    def text(self) -> str | None: ...


def random_ids(codec: TextCodec, count: int) -> list[int]:
    """Draw token ids evenly from the vocabulary, BOS and EOS left out."""
    import numpy as np

    special = [token for token in (codec.bos, codec.eos, *codec.ends) if token is not None]
    ordinary = np.setdiff1d(np.arange(codec.vocabulary), special)
    return [int(token) for token in np.random.default_rng(SEED).choice(ordinary, count)]


def text_ids(session: TextSession, text: str, count: int) -> list[int]:
    """Cut token ids from a text, begun again where it is too short."""
    from harness.texts import read

    ids: list[int] = session.codec.encode(read(text).whole[: 64 * count])
    if not ids:
        raise HarnessError(f"text '{text}' is empty; name one with words in it")
    return (ids * (count // len(ids) + 1))[:count]


def text_notes(workload: Prompted) -> tuple[Note, ...]:
    """Say whether the text that prompts are cut from has changed."""
    from harness.texts import change_notes, read

    return change_notes(read(workload.text), workload.text) if workload.text else ()


def prompt_source(text: str | None) -> str:
    """Say what prompts are made of."""
    return f"text {Path(text).name}" if text else f"random token ids, seed {SEED}"


def contents(workload: Prompted) -> Mapping[str, Path]:
    """Name the text that prompts are cut from."""
    from harness.texts import text_files

    return text_files(workload.text) if workload.text else {}
