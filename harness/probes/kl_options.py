"""What a KL-divergence is asked for with, and how many tokens that may be."""

from __future__ import annotations

from typing import Literal

from harness.probes.streams import StreamOptions
from harness.texts import HUB_TEXTS, from_hub, read


class DenseWorkload(StreamOptions):
    """What version 2 of `kl_divergence` was asked for with, whose stored references hold log-probabilities."""

    form: Literal["stored", "live", "auto"] = "auto"
    """stored: the reference is an artifact; live: both models run side by side; auto: as given."""
    truncate_vocabulary: bool = False
    """Where one model pads its vocabulary, compare the tokens that both have, each renormalised over them."""


class Workload(DenseWorkload):
    """Which positions are compared; windows of 4096 with stride 4096 are those of the published figures."""

    stores: Literal["float16", "float32", "logprobs"] = "float16"
    """What a stored reference keeps of a position: final hidden states in a float type, or all log-probabilities."""


HUB_LONGEST = 1 << 16
"""Tokens that no document of the pinned hub texts is longer than."""


def most_tokens(options: StreamOptions) -> int:
    """Bound the tokens that are read from above: a text has no more tokens than bytes, but for a few."""
    if from_hub(options.text, options.corpus):
        most = HUB_TEXTS[options.text].most_bytes + 2
        return most if options.tokens is None else min(most, options.tokens + HUB_LONGEST)
    text = read(options.text, options.corpus)
    sizes = [len(document.encode()) for document in text.documents]
    most = sum(sizes) + 2
    if options.tokens is None:
        return most
    return min(most, options.tokens + (max(sizes) if len(sizes) > 1 else 0))
