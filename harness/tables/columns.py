"""What a table can name: the frame's dimensions with their headings, and which of them must agree where."""

from __future__ import annotations

from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS

DIMENSIONS: dict[str, str] = {
    "sweep": "Sweep",
    "block": "Block",
    "model": "Model",
    "method": "Method",
    "recipe": "Recipe",
    "reference": "Reference",
    "kind": "Kind",
    "status": "Status",
    "origin": "Origin",
    "session": "Session",
    "round": "Round",
    "run": "Run",
    "environment": "Environment",
    "gpu": "GPU",
    "gpu_count": "GPUs",
    "driver": "Driver",
    "cuda": "CUDA",
    "machine": "Machine",
    "cpu": "CPU",
    "cores": "Cores",
    "system": "System",
    "python": "Python",
    "engine": "Engine",
    "engine_options": "Engine options",
    "provider": "Provider",
    "dtype": "Data type",
    "probe": "Probe",
    "protocol": "Protocol",
    "protocol_version": "Protocol version",
    "batch": "Batch size",
    "prompt": "Prompt tokens",
    "output": "Output tokens",
    "depth": "Depth",
    "concurrency": "Concurrency",
    "request_rate": "Request rate (1/s)",
    "shots": "Shots",
    "limit": "Limit",
    "window": "Window",
    "stride": "Stride",
    "text": "Text",
    "task": "Task",
    "tokens": "Tokens",
    "workload": "Workload",
    "artifact": "Artifact",
    "scheme": "Scheme",
    "bits_per_weight": "Bits per weight",
    "executed": "Executed",
    "metric": "Metric",
    "metric_version": "Metric version",
    "slice": "Slice",
    "source": "Memory counted by",
    "citation": "Source",
}
"""Dimension -> heading where a spec gives none."""

LABELS = ("sweep", "block", "model", "method", "recipe")
PLACE = ("environment", "gpu", "gpu_count", "driver", "cuda", "machine", "cpu", "cores", "system", "python")
MADE = ("scheme", "bits_per_weight")
"""What a method makes of a model: a baseline of another method differs in it at the same place of a table."""
OF_METHOD = frozenset({*MADE, "executed"})
"""What hangs on the method alone: what it makes, and what then runs of it."""
BUILD_DIMENSIONS = frozenset(
    {*LABELS, *PLACE, *MADE, "kind", "status", "origin", "session", "round", "run", "artifact"}
)
"""What a build has; a condition on anything else does not concern it."""

IDENTITY = ("origin", "model", "method", "recipe", "reference", "environment", "gpu", "engine", "provider", "probe", "protocol",
            "task", "text", "source")  # fmt: skip
"""Values for one cell that differ in one of these are different questions: the spec must say which is meant."""
WORKLOAD = ("engine_options", "workload", "dtype", *WORKLOAD_NUMBERS)
"""Differences in these are an error inside one session; between sessions the sweep was changed and the newest counts."""

SAME_PLACE = ("gpu", "driver", "cuda", "machine", "cpu", "environment")
"""What all cells of a table must share, beside the packages of their engines, unless `may_mix` names it."""
SAME_COLUMN = ("metric_version", "protocol", "protocol_version", "source", *WORKLOAD_NUMBERS, *WORKLOAD_TEXTS)
"""What all cells of a column must share unless it is a row, a pivot or an `each`, or `may_mix` names it."""
MIXABLE = frozenset({*SAME_PLACE, *SAME_COLUMN, "artifact"})

FACTS = ("kind", "status", "reason", "origin", "started", "counts_from", "seconds", "session", "round", "environment_id", "metric",
         "metric_version", "slice", "value", "low", "high", "interval", "n", "unit", "items", "better", "scored", "skipped",
         "truncated", "warmups", "repetitions", "bos", "prompt_tokens", "beyond_trained", "measurement_id", "artifact_content", "comparison", "baseline",
         "notes", "sitting", "summary_value", "summary_low", "summary_high", "rounds", "round_values", "marks", "order")  # fmt: skip
COLUMNS = tuple(dict.fromkeys([*DIMENSIONS, *FACTS]))
"""What is asked of the frame."""

PACKAGES = ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml", "onnxruntime", "onnxruntime-gpu",
            "onnxruntime-directml", "transformers", "torch", "bitsandbytes", "nvidia-modelopt", "diffusers", "tensorrt-llm",
            "lm-eval")  # fmt: skip
"""Packages whose version can change a number; captions print those that the cells hang on."""

ALWAYS_TOLD = frozenset({"onnxruntime-genai", "onnxruntime", "transformers", "torch"})
"""Of these, what a caption tells also where no cell hangs on it."""

ATTRIBUTED = ("model", "method", "recipe", "engine", "environment", "metric", "engine_options", "workload")
"""Dimensions with more behind a name: an entry of a catalogue or of a published file (`method.granularity`, `recipe.bits`), or options."""
