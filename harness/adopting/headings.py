"""What the words of a heading say: dimensions, metrics, units and methods, as pages of many projects call them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.adopting.names import seen, slug
from harness.core.metric import OWN, Direction
from harness.core.spec import WORKLOAD_NUMBERS
from harness.formats.units import a_word_in_brackets, factor, in_heading, is_compound, unit_name
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
    ("engine", r"\b(engine|backend|framework|runtime|serving)\b(?! (change|cost|time|saved|overhead)| ?[(\[](min|s|ms|h|sec)\b)"),
    ("batch", r"^(max )?batch([ _-]?size)?$|^bsz?$"),
    ("prompt", r"^(isl|prompt|input|context|ctx|n_ctx)$|\b(input|prompt|prefill|context|sequence|seq)\b.*\b(len|length|lengths|tokens|size)\b|^isl\b"),
    ("output", r"^(osl|output)$|\b(output|generated|gen|decode|new)\b.*\b(len|length|lengths|tokens)\b|^osl\b"),
    ("concurrency", r"\bconcurren(cy|t)\b|^conc\.?$|^(num )?(users|clients)$"),
    ("shots", r"^(n[ -]?)?shots?$"),
    ("task", r"\b(dataset|benchmark|task)s?\b"),
    ("method", r"quant(?!\w* (speed|time|cost|error|loss|runtime|duration|size))|\bmethod\b|precision|\bscheme\b|\bformat\b|\bd?type\b|\bvariant\b|\bconfig(uration)?\b|\balgorithm\b|\btechnique\b|\brecipe\b"),
)  # fmt: skip
_METHOD_WORD = re.compile(
    r"\b(fp|bf|tf|int|nf|mxfp|nvfp|w)\d{1,2}\w*|f(?:16|32)|\b(i?q\d\w*)|\b(awq|gptq|rtn|eetq|hqq|aqlm|quip#?|smoothquant|spqr|exl\d|gguf|bnb|marlin|ptq|qat"
    r"|bitsandbytes|llm\.int8)\b",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"\b(tok(en)?s?|t) ?/ ?s(ec(ond)?)?\b(?! ?/| per\b)|\btokens? per second\b(?! ?/| per\b)|\btps\b", re.IGNORECASE
)
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
_TIMES, _BYTES = ("s", "ms", "us", "ns", "min"), ("kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")
"""Units that tell times and sizes; a B alone may be of parameters."""
_STATISTIC = re.compile(r"\b(p\d\d(\.\d)?|median|min(imum)?|max(imum)?|std(dev)?)\b", re.IGNORECASE)
_DIRECTION = re.compile(
    r"[(\[]\s*(?:\w+ is better|[\u2191\u2193])\s*[)\]]|[,;]?\s*\w+ is better|[\u2191\u2193]", re.IGNORECASE
)
_QUALITY = frozenset({"%", "pp", "pts", "points", "nat", "nats", "bit", "bits", "dB"})
"""Units that a column of scores can have; any other word beside one tells what was asked."""
_NO_UNITS = frozenset(
    [
        "avg",
        "average",
        "mean",
        "median",
        "total",
        "all",
        "overall",
        "sum",
        "peak",
        "norm",
        "greedy",
        "strict",
        "flexible",
        "ours",
        "theirs",
        "mine",
        "new",
        "old",
        "fast",
        "slow",
        "other",
        "est",
        "approx",
        "theoretical",
        "measured",
        "optional",
        "test",
        "train",
        "val",
        "validation",
        "dev",
        "single",
        "multi",
        "cold",
        "warm",
        "chat",
        "instruct",
        "base",
        "lower",
        "higher",
        "better",
        "up",
        "down",
        "wiki",
        "wikitext",
        "per",
        "batched",
        "in",
        "out",
        "local",
        "global",
        "shared",
    ]
)
"""Words in brackets that say which, and not in what."""
_BETTER_IN: tuple[tuple[str, Direction], ...] = (
    (r"(?:[num]?s|min|h)(?:/.+)?|[umkM]?J(?:/.+)?|[mk]?Wh|[mk]?W|(?:[kMGT]i?)?B(?:/\w*tok\w*)?|[mk]?g|k?gCO2\w*|(?:US|CA|A)?[$\u20ac\u00a3\u00a5\u20b9].*|USD.*|EUR.*|cents.*", "lower"),
    (r"\w+/s(?:/.+| per .+)?|\w+/(?:[umkM]?J|[mk]?Wh?)|FPS|fps|IPS|[GTP]?FLOPS|[GT]OPS", "higher"),
)  # fmt: skip
"""Units that tell by themselves which way is better."""
_OF_UNIT = {"s": "latency", "J": "energy", "W": "power", "B": "size"}
"""What is measured in a unit, where no word says it."""
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
    if dimension == "method" and _are_bits(cells):
        return True
    bits = re.fullmatch(r"(weight )?(quant(i[sz]ation)?|precision|method|format|d?type)", name)
    values = [int(one.value) for cell in cells if (one := printed.read(cell))] if _whole(cells) else []
    return bool(values) and (
        (dimension == "gpu" and min(values) >= _LEAST_CARD)
        or (dimension == "method" and bool(bits) and max(values) <= _MOST_BITS)
    )


def _are_bits(cells: Sequence[str]) -> bool:
    """Tell numbers of bits, as `3.5 bpw`, which name a method."""
    said = [one for cell in cells if (one := printed.read(cell))]
    return bool(said) and all(one.unit in {"bpw", "bit", "bits"} for one in said)


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
    words = _DIRECTION.sub(" ", seen(title))
    rest = unit_and_rest(words)[1]
    name = slug(rest if re.search(r"\w", rest) else words, "value").replace("+", "_plus_")
    return f"{OWN}{re.sub(r'[._]+', '_', name).strip('_')}"


def unit_and_rest(words: str) -> tuple[str, str]:
    """Find the unit that a heading names, known or not, and what is left of the heading without it."""
    unit, rest = in_heading(words)
    kind = meaning_of(rest, ["1"]).kind
    if not unit and is_compound(words):
        return words.strip(), words
    if unit:
        fits = kind not in {"accuracy", "perplexity", "kl", "loss"} or unit in _QUALITY or "/" in unit
        return (unit, rest) if fits else ("", words)
    if kind in {"accuracy", "perplexity", "kl", "loss", "length", "batch", "derived"}:
        return "", words
    word, rest = a_word_in_brackets(words)
    names = len(word) < 2 or word in _NO_UNITS or names_method(word) or meaning_of(word, ["1"]).kind != "other"
    return ("", words) if names else (word, rest)


def unit_of(words: str, cells: Sequence[str]) -> str:
    """Take the unit that at least half of the numbers print, else the one that the heading names.

    Where a number prints none beside a heading that names one, it is in that; a plain zero is of any.
    """
    named = unit_name(unit_and_rest(words)[0]) or ("tok/s" if _RATE.search(words) else "")
    numbers = [one for cell in cells if (one := printed.read(cell)) is not None and (one.unit or one.value)]
    shown = Counter(one.unit for one in numbers if one.unit)
    if not shown or 2 * shown.total() < len(numbers) or (named and shown.total() < len(numbers)):
        return named
    most = shown.most_common(1)[0][0]
    return named if any(one.before for one in numbers) and named and printed.scale(most, named) == 1 else most


def known_unit(words: str) -> str:
    """Find the unit that words name; empty for one that nobody knows."""
    return in_heading(words)[0] or ("tok/s" if _RATE.search(words) else "")


def better_of(words: str, better: Direction | None) -> Direction | None:
    """Correct what words of a metric make of one that says how well two go together, as `PPL correlation`."""
    return "higher" if re.search(r"\bcor(?:r|relation)?\b", words, re.IGNORECASE) else better


def better_in(unit: str) -> Direction:
    """Say which way is better of numbers in a unit, where that alone tells it."""
    return next((better for pattern, better in _BETTER_IN if re.fullmatch(pattern, unit)), "none")


def metric_in(unit: str) -> str:
    """Name what is measured in a unit, of which no word says what it is."""
    head, slash, behind = unit.partition("/")
    name = next((name for base, name in _OF_UNIT.items() if factor(head, base) is not None and behind != "s"), "value")
    return f"{OWN}{name}{f'_per_{slug(behind)}' if slash and name != 'value' else ''}"


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
