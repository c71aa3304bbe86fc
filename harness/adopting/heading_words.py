"""What one heading says: values of dimensions, and the words that are left of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.adopting.headings import (
    is_method,
    known_unit,
    names_method,
)
from harness.adopting.names import seen
from harness.lint.columns import meaning_of

_UNIT_BEHIND = re.compile(
    r"[\s,]*(?:[(\[][^()\[\]]*[)\]]|\s(?:tok(?:en)?s?|t)/s(?:ec)?|\s(?:ms|s|[KMGT]i?B|%))\s*[↑↓]?$", re.IGNORECASE
)


_BATCH = re.compile(r"\b(?:max )?(?:batch(?:[ _-]?size)?|bsz?)\s*[=:_-]?\s*(\d+)\b|^b\s*=?\s*(\d+)$", re.IGNORECASE)


_USERS = re.compile(r"\bconcurrency\s*[=:]?\s*(\d+)\b|\b(\d+)\s*(?:users|clients|concurrent)\b", re.IGNORECASE)


_BITS = re.compile(r"\d{1,2}(?:\.\d+)?[ -]?(?:bits?|bpw)", re.IGNORECASE)


_MODEL = re.compile(
    r"(?:[A-Za-z][\w.]*[ -](?:[\w.]+[ -])*)?(?:\d+x)?\d+(?:\.\d+)?[BbM](?:-[\w.]+)*(?: (?:chat|instruct|base))?",
    re.IGNORECASE,
)


_SIZE = re.compile(r"(?:\d+x)?\d+(?:\.\d+)?[BM]")
"""A heading below the family of a model."""


_VARIANT = re.compile(
    r"(?:g|gs|group)[ =_-]?\d+|\d+g|(?:per[- ]?)?(?:channel|tensor|token|group|block)(?:[- ]?wise)?|a?sym(?:metric)?|act[- ]?order|desc[_ ]act",
    re.IGNORECASE,
)
"""A heading below a method that says how it was done."""


_GPU = re.compile(
    r"(?:\d ?x ?)?(?:nvidia |geforce |apple |amd |intel |tesla |jetson |radeon )*(?:(?:rtx|gtx|rx|quadro)[ -]?\w+(?: (?:ti|xtx?|super|ada))?|[2-5]0[5-9]0(?:[ -]?ti|[ -]super)?"
    r"|[avh]1?00|h200|b200|gh200|l40s?|l4|t4|p100|p40|a10g?|a6000|a40|a30|mi\d{3}\w?|m[1-4](?: (?:pro|max|ultra))?|(?:agx |nano )?orin(?: nano)?)"
    r"(?:[ -](?:sxm\d?|pcie|nvl|\d+ ?gb?))*",
    re.IGNORECASE,
)


_ENGINE = re.compile(
    r"(?:v?llm|vllm|sglang|llama\.?cpp|tensorrt(?:-llm)?|trt-llm|tgi|exllama(?:v?2)?|mlc(?:[- ]llm)?|(?:hf |huggingface )?transformers|onnxruntime(?:-genai)?"
    r"|lmdeploy|openvino|ctranslate2|deepspeed(?:-mii)?|ollama|mlx|pytorch|torch|eager)(?: v?\d[\w.]*)?",
    re.IGNORECASE,
)


_PROMPT = re.compile(
    r"\b(?:context|ctx|prompt|input|isl|seq(?:uence)?)(?: (?:len(?:gth)?|size))?\s*[=:_-]?\s*(\d+)\b|\b(\d{3,6}) (?:tokens )?(?:context|ctx)\b",
    re.IGNORECASE,
)


_COUNTED = (("batch", _BATCH), ("concurrency", _USERS), ("prompt", _PROMPT))


_NAMES = (("gpu", _GPU), ("engine", _ENGINE), ("model", _MODEL))


_BESIDE = frozenset(
    {
        "baseline",
        "base",
        "original",
        "full",
        "full precision",
        "reference",
        "dense",
        "ours",
        "unquantized",
        "native",
        "default",
    }
)
"""Headings that name a method where those beside them do."""


_AFTER = frozenset(
    {
        "quantized",
        "quantised",
        "compressed",
        "optimized",
        "optimised",
        "quantized model",
        "original model",
        "baseline model",
        "before",
        "after",
        "quant",
    }
)
"""Further ones that do so before a unit."""


_NO_WORDS = " -\u2013\u2014:,@|/"


@dataclass(frozen=True)
class Axis:
    """A value of a dimension, as a heading says it."""

    dimension: str
    value: str


@dataclass(frozen=True)
class Said:
    """What one heading says: the dimensions that it is values of, and the words that are left, of what was measured."""

    axes: tuple[Axis, ...] = ()
    rest: str = ""


def said_by(heading: str) -> Said:
    """Find the dimensions that a heading is values of. heading: Markdown."""
    text = seen(heading)
    if meaning_of(text, ["1"]).kind == "derived":
        return Said((), text)
    core, unit = _without_unit(text)
    axes = list[Axis]()
    for dimension, pattern in _COUNTED:
        if found := pattern.search(core):
            axes.append(Axis(dimension, next(filter(None, found.groups()))))
            core = f"{core[: found.start()]} {core[found.end() :]}"
            core = re.sub(r"[(\[]\s*[)\]]", " ", core).strip(_NO_WORDS)
    core, again = _without_unit(core)
    named, core = _named(core)
    axes += named
    if is_method(core) or _BITS.fullmatch(core):
        axes, core = [*axes, Axis("method", core)], ""
    elif (parted := _method_among(core)) is not None:
        axes, core = [*axes, Axis("method", parted[0])], parted[1]
    whole = len(axes) == 1 and not core and not unit and not again
    return Said(
        (Axis(axes[0].dimension, heading),) if whole and not named_by_number(axes[0]) else tuple(axes),
        " ".join(filter(None, (core, again, unit))),
    )


def named_by_number(axis: Axis) -> bool:
    """Tell dimensions of counts, whose values are numbers and not the words around them."""
    return axis.dimension in {name for name, _ in _COUNTED}


def _without_unit(text: str) -> tuple[str, str]:
    """Part a heading from the unit that stands behind it."""
    unit = _UNIT_BEHIND.search(text)
    return (text[: unit.start()], unit[0].strip()) if unit is not None and known_unit(unit[0].strip()) else (text, "")


def _named(text: str) -> tuple[list[Axis], str]:
    """Take a GPU, an engine or a model off the beginning or the end of a heading."""
    words = text.split()
    for size in range(len(words), 0, -1):
        for part, other in ((words[:size], words[size:]), (words[-size:], words[:-size])):
            for dimension, pattern in _NAMES:
                if pattern.fullmatch(" ".join(part)) and not (dimension == "model" and names_method(" ".join(part))):
                    return [Axis(dimension, " ".join(part))], " ".join(other).strip(_NO_WORDS)
    return [], text


def _method_among(text: str) -> tuple[str, str] | None:
    """Part a heading as `FP16 latency` or `PPL (INT4)` into the method and what was measured."""
    words = text.split()
    at = [place for place, word in enumerate(words) if names_method(word)]
    if not at:
        return None
    first, last = at[0], at[-1] + 1
    while last < len(words) and words[last].casefold() in _BESIDE:
        last += 1
    value = " ".join(words[first:last]).strip(f"{_NO_WORDS}()[]")
    other = " ".join(words[:first] + words[last:]).strip(f"{_NO_WORDS}()[]")
    return (value, other) if value and other else None


def _is_method(said: Said) -> bool:
    return [axis.dimension for axis in said.axes] == ["method"] and not said.rest


def _plain_method(heading: str) -> tuple[str, str, str]:
    """Part a heading as `Baseline latency (ms)` into such a word, what was measured, and its unit; empty where it begins with none."""
    core, unit = _without_unit(seen(heading))
    if core.casefold() in _BESIDE | _AFTER:
        return core, "", unit
    first, _, rest = core.partition(" ")
    return (first, rest, unit) if first.casefold() in _BESIDE | _AFTER else ("", "", "")
