"""What a KL-divergence is asked for with."""

from __future__ import annotations

from typing import Literal

from harness.probes.streams import StreamOptions


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
