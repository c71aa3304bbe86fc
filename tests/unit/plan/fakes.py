"""Adapters that plan like real ones and run nothing: every kind of field, refusal and format that planning must meet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.core.errors import ConfigError
from harness.core.folder_formats import Format
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.seam import Built, Engine, Facts, Probe, ProbeResult, Quantizer
from harness.engines.ort_genai import ORT_GENAI
from harness.engines.transformers import HF
from harness.plan.adapters import Adapters

HERE = "tests.unit.plan.fakes"


class ExportOptions(Options):
    precision: Literal["fp32", "fp16", "int4"]
    provider: Literal["cpu", "cuda"] = "cpu"
    algo: str = "rtn"


class CalibratedOptions(Options):
    algo: Literal["awq", "rtn"]
    eps: tuple[str, ...] = ("cpu",)
    text: str | None = None
    block_size: int = 128


class RandomOptions(Options):
    config: dict[str, Any]
    seed: int = 0
    dtype: str = "float32"


class FreeOptions(Options):
    makes: Format = "ort-genai"
    takes: Format | None = None


class RunOptions(Options):
    provider: Literal["cpu", "cuda"] = "cpu"
    threads: int | None = None
    flags: tuple[str, ...] = ()


class TorchOptions(Options):
    dtype: Literal["float32", "float16"] = "float32"
    device: str = "cpu"


class SpeedWorkload(Options):
    batch: int = Field(default=1, ge=1)
    prompt: int = 128
    output: int = 128


class TextWorkload(Options):
    text: str = "t"
    tokens: int | None = None
    window: int = 1024


class CompareWorkload(TextWorkload):
    form: Literal["auto", "stored", "live"] = "auto"


def _build(*_args: Any) -> Built:
    raise NotImplementedError


def _open(*_args: Any) -> Any:
    raise NotImplementedError


def _measure(*_args: Any) -> ProbeResult:
    return ProbeResult((), Protocol(name="fake"))


def _no_fp16_on_cpu(options: ExportOptions, facts: Facts) -> str | None:
    return "no fp16 on cpu" if options.precision == "fp16" and options.provider == "cpu" else None


def _calibration(options: CalibratedOptions) -> Mapping[str, Path]:
    return {"calibration": Path(options.text)} if options.text else {}


def _text(workload: TextWorkload) -> Mapping[str, Path]:
    if workload.text == "t":
        return {}
    if not Path(workload.text).is_file():
        raise ConfigError(f"no text '{workload.text}'; give the path of a file")
    return {"text": Path(workload.text)}


def _needs_gpu(options: RunOptions, facts: Facts) -> str | None:
    return "no NVIDIA GPU here" if options.provider == "cuda" and not facts.gpus else None


EXPORT = Quantizer(
    "export", 1, ("hf",), "ort-genai", ExportOptions, ("exporter", "torch"), _build, _no_fp16_on_cpu,
    provider_field="provider",
)  # fmt: skip
CALIBRATED = Quantizer(
    "calibrated", 2, ("ort-genai",), "ort-genai", CalibratedOptions, ("calib",), _build, contents=_calibration,
    provider_field="eps", calibrates_on=lambda options: options.eps[0] if options.algo == "awq" else "cpu",
)  # fmt: skip
RANDOM = Quantizer("random-weights", 1, (), "hf", RandomOptions, ("torch",), _build)
FREE = Quantizer(
    "free", 1, ("hf", "ort-genai"), "ort-genai", FreeOptions, (), _build, consumes_field="takes", produces_field="makes"
)  # fmt: skip
SCRIPT = Quantizer("script", 1, ("hf",), "ort-genai", Options, (), _build)

RUNTIME = Engine(
    "runtime", 1, ("ort-genai",), frozenset({"generates", "scores"}), RunOptions, ("runtime",), _open, _needs_gpu,
    provider=lambda options: options.provider, title="Runtime", formats=(ORT_GENAI,),
)  # fmt: skip
TORCH = Engine(
    "torch", 1, ("hf",), frozenset({"generates", "scores"}), TorchOptions, ("torch",), _open,
    provider=lambda options: options.device, formats=(HF,),
)  # fmt: skip
TALKER = Engine("talker", 1, ("ort-genai",), frozenset({"generates"}), Options, (), _open)

SPEED = Probe(
    "speed", 1, "speed", (frozenset({"generates"}),), ("decode_tps",), SpeedWorkload, (), _measure, own_process=True,
    size=lambda workload: workload.batch * workload.prompt,
)  # fmt: skip
PERPLEXITY = Probe(
    "perplexity", 1, "quality", (frozenset({"scores"}),), ("perplexity",), TextWorkload, ("counter",), _measure,
    contents=_text,
)  # fmt: skip
COMPARE = Probe(
    "compare", 1, "quality", (frozenset({"scores"}),), ("kl_divergence",), CompareWorkload, (), _measure, contents=_text,
    reference="needed", scored_tokens=lambda workload: workload.tokens,
)  # fmt: skip
STORED = Probe(
    "kl_reference", 1, "reference", (frozenset({"scores"}),), (), TextWorkload, (), _measure, contents=_text
)  # fmt: skip


def adapters() -> Adapters:
    """Registries of the fakes alone."""
    return Adapters(
        quantizers={
            name: f"{HERE}:{attribute}"
            for name, attribute in (
                ("export", "EXPORT"), ("calibrated", "CALIBRATED"), ("random-weights", "RANDOM"), ("script", "SCRIPT"),
                ("free", "FREE"),
            )
        },
        engines={"runtime": f"{HERE}:RUNTIME", "torch": f"{HERE}:TORCH", "talker": f"{HERE}:TALKER"},
        probes={
            "speed": f"{HERE}:SPEED", "perplexity": f"{HERE}:PERPLEXITY", "compare": f"{HERE}:COMPARE",
            "kl_reference": f"{HERE}:STORED",
        },
    )  # fmt: skip
