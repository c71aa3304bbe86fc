"""Whether what an adapter hands back can be what was asked for: where it ran, what it made, what it says it measured.

No adapter is known here. What cannot be at all is refused; what is most likely not so is a note `implausible` on the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.core.errors import HarnessError
from harness.core.identity import digest
from harness.core.metric import LM_EVAL, OWN, impossible
from harness.core.spec import MeasureSpec, Note
from harness.probes.trace_check import implausible
from harness.worker.made import alike_notes

if TYPE_CHECKING:
    from harness.core.options import Options
    from harness.core.seam import Engine, MetricValue, ProbeResult
    from harness.core.sessions import Scores, Session, TextCodec, TextSession

_DRIVERS = {
    "cuda": ("libcuda.", "nvcuda"),
    "nvtensorrtrtx": ("libcuda.", "nvcuda"),
    "dml": ("directml",),
    "rocm": ("libamdhip",),
}
"""Of a provider, parts of the file names of what a process has loaded that runs on it; of others the provider's own name."""
_MEAN = ("kl_divergence", "top1_agreement", "output_agreement", "mmlu_acc", "choice_logprob")
"""Metrics that are the plain mean of their samples."""
_THREADS = 0.6
"""Processors that a process may use beyond the threads that it was given."""
HIDDEN_SECONDS = 3.0
"""Seconds of an opening that may lie outside an engine's clock: a machine that stands still for a second hides nothing."""


def measured_notes(
    spec: MeasureSpec, session: Session, findings: ProbeResult, opened: float | None
) -> tuple[Note, ...]:
    """Say what cannot be so about a measurement. opened: seconds that opening took, where it was opened for this,
    without those for which no processor was free."""
    return (
        *load_notes(findings.values, opened),
        *device_notes(session.provider),
        *thread_notes(spec.engine_options, findings.protocol.facts.get("own_cpus")),
        *reading_notes(findings.values),
        *scored_notes(findings.values, findings.protocol.scored),
    )


def scoring_notes(spec: MeasureSpec, session: Scores, folder: Path, reach: int | None) -> tuple[Note, ...]:
    """Say in what a session does not score as the seam says. folder: the artifact; reach: tokens of the longest sequence."""
    from harness.engines import CANARY

    if spec.engine == CANARY:  # it is wrong on purpose, and leaves no trace beside the artifact
        return ()
    from harness.probes.session_check import print_of, session_notes

    with ExitStack() as stack:
        asked = session.dtype if "dtype" in spec.engine_options else None
        notes = session_notes(session, folder, _codec_of(spec, folder, stack), reach, asked)
    return (*notes, *alike_notes(folder, digest([spec.engine, spec.engine_options]), print_of(session)))


def _codec_of(spec: MeasureSpec, folder: Path, stack: ExitStack) -> TextCodec | None:
    """Open the tokenizer of an artifact: the one in its folder, or that of a fake's own engine; None where neither is known."""
    from harness.core.registry import load
    from harness.engines import ENGINES
    from harness.engines.tokens import open_codec

    if (folder / "tokenizer.json").is_file():
        with suppress(HarnessError):
            return open_codec(folder)
        return None
    truth: Engine = load(ENGINES, "engine", load(ENGINES, "engine", spec.engine).truth)
    if truth.name == spec.engine or "fake" not in truth.consumes:
        return None
    return cast("TextSession", stack.enter_context(truth.open(folder, truth.options()))).codec


# ---------------------------------------------------------------- where it ran


def refuse_fallback(engine: Engine, options: Options, given: Mapping[str, object], session: Session) -> None:
    """Refuse a session that runs elsewhere, or in another type, than it was asked to. given: options as the sweep has them.

    Raises: HarnessError naming both.
    """
    asked, found = str(engine.provider(options)), str(session.provider)
    if asked.partition(":")[0].lower() != found.partition(":")[0].lower():
        raise HarnessError(
            f"engine {engine.name} was asked for provider {asked} and fell back to {found}; install what {asked} needs, or ask for {found}"
        )
    if "dtype" in given and (wanted := engine.floats(options)) not in {None, session.dtype}:
        raise HarnessError(f"engine {engine.name} was asked for {wanted} and computes in {session.dtype}")


def device_notes(provider: str, loaded: Sequence[str] | None = None) -> tuple[Note, ...]:
    """Say that nothing in this process can run on the provider that a session names. loaded: files of code in the process."""
    name = provider.partition(":")[0].lower()
    files = loaded_files() if loaded is None else loaded
    if (
        name == "cpu"
        or not files
        or any(part in Path(file).name.lower() for file in files for part in _DRIVERS.get(name, (name,)))
    ):
        return ()
    return implausible(
        [
            f"the engine names provider {provider}, and no driver or library of it is loaded in its process: it ran elsewhere"
        ]
    )


def loaded_files() -> list[str]:
    """List the files that are mapped into this process; empty where the system does not tell."""
    import psutil

    try:
        return [one.path for one in psutil.Process().memory_maps()]
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return []


def load_notes(values: Sequence[MetricValue], opened: float | None) -> tuple[Note, ...]:
    """Say that opening took much longer than the engine says. opened: seconds of it as we saw them, if it was opened for this."""
    said = next((reading.value for reading in values if reading.metric == "load_seconds"), None)
    if opened is None or said is None or opened <= 3 * said + HIDDEN_SECONDS:
        return ()
    return implausible([f"opening took {opened:.2f} s, and the engine says {said:.2f} s: it loads outside its clock"])


def thread_notes(given: Mapping[str, object], cpus: object) -> tuple[Note, ...]:
    """Say that a process used more processors than the threads that it was given. cpus: processors used at a time, if known."""
    threads = given.get("threads")
    if not isinstance(cpus, float) or not isinstance(threads, int) or cpus <= threads + _THREADS:
        return ()
    return implausible(
        [f"option threads: {threads} was given, and {cpus:.1f} processors worked: the engine ignores it"]
    )


# ---------------------------------------------------------------- what it measured


def reading_notes(values: Sequence[MetricValue]) -> tuple[Note, ...]:
    """Hold each value against its own samples: what is typical of them lies among them, and a mean is their mean."""
    return implausible([text for reading in values for text in _reading_texts(reading)])


def scored_notes(values: Sequence[MetricValue], scored: int | None) -> tuple[Note, ...]:
    """Say that a perplexity has other tokens behind it than were scored. scored: tokens that its protocol names."""
    import numpy as np

    found = [np.size(reading.samples) for reading in values if reading.metric == "perplexity" and not reading.slice]
    return implausible(
        [
            f"{scored} tokens were scored, and perplexity has {size} samples: it is not of all of them"
            for size in found
            if scored and size > 1 and size != scored
        ]
    )


def _reading_texts(reading: MetricValue) -> Iterator[str]:
    import numpy as np

    name, value = reading.metric, reading.value
    if why := impossible(name, value) if not name.startswith(OWN) else "":
        yield f"{name} is {why}"
        return
    samples = np.asarray(reading.samples, dtype=np.float64).ravel()
    if not samples.size or name.startswith((OWN, LM_EVAL)):
        return
    mean, least, most = float(samples.mean()), float(samples.min()), float(samples.max())
    if name == "perplexity":
        if abs(math.log(value) - mean) > 1e-3 * max(1.0, abs(mean)):
            yield (
                f"perplexity is {value:.4g}, and its {samples.size} tokens have {math.exp(min(mean, 700)):.4g}: "
                "it is no mean over them"
            )
        return
    slack = 1e-4 * max(abs(least), abs(most)) + 1e-12
    if not least - slack <= value <= most + slack:
        yield (
            f"{name} is {value:.4g}, and its {samples.size} samples lie between {least:.4g} and {most:.4g}: "
            "it is a sum, or of others"
        )
    elif name in _MEAN and abs(value - mean) > slack + 1e-3 * abs(value):
        yield f"{name} is {value:.4g}, and the mean of its {samples.size} samples {mean:.4g}"
