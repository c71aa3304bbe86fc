"""What a column means, guessed from the words of its header and from its cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.lint.numbers import is_missing, number

ColumnKind = Literal[
    "key", "batch", "length", "derived", "latency", "throughput", "memory", "energy", "loss", "perplexity", "kl",
    "accuracy", "other",
]  # fmt: skip
Better = Literal["lower", "higher"]

ITSELF = frozenset({"baseline", "base", "ref", "reference", "(baseline)"})
"""What a baseline row may have in place of a comparison to itself."""
NUMERIC = 0.6
"""Share of a column's cells that must be numbers for the column to hold measurements."""

DERIVED = re.compile(
    r"speed[- ]?up|improvement|saving|reduction|\bgain|\bratio\b|overhead|degradation|\bdrop\b|\bdelta\b|Δ"
    r"|\b(recovery|retention|change|increase)\b|relative (loss|change)"
    r"|\bcompression\b(?!.*\b(time|speed|method)\b)|\bdiff(erence)?\b|\bfaster\b|\bslower\b|\b(vs|v\.s)\.? |compared (to|with)|relative to"
    r"|(mmlu|accuracy|score)\b.*\bloss",
    re.IGNORECASE,
)
WORDS: tuple[tuple[ColumnKind, str], ...] = (
    ("throughput", r"throughput|\b\w+ ?/ ?s(ec(ond)?)?\b|\bper second\b|\btps\b|\bqps\b|\bips\b"),
    (
        "latency",
        r"latency|\bttft\b|\btpot\b|\bitl\b|duration|elapsed|\btime\b|\b(ns|[uµμ]s|ms|msec|usec)\b|\((s|sec|seconds)\)",
    ),
    ("batch", r"\bbatch(es)?\b|\bbatch ?size|\bbsz?\b"),
    (
        "length",
        (
            r"prompt|\b[io]sl\b|\b(generated|gen|new|decode|completion) tokens\b|tokens generated|\b(input|output|seq\w*|context|max)\b.*\b(len\w*|tokens?)\b|\bsteps\b|\bshots?\b|concurrency|\bthreads\b|\b(hidden|vocab\w*|intermediate) size\b"
            r"|\b(block|group|chunk|beam|num)[- ]?\w*\b|\bgpus?\b(?!.*mem)|\btp\b|\bpp\b(?!-\d)|^\s*[a-z]\s*$"
        ),
    ),
    ("memory", r"memory|\bmem\b|\bv?ram\b|\bsize\b|\bdisk\b|\bfootprint\b"),
    ("energy", r"\bpower\b|\benergy\b"),
    ("kl", r"\bkl\b|\bkld\b|divergence"),
    ("perplexity", r"perplexity|\bppl\b"),
    ("loss", r"\bloss\b"),
    ("accuracy", r"accuracy|\bmmlu\b|\bscore\b|\bacc\b"),
    ("memory", r"\b[kmgt]i?b\b"),
    ("throughput", r"\bspeed\b(?!.*[(\[/,])"),
)
KINDS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in WORDS)
BETTER: dict[ColumnKind, Better] = {
    "latency": "lower", "memory": "lower", "energy": "lower", "loss": "lower", "perplexity": "lower", "kl": "lower",
    "throughput": "higher", "accuracy": "higher",
}  # fmt: skip
GAIN = re.compile(r"speed[- ]?up|\bcompression\b|improvement|saving|\bgain|\bfaster\b", re.IGNORECASE)
COST = re.compile(r"\bloss\b|degradation|overhead|\bdrop\b|\bslower\b", re.IGNORECASE)
COMPRESSION = re.compile(r"\bcompression\b", re.IGNORECASE)
RELATIVE_SPEED = re.compile(r"\bspeed\b", re.IGNORECASE)
"""A speed whose cells are all `1.5x` is a speed-up."""
DIVERGENCE = re.compile(r"\b(kld?|fvd|fid|lpips|ssim|psnr)\b|divergence|Δ ?p\b", re.IGNORECASE)
"""What is measured against a reference by its nature; `KL vs FP16` compares nothing further."""
DIFFERENCE = re.compile(
    r"\b(delta|diff(erence)?|drop|loss|degradation|change|increase|recovery|retention)\b|Δ|[(\[](ms|s|[kmgt]i?b|pp|pts|points)[)\]]",
    re.IGNORECASE,
)
"""Headers of what may be of any quantity, and where a number without a suffix is rather a difference than a ratio."""
RATIO = re.compile(r"speed[- ]?up|\bratio\b|\bcompression\b|\bfaster\b|\bslower\b", re.IGNORECASE)
"""Headers under which a number without a suffix and sign is a ratio."""
ASPECT = re.compile(
    r"\b(prefill|prompt|pp ?\d*|decode|generation|tg ?\d*|ttft|tpot|itl|e2e|input|output|p\d\d|peak|weights?|kv|size"
    r"|wiki\w*|c4|ptb|mmlu\w*|gsm-?8k|arc\w*|hellaswag|winogrande|boolq|piqa|truthfulqa|humaneval|math|ifeval|gpqa)\b"
)
"""What tells two metrics of one kind apart, as two phases, percentiles or benchmarks; for lower case."""
UNIT_OF: dict[ColumnKind, re.Pattern[str]] = {
    "latency": re.compile(
        r"\b(ns|[uµμ]s|ms|sec|secs|seconds?|milliseconds?|microseconds?|minutes?|hours?)\b|[(\[/, ](s|min|h)([)\], /]|$)",
        re.IGNORECASE,
    ),
    "throughput": re.compile(
        r"\w ?/ ?(s|sec|second|min|h|iter)\b|per[- ](sec|second|minute|hour)|\bt[pk]?s\b|\bqps\b|\bips\b", re.IGNORECASE
    ),
    "memory": re.compile(r"\b[kmgt]?i?b\b|\b(kilo|mega|giga)?bytes?\b|%", re.IGNORECASE),
    "energy": re.compile(r"\b(k?w|k?j|watts?|joules?|k?wh)\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Meaning:
    """What a column holds; `of` is the kind a derived column compares where its header says so."""

    kind: ColumnKind
    better: Better | None = None
    of: ColumnKind | None = None


def meaning_of(header: str, texts: Sequence[str]) -> Meaning:
    """Guess what a column means: text is a key, numbers are what the header's words say."""
    header = header.replace("_", " ")
    if not _numeric(texts):
        return Meaning("key")
    relative = RELATIVE_SPEED.search(header) and all(
        one.suffix == "x" for text in texts if (one := number(text)) is not None
    )
    if (relative or DERIVED.search(header)) and not (DIVERGENCE.search(header) and not GAIN.search(header)):
        better: Better | None = "higher" if GAIN.search(header) else "lower" if COST.search(header) else None
        return Meaning("derived", _said(header) or better, _measured(header))
    kind: ColumnKind = next((kind for kind, words in KINDS if words.search(header)), "other")
    return Meaning(kind, _said(header) or BETTER.get(kind))


def _numeric(texts: Sequence[str]) -> bool:
    present = [text for text in texts if not is_missing(text) and text.strip().lower() not in ITSELF]
    return bool(present) and sum(number(text) is not None for text in present) >= NUMERIC * len(present)


def _said(header: str) -> Better | None:
    found = re.search(r"\b(lower|smaller|less|higher|larger|more) is better|([↓↑])", header, re.IGNORECASE)
    if found is None:
        return None
    return "lower" if (found[1] or "").lower() in {"lower", "smaller", "less"} or found[2] == "↓" else "higher"


def _measured(header: str) -> ColumnKind | None:
    if COMPRESSION.search(header):
        return "memory"
    skip = {"batch", "length", "loss"}
    return next((kind for kind, words in KINDS if kind not in skip and words.search(header)), None)


def has_unit(kind: ColumnKind, header: str, suffixes: Sequence[str]) -> bool:
    """Tell whether a measured column names its unit in the header or in every cell; kinds without units do."""
    words = UNIT_OF.get(kind)
    return words is None or bool(words.search(header.replace("_", " "))) or (bool(suffixes) and all(suffixes))


def seconds_per_unit(header: str, suffix: str) -> float | None:
    """Give the size of a latency's unit in seconds, or None where it is not named."""
    scale = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0}
    if suffix in scale:
        return scale[suffix]
    found = re.search(
        r"[(\[, ](ns|[uµμ]s|ms|s|sec|seconds)[)\], ]|\b(ms)\b", f"{header} ".replace("_", " "), re.IGNORECASE
    )
    return scale[(found[1] or found[2]).lower()] if found else None
