"""TensorRT-LLM by its own `trtllm-bench`: it makes the requests, the program runs them, and its report is read as `import` reads it.

Nothing is worked out that the report does not say. Tensor and pipeline parallelism, requests, type and quantization that it says are held
against what was asked for, so that a checkpoint that runs as something else is never a row of the table.
Command line: NVIDIA/TensorRT-LLM, tensorrt_llm/commands/bench.py at 0c9a37db, bench/benchmark/throughput.py and low_latency.py at 000a01de.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from harness import programs
from harness.core.errors import HarnessError
from harness.core.executed import Executed
from harness.core.options import Options, told
from harness.core.reports import FixedWork, Reported, Reports
from harness.core.seam import Engine, Facts, MetricValue
from harness.core.simulated_layers import STATE
from harness.core.spec import Note
from harness.engines.reporting import read_report
from harness.engines.tensorrt_requests import SEED, write_requests
from harness.process_memory import GpuMemory, MemorySampler

PROGRAM = "trtllm-bench"
_REPORT, _PRINTED, _REQUESTS, _SETTINGS = "report.json", "printed.txt", "requests.jsonl", "llm_api_options.json"
_POLL_SECONDS = 0.1
_SAME_TYPE = {"BF16": "bfloat16", "FP16": "float16", "half": "float16"}


class TensorRtLlmOptions(Options):
    """How `trtllm-bench` runs the model. Repetitions of a workload are requests here, at least one batch of them."""

    mode: Literal["throughput", "latency"] = "throughput"
    """`latency` runs one request after the other, so batch 1 alone; `throughput` up to a batch of them at a time."""
    tp: int = Field(default=1, ge=1)
    """GPUs that share each layer (tensor parallelism)."""
    pp: int = Field(default=1, ge=1)
    """Groups of GPUs that have layers one after the other (pipeline parallelism); GPUs used are tp x pp."""
    dtype: Literal["auto", "bfloat16", "float16"] = "auto"
    """Type of a model's own folder; a report of another type is refused. `auto` leaves it to the checkpoint."""
    backend: Literal["pytorch", "_autodeploy"] = "pytorch"
    """The program's own; engines that are built before are not opened."""
    model: str = ""
    """The model's name on the hub, where the program wants it beside the folder."""
    streaming: bool = False
    """With mode throughput: whether it reports times to first and between tokens, too."""
    cache_tokens: int | None = Field(default=None, ge=1)
    """With mode throughput: tokens that the KV cache holds. Without it the program fills nearly all memory with cache, and none is measured; with it,
    `peak_gpu_bytes` is the sum over the GPUs that it takes, less what was in use on them before (source `device-increment`)."""
    report: Literal["json", "printed"] = "json"
    """`printed`: for versions whose mode writes no report; what it prints is read."""

    @model_validator(mode="after")
    def _belong_to_throughput(self) -> TensorRtLlmOptions:
        if self.mode == "latency" and (self.streaming or self.cache_tokens is not None):
            raise told("streaming and cache_tokens go with mode throughput: leave them out")
        return self

    @property
    def gpus(self) -> int:
        """How many GPUs it takes."""
        return self.tp * self.pp


@dataclass(frozen=True)
class TensorRtLlmSession:
    """Stands for the artifact; the program opens it."""

    folder: Path
    options: TensorRtLlmOptions
    config: Mapping[str, object]
    """The folder's config.json."""
    quantization: str | None = None
    """What Model Optimizer says of the folder, as `FP8` or `W4A16_AWQ`; None for floats."""
    load_seconds: float = 0.0
    notes: tuple[Note, ...] = field(default=())

    @property
    def provider(self) -> str:
        return "cuda"

    @property
    def dtype(self) -> str | None:
        return None if self.options.dtype == "auto" else self.options.dtype

    def report(self, work: FixedWork, out: Path, log: Path, progress: Callable[[float], None]) -> Reported:
        """Run the program once. Raises: HarnessError where it fails, leaves no report, or says that it ran something else."""
        refuse_batch(self.options, work)
        progress(0.0)
        requests = max(work.repetitions, work.batch)
        write_requests(out / _REQUESTS, self.config, requests=requests, prompt=work.prompt, output=work.output)
        notes, memory = self._run(command(self.options, work), out, log)
        (out / _REQUESTS).unlink()  # the same again from seed and vocabulary
        said = self._read(out, log, notes)
        facts = said.protocol.facts
        self._refuse_other(facts, said, requests)
        batch = facts.get("world_info.max_batch_size")
        workload = {**said.workload, **({"batch": batch} if isinstance(batch, int) else {})}
        told_of = {"mode": self.options.mode, "requests_seed": SEED, "warmup_requests": work.warmups}
        protocol = said.protocol.model_copy(update={"facts": {**facts, **told_of}, "warmups": work.warmups})
        summary = (*said.summary, *memory)
        ran = executed_as_reported(facts.get("quantization"), protocol.dtype)
        return replace(said, workload=workload, protocol=protocol, summary=summary, whole_batches=False, executed=ran)

    def _run(self, line: list[str], out: Path, log: Path) -> tuple[tuple[Note, ...], tuple[MetricValue, ...]]:
        """Run the program; watch the memory of its GPUs where its cache has a size of its own."""
        if self.options.cache_tokens is None:
            return programs.run(" ".join(line), _places(self.folder, out), log), ()
        settings = {"kv_cache_config": {"max_tokens": self.options.cache_tokens}}
        (out / _SETTINGS).write_text(json.dumps(settings), "utf-8")  # JSON is YAML
        sampler = MemorySampler(interval_seconds=_POLL_SECONDS, gpus=tuple(range(self.options.gpus))).start()
        try:
            notes = programs.run(" ".join(line), _places(self.folder, out), log)
        finally:
            seen = sampler.stop()
        return notes, _memory(seen)

    def _read(self, out: Path, log: Path, notes: tuple[Note, ...]) -> Reported:
        if self.options.report == "json":
            return read_report(out / _REPORT, PROGRAM, notes)
        (out / _PRINTED).write_bytes(log.read_bytes())
        return read_report(out / _PRINTED, "trtllm-bench-printed", notes)

    def _refuse_other(self, facts: Mapping[str, object], said: Reported, requests: int) -> None:
        """Hold the report's own words against what was asked for. Raises: HarnessError."""
        dtype, quantization = said.protocol.dtype, facts.get("quantization")
        pairs = (
            ("tensor parallelism", facts.get("world_info.tp_size"), self.options.tp),
            ("pipeline parallelism", facts.get("world_info.pp_size"), self.options.pp),
            ("number of requests", facts.get("num_requests"), requests),
            ("type", _SAME_TYPE.get(str(dtype), dtype), self.dtype or _SAME_TYPE.get(str(dtype), dtype)),
            ("quantization", quantization, self.quantization),
        )
        for what, there, asked in pairs:
            if there != asked:
                raise HarnessError(
                    f"{said.report.name} says {what} {there}, and {asked} was asked for: the program ran something else; see log.txt"
                )


def executed_as_reported(quantization: object, dtype: str | None) -> Executed | None:
    """Say what the report says of what ran; None where it says nothing."""
    if quantization is None and dtype is None:
        return None
    compute = f"; in {dtype}" if dtype else ""
    text = f"quantization {quantization or 'none'}{compute}, as {PROGRAM} reports"
    return Executed(text=text, compute=(dtype,) if dtype else ())


def refuse_batch(options: TensorRtLlmOptions, work: FixedWork) -> None:
    """Refuse a batch in mode latency. Raises: HarnessError."""
    if options.mode == "latency" and work.batch != 1:
        raise HarnessError(
            f"mode latency runs one request after the other, and batch {work.batch} is asked for: take mode throughput"
        )


def command(options: TensorRtLlmOptions, work: FixedWork) -> list[str]:
    """Give the words of the command line, its folders as `{artifact}` and `{out}`."""
    line = [PROGRAM, "--model", options.model or "{artifact}", "--model_path", "{artifact}", "--workspace", "{out}"]
    line += [
        options.mode,
        "--backend",
        options.backend,
        "--dataset",
        f"{{out}}/{_REQUESTS}",
        "--warmup",
        str(work.warmups),
    ]
    line += ["--tp", str(options.tp), "--pp", str(options.pp)]
    if options.mode == "throughput":
        line += ["--max_batch_size", str(work.batch)]
    if options.streaming:
        line += ["--streaming"]
    if options.cache_tokens is not None:
        line += ["--extra_llm_api_options", f"{{out}}/{_SETTINGS}"]
    return line + (["--report_json", f"{{out}}/{_REPORT}"] if options.report == "json" else [])


def _places(folder: Path, out: Path) -> dict[str, Path | str]:
    return {"{artifact}": folder, "{out}": out}


def _memory(seen: GpuMemory) -> tuple[MetricValue, ...]:
    """Give the highest sum over GPUs less the sum before the program began; nothing where no driver told.

    Source: Model-Optimizer, examples/llm_ptq/benchmarks/gpt_benchmark.py at 2a3f7cf2b (used after warm-up, less used before the engine was loaded).
    """
    import numpy as np

    if seen.device is None or seen.device_before is None:
        return ()
    taken = float(seen.device - seen.device_before)
    return (MetricValue("peak_gpu_bytes", taken, np.asarray([taken], dtype=np.float64), source="device-increment"),)


@contextmanager
def _open(folder: Path, options: TensorRtLlmOptions) -> Iterator[TensorRtLlmSession]:
    if (folder / STATE).is_file():
        raise HarnessError(
            f"{folder} holds floats whose quantization Model Optimizer simulates, and TensorRT-LLM would run the floats: take a recipe with `export: true`"
        )
    yield TensorRtLlmSession(folder, options, _json(folder / "config.json"), quantization_of(folder))


def quantization_of(folder: Path) -> str | None:
    """Read how Model Optimizer says that a folder is quantized; None for floats."""
    path = folder / "hf_quant_config.json"
    said = _json(path).get("quantization") if path.is_file() else None
    algorithm = said.get("quant_algo") if isinstance(said, Mapping) else None
    return None if algorithm is None else str(algorithm)


def _json(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text("utf-8"))
    return found if isinstance(found, dict) else {}


def refuse(options: TensorRtLlmOptions, facts: Facts) -> str | None:
    """Say why it cannot run in an environment; no package is imported."""
    if facts.system != "Linux":
        return f"TensorRT-LLM runs on Linux alone, and this is {facts.system}"
    if "tensorrt-llm" not in facts.packages:
        return f"tensorrt-llm is not installed in {facts.place}: adopt an environment that has it, `python: {{trtllm: PATH}}` in local.yaml"
    if len(facts.gpus) < options.gpus:
        return f"TensorRT-LLM needs {options.gpus} GPU{'s' if options.gpus > 1 else ''} with CUDA (tp {options.tp} x pp {options.pp}), and this machine shows {len(facts.gpus)}"
    return None


ENGINE = Engine(
    name="tensorrt-llm",
    version=2,
    consumes=("hf",),
    offers=frozenset({"reports", "serves"}),
    options=TensorRtLlmOptions,
    packages=("tensorrt-llm", "nvidia-modelopt", "torch"),
    open=_open,
    refuse=refuse,
    provider=lambda options: "cuda",
    floats=lambda options: None if options.dtype == "auto" else options.dtype,
    title="TensorRT-LLM",
)

_SESSIONS: tuple[type[Reports]] = (TensorRtLlmSession,)
"""Read by the type checker alone: the session has what the capability asks for."""
