"""What the words of a heading say: dimensions, metrics, units and methods, as pages of many projects call them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.adopting.names import seen, slug
from harness.core.metric import OWN
from harness.core.spec import WORKLOAD_NUMBERS
from harness.lint.columns import meaning_of
from harness.lint.numbers import is_missing
from harness.tables import printed

_COUNTS = frozenset(WORKLOAD_NUMBERS) - {"request_rate"}
_LEAST_CARD, _MOST_BITS = 100, 32
"""Numbers from which on a GPU is called by one, and up to which a method is called by its bits."""
_NUMBERS = 0.6
"""Share of the cells that say something which must be numbers in a column of numbers."""
_HEADERS: tuple[tuple[str, str], ...] = (
    ("model", r"^(base |llm )?models?( name)?( id)?$|^llms?$|^network$|^checkpoint$"),
    ("gpu", r"^(gpu|gpus|gpu (model|type|name)|device|hardware|accelerator|card|platform)$"),
    ("engine", r"\b(engine|backend|framework|runtime|serving)\b"),
    ("batch", r"^(max )?batch([ _-]?size)?$|^bsz?$"),
    ("prompt", r"^(isl|prompt|input|context|ctx|n_ctx)$|\b(input|prompt|prefill|context|sequence|seq)\b.*\b(len|length|lengths|tokens|size)\b|^isl\b"),
    ("output", r"^(osl|output)$|\b(output|generated|gen|decode|new)\b.*\b(len|length|lengths|tokens)\b|^osl\b"),
    ("concurrency", r"\bconcurren(cy|t)\b|^(num )?(users|clients)$"),
    ("shots", r"^(n[ -]?)?shots?$"),
    ("task", r"\b(dataset|benchmark|task)s?\b"),
    ("method", r"quant|\bmethod\b|precision|\bscheme\b|\bformat\b|\bd?type\b|\bvariant\b|\bconfig(uration)?\b|\balgorithm\b|\btechnique\b|\brecipe\b"),
)  # fmt: skip
_METHOD_WORD = re.compile(
    r"\b(fp|bf|tf|int|nf|mxfp|nvfp|w)\d{1,2}\w*|f(?:16|32)|\b(i?q\d\w*)|\b(awq|gptq|rtn|eetq|hqq|aqlm|quip#?|smoothquant|spqr|exl\d|gguf|bnb|marlin|ptq|qat"
    r"|bitsandbytes|llm\.int8)\b",
    re.IGNORECASE,
)
_RATE = re.compile(r"\b(tok(en)?s?|t) ?/ ?s(ec(ond)?)?\b|\btokens? per second\b|\btps\b", re.IGNORECASE)
_METRICS: tuple[tuple[str, str, str], ...] = (
    ("perplexity", r"^(?!.*\b(loss|increase|degradation|drop|change|diff(erence)?|delta)\b).*(perplexity|\bppl\b)", ""),
    ("kl_divergence", r"\bkl[- ]?div|\bkld?\b", ""),
    ("ttft", r"\bttft\b|time[- ]to[- ]first[- ]token", "s"),
    ("tpot", r"\btpot\b|time per output token", "s"),
    ("itl", r"\bitl\b|inter[- ]token", "s"),
    ("request_throughput", r"request throughput|\breq(uest)?s? ?/ ?s", "rate"),
    ("total_tps", r"\btotal\b", "tokens"),
    ("output_tps", r"\boutput\b", "tokens"),
    ("prefill_tps", r"\bprefill\b|\bprompt\b|\bpp ?\d*\b|\binput\b|\bcontext\b|\bencode\b", "tokens"),
    ("decode_tps", r"", "tokens"),
    ("artifact_bytes", r"\b(model|file|disk|checkpoint) size\b|^size\b|\bon disk\b", "B"),
    ("peak_gpu_bytes", r"\bgpu mem|\bvram\b|\bpeak mem|\bmemory( usage| use|$| \()", "B"),
)  # fmt: skip
"""Metric, words of a heading, and what its unit must be of."""
_TIMES, _BYTES = ("s", "ms", "us", "min"), ("kB", "MB", "GB", "KiB", "MiB", "GiB")
"""Units that tell times and sizes; a B alone may be of parameters."""
_STATISTIC = re.compile(r"\b(p\d\d(\.\d)?|median|min(imum)?|max(imum)?|std(dev)?)\b", re.IGNORECASE)
_IN_HEADER = re.compile(
    r"[(\[]\s*(?P<unit>%|[A-Za-zµμ][A-Za-zµμ0-9]*(?:/[A-Za-z]+)?)\s*[)\]]|\bin (?P<word>ms|seconds|GB|MB|GiB|MiB)\b"
)
_NO_NAME = re.compile(
    r"[(\[]\s*(?:%|[\u00b5\u03bcA-Za-z]{1,4}|\w+/\w+|\w+ is better|[\u2191\u2193])\s*[)\]]|[\u2191\u2193]",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"\b(bits?|size|target|group|grpsz|beams?|threads?|ngl|layers|params?|gpus?|tp|pp|seed|rank|level|ratio of)\b|_",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"\bmem|\bsize\b|\bdisk\b|vram|\(", re.IGNORECASE)


def dimension_of(heading: str, kind: str, cells: Sequence[str]) -> str:
    """Tell a dimension by the words of a heading; counts must be whole numbers, names must not be numbers.

    kind: what the linter takes the column for. Empty where it is none.
    """
    name = seen(heading.partition("\\")[0]).casefold()
    for dimension, words in _HEADERS:
        if re.search(words, name):
            if dimension in _COUNTS:
                return dimension if _whole(cells) and kind in {"batch", "length", "other"} else ""
            return dimension if not is_numeric(cells) or _are_names(dimension, name, cells) else ""
    return ""


def _whole(cells: Sequence[str]) -> bool:
    counts = [printed.read(cell) for cell in cells if cell]
    return bool(counts) and all(one and one.value == int(one.value) and not one.unit for one in counts)


def _are_names(dimension: str, name: str, cells: Sequence[str]) -> bool:
    """Tell numbers that are names: models by their size (`7B`), cards by their number (`4090`), methods by their bits (`4`)."""
    if dimension == "model":
        return are_sizes(cells) or _whole(cells)
    bits = re.fullmatch(r"(weight )?(quant(i[sz]ation)?|precision|method|format|d?type)", name)
    values = [int(one.value) for cell in cells if (one := printed.read(cell))] if _whole(cells) else []
    return bool(values) and (
        (dimension == "gpu" and min(values) >= _LEAST_CARD)
        or (dimension == "method" and bool(bits) and max(values) <= _MOST_BITS)
    )


def are_sizes(cells: Sequence[str]) -> bool:
    """Tell numbers of parameters, as `7B` and `560M`, which say what was measured."""
    said = [printed.read(cell) for cell in cells if not is_missing(seen(cell))]
    return bool(said) and all(one and one.unit in {"B", "M"} for one in said)


def counted_dimension(heading: str) -> str:
    """Name the dimension of counts that a heading speaks of, as `Batch size`; empty where it is none."""
    name = heading.casefold()
    return next((dimension for dimension, words in _HEADERS if dimension in _COUNTS and re.search(words, name)), "")


def is_setting_in_thousands(heading: str, cells: Sequence[str]) -> bool:
    """Tell a count that is printed as `4K`: a setting, and nothing that was measured."""
    said = [one for cell in cells if (one := printed.read(cell))]
    return bool(counted_dimension(seen(heading))) and bool(said) and all(one.unit in {"k", "K"} for one in said)


def is_metric_heading(heading: str) -> bool:
    """Tell a heading of a column whose cells name what each row measures."""
    return bool(
        re.fullmatch(r"metrics?|measures?|measurements?|statistics?|quantity|indicator", seen(heading).casefold())
    )


def is_numeric(cells: Sequence[str]) -> bool:
    """Say whether most of the cells that say something are numbers."""
    present = [cell for cell in cells if not is_missing(seen(cell))]
    numbers = [cell for cell in present if printed.read(cell) is not None]
    return bool(numbers) and len(numbers) >= _NUMBERS * len(present)


def own_metric(title: str) -> str:
    """Make a metric's name of a heading, without the unit and the direction that it names."""
    name = slug(_NO_NAME.sub(" ", seen(title)), "value").replace("+", "_plus_")
    return f"{OWN}{re.sub(r'[._]+', '_', name).strip('_')}"


def unit_of(words: str, cells: Sequence[str]) -> str:
    """Take the unit that at least half of the numbers print, else the one that the heading names; a plain zero is of any."""
    numbers = [one for cell in cells if (one := printed.read(cell)) is not None and (one.unit or one.value)]
    shown = Counter(one.unit for one in numbers if one.unit)
    if shown and 2 * shown.total() >= len(numbers):
        return shown.most_common(1)[0][0]
    if _RATE.search(words):
        return "tok/s"
    found = [printed.unit_name(match["unit"] or match["word"]) for match in _IN_HEADER.finditer(words)]
    return next((unit for unit in found if unit in {*_TIMES, *_BYTES, "%"} or "/" in unit), "")


def metric_of(words: str, unit: str) -> str:
    """Name the metric that a heading speaks of; empty where it is none of those that are known, or its unit is not told."""
    for name, pattern, of in _METRICS:
        fits = {"": not unit, "s": unit in _TIMES, "B": unit in _BYTES, "rate": unit == "req/s",
                "tokens": unit == "tok/s"}[of]  # fmt: skip
        if fits and re.search(pattern, words, re.IGNORECASE):
            return name
    return ""


def is_method(heading: str) -> bool:
    """Tell a heading that names a method alone; MB behind it may be what built it."""
    kind = meaning_of(heading, ["1"]).kind
    alone = kind in {"other", "key"} or (kind == "memory" and not _MEMORY.search(heading))
    return names_method(heading) and alone and not _RATE.search(heading)


def names_method(text: str) -> bool:
    """Say whether a text has a word for a way to quantize in it."""
    return bool(_METHOD_WORD.search(text))


def is_statistic(words: str) -> bool:
    """Say whether a heading names a percentile or another statistic and no mean."""
    return bool(_STATISTIC.search(words))


def is_setting(words: str) -> bool:
    """Say whether a heading of numbers may say what was measured, as a group size."""
    return bool(_SETTING.search(words))
