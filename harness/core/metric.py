"""Metrics as data: name, unit, direction, definition and its version. A changed definition is a new version."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from harness.core.errors import HarnessError
from harness.core.spelling import unknown

Direction = Literal["higher", "lower", "none"]
MetricKind = Literal["speed", "memory", "size", "quality"]

LM_EVAL = "lm_eval."
"""Metrics that lm-eval defines carry this prefix, so that they never share a column with other protocols."""

OWN = "own."
"""Metrics that a published file declares itself carry this prefix; their unit and direction stand with each value."""


@dataclass(frozen=True)
class Metric:
    """A name, a unit, a direction and a definition version."""

    name: str
    title: str
    unit: str
    better: Direction
    kind: MetricKind
    definition: str
    version: int = 1


def _table(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


# "Typical" is the mean, or the median where the protocol says so (`genai-e2e-0.9-median`): no column mixes protocols.
METRICS = _table(
    Metric("ttft", "Time to first token", "s", "lower", "speed",
           "prefill of the whole prompt and the first sampled token, per repetition; typical of the repetitions"),
    Metric("prefill_tps", "Prefill", "tok/s", "higher", "speed",
           "batch x prompt tokens / typical seconds of the prefill call over repetitions"),
    Metric("decode_tps", "Decode", "tok/s", "higher", "speed",
           "batch / typical seconds of a decode step, pooled over repetitions"),
    Metric("per_token_latency", "Latency per token", "s", "lower", "speed",
           "seconds of one decode step for the whole batch, pooled over repetitions; typical of all steps"),
    Metric("e2e_latency", "End-to-end latency", "s", "lower", "speed",
           "prefill to last token, generator creation included, per repetition; typical of the repetitions"),
    Metric("e2e_tps", "End-to-end throughput", "tok/s", "higher", "speed",
           "batch x generated tokens / typical end-to-end latency"),
    Metric("cpu_seconds_per_token", "CPU time per token", "s", "lower", "speed",
           "processor seconds of the process, all threads, in timed repetitions / generated tokens of all sequences"),
    Metric("prefill_latency", "Prefill time", "s", "lower", "speed", "seconds of the call that reads the whole prompt; mean"),
    Metric("prefill_sps", "Prefill", "sample/s", "higher", "speed", "batch / mean seconds of the call that reads the prompt"),
    Metric("forward_latency", "Forward pass", "s", "lower", "speed", "seconds of one forward pass of the whole batch; mean"),
    Metric("forward_sps", "Forward pass", "sample/s", "higher", "speed", "batch / mean seconds of one forward pass"),
    Metric("decode_latency", "Decode time", "s", "lower", "speed",
           "seconds from the first generated token to the last, for the whole batch; mean"),
    Metric("tokenization_latency", "Tokenization", "s", "lower", "speed", "seconds to tokenize the prompts of a batch; mean"),
    Metric("sampling_latency", "Sampling", "s", "lower", "speed", "seconds to pick a token for the whole batch; mean"),
    Metric("tpot", "Time per output token", "s", "lower", "speed",
           "of a request under load: seconds from its first token to its last over the tokens after the first; mean of requests"),
    Metric("itl", "Inter-token latency", "s", "lower", "speed",
           "seconds between two pieces of an answer as the client receives them, pooled over requests; mean"),
    Metric("request_throughput", "Requests", "req/s", "higher", "speed",
           "requests completed / seconds from the first one sent to the last one done"),
    Metric("input_tps", "Prompt throughput", "tok/s", "higher", "speed",
           "prompt tokens of all requests / seconds from the first one sent to the last one done"),
    Metric("output_tps", "Output throughput", "tok/s", "higher", "speed",
           "generated tokens of all requests / seconds from the first one sent to the last one done"),
    Metric("total_tps", "Total throughput", "tok/s", "higher", "speed",
           "prompt and generated tokens of all requests / seconds from the first one sent to the last one done"),
    Metric("user_tps", "Output throughput per user", "tok/s", "higher", "speed",
           "generated tokens of a request / its seconds, its first token included; mean of requests"),
    Metric("user_decode_tps", "Output speed per user", "tok/s", "higher", "speed",
           "tokens of a request after its first / the seconds in which they were generated; mean of requests"),
    Metric("gpu_tps", "Output throughput per GPU", "tok/s", "higher", "speed", "output throughput / GPUs used"),
    Metric("energy", "Energy", "J", "lower", "speed", "joules that the GPUs took from the first request sent to the last one done, all GPUs"),
    Metric("gpu_power", "GPU power", "W", "none", "speed", "energy / seconds in which it was taken, all GPUs"),
    Metric("tokens_per_joule", "Tokens per joule", "tok/J", "higher", "speed", "generated tokens of all requests / energy"),
    Metric("copy_bandwidth", "Copy bandwidth", "B/s", "none", "speed",
           "bytes read and written in a second by a large copy within the memory of the device that computes; the fastest of ten, beside the generation"),
    Metric("bandwidth_share", "Share of the memory bound", "fraction", "none", "speed",
           "(bytes of the weights that a decode step multiplies + bytes of the keys and values that it reads) / its seconds / copy bandwidth; above 1 where weights stay in caches"),
    Metric("load_seconds", "Load", "s", "lower", "speed", "opening the artifact with the engine, once"),
    Metric("peak_rss_bytes", "Peak memory", "B", "lower", "memory",
           "highest resident set of the worker process, interpreter and libraries included"),
    Metric("peak_rss_increment_bytes", "Memory added", "B", "lower", "memory",
           "highest resident set while opening and running, less what the process held before it opened the artifact"),
    Metric("peak_gpu_bytes", "Peak GPU memory", "B", "lower", "memory",
           "highest GPU memory while loading and running; the source says whose memory was counted"),
    Metric("peak_torch_bytes", "Peak torch memory", "B", "lower", "memory",
           "highest memory allocated by torch's CUDA allocator"),
    Metric("peak_torch_reserved_bytes", "Peak reserved memory", "B", "lower", "memory",
           "highest memory held by torch's CUDA allocator, free blocks included"),
    Metric("peak_system_bytes", "Peak system memory", "B", "lower", "memory",
           "highest main memory in use on the whole machine, by whatever process"),
    Metric("artifact_bytes", "Size on disk", "B", "lower", "size", "sizes of all files of the sealed artifact, summed"),
    Metric("weights_bytes", "Weights on disk", "B", "lower", "size",
           "sizes of the model files of the sealed artifact (graph and weights, no tokenizer), summed"),
    Metric("build_seconds", "Build", "s", "lower", "size", "wall time of the quantizer's build, imports excluded"),
    Metric("build_peak_rss_bytes", "Build peak memory", "B", "lower", "memory",
           "highest resident set of the process that built the artifact"),
    Metric("perplexity", "Perplexity", "", "lower", "quality",
           "exp of the summed negative log-likelihood over the number of scored tokens"),
    Metric("kl_divergence", "KL divergence", "nat", "lower", "quality",
           "mean over scored positions of sum_v p_ref (log p_ref - log p)"),
    Metric("kl_abs_log_ratio", "KL (|log ratio|)", "nat", "lower", "quality",
           "sum_v p_ref |log p_ref - log p|, mean over a chunk's positions, unweighted mean of the chunks; not a divergence"),
    Metric("top1_agreement", "Top-1 agreement", "fraction", "higher", "quality",
           "share of scored positions at which reference and candidate rank the same token first"),
    Metric("top5_agreement", "Top-5 agreement", "fraction", "higher", "quality",
           "of the reference's five likeliest tokens the share that are among the candidate's five; mean over scored positions"),
    Metric("first_divergent_token", "First divergent token", "", "higher", "quality",
           "scored positions of a window before the first at which the likeliest tokens differ, all of them where none does; median of the windows"),
    Metric("kl_quantile", "KL quantile", "nat", "lower", "quality",
           "quantile over scored positions of sum_v p_ref (log p_ref - log p): `quantile:median` to `quantile:p99.9` and `quantile:max`"),
    Metric("kl_floor", "KL floor", "nat", "none", "quality",
           "below which a KL divergence tells nothing: `floor:engine` by verification, `floor:storage` of the reference, `floor:head` of its head apart from the model, `floor:self-noise` between launches, `floor:float32` of sums"),
    Metric("verify_max_dlogp", "Verified: largest difference", "nat", "lower", "quality",
           "of a float export and its model: largest |log p - log p_model| over the tested positions and the whole vocabulary"),
    Metric("verify_kl", "Verified: KL", "nat", "lower", "quality",
           "of a float export and its model: mean over the tested positions of sum_v p_model (log p_model - log p)"),
    Metric("verify_top1", "Verified: top-1 agreement", "fraction", "higher", "quality",
           "share of the tested positions at which a float export and its model rank the same token first"),
    Metric("image_latency", "Image latency", "s", "lower", "speed",
           "seconds of one run of the image pipeline or of its part that the protocol names; mean over runs"),
    Metric("image_step_latency", "Image step", "s", "lower", "speed",
           "seconds of the UNet or transformer in one step of a picture; mean over the steps of all runs"),
    Metric("psnr", "PSNR to the baseline", "dB", "higher", "quality",
           "10 log10(255^2 / mean squared difference of all values) of two pictures of one seed; 100 where they are the same; mean over seeds"),
    Metric("ssim", "SSIM to the baseline", "", "higher", "quality",
           "structural similarity of two pictures of one seed (windows of 7 x 7, 8-bit values), 1 where they are the same; mean over seeds"),
    Metric("validation_loss", "Validation loss", "nat", "lower", "quality",
           "mean cross-entropy of the next token over the validation set, natural logarithm"),
    Metric("supported", "Supported", "", "higher", "quality", "1 where the model is known to quantize and run so"),
    Metric("output_agreement", "Output agreement", "fraction", "higher", "quality",
           "share of greedily generated tokens that lie not clearly below the likeliest when the artifact scores them"),
    Metric("choice_logprob", "Log-probability of the right choice", "nat", "higher", "quality",
           "log of the right choice's probability among the choices (softmax of their log-likelihoods); mean over questions"),
    Metric("mmlu_acc", "Accuracy (greedy two tokens)", "fraction", "higher", "quality",
           "share of questions whose two greedy tokens, stripped, start with the right letter; micro average"),
)  # fmt: skip


@dataclass(frozen=True)
class OwnMetric:
    """A metric of somebody's own, as a published file or a workload declares it; its name begins with `own.`."""

    title: str = ""
    unit: str = ""
    """In which its values are kept, as it is printed; empty for plain numbers."""
    better: Direction = "none"
    place: str = field(default="", compare=False)
    """Where it is declared."""

    def against(self, known: OwnMetric) -> str:
        """Say in what this declaration contradicts a known one; empty where it does not. Units are held against each other elsewhere."""
        if known.unit and not self.unit:
            return f"its unit is '{known.unit}' ({known.place}); say in which unit the report gives it, as `unit: \"{known.unit}\"`"
        if "none" not in {self.better, known.better} and self.better != known.better:
            return f"{self.better} is better here, and {known.better} in {known.place}; call one of them otherwise"
        return ""


def metric(name: str) -> Metric:
    """Look a metric up; names that begin with `lm_eval.` are lm-eval's own, those with `own.` a published file's, made on the fly.

    Raises: HarnessError for an unknown name, with the nearest right one.
    """
    if name in METRICS:
        return METRICS[name]
    if name.startswith(LM_EVAL) and len(name) > len(LM_EVAL):
        return lm_eval_metric(name.removeprefix(LM_EVAL))
    if name.startswith(OWN) and len(name) > len(OWN):
        title = name.removeprefix(OWN).replace("_", " ").capitalize()
        return Metric(name, title, "", "none", "quality", "as the published file that gives it says")
    raise HarnessError(f"{unknown('metric', name, METRICS)}; lm-eval's own are written {LM_EVAL}NAME")


def impossible(name: str, value: float) -> str:
    """Say why a metric cannot have a value by its definition, however it was measured; empty where it can.

    name: of a metric, known here or lm-eval's own.
    """
    unit, slack = metric(name).unit, 1e-6
    percent = name.startswith(LM_EVAL) and not name.startswith(f"{LM_EVAL}acc")  # f1 of some of its tasks is in percent
    bound = name == "bandwidth_share"  # of the memory, which caches are faster than
    if unit == "fraction" and not percent and not -slack <= value <= (math.inf if bound else 1 + slack):
        return f"{value:g}, and a share {'is not negative' if bound else 'lies between 0 and 1'}"
    if name.endswith("perplexity") and value < 1 - slack:
        return f"{value:g}, and a perplexity is 1 at the least"
    if name in {"kl_divergence", "verify_kl"} and value < -slack:
        return f"{value:g}, and a divergence is 0 at the least"
    if name == "choice_logprob" and value > slack:
        return f"{value:g}, and the logarithm of a probability is 0 at the most"
    if unit in {"s", "B", "B/s", "tok/s", "req/s", "sample/s"} and value < 0:
        return f"{value:g}, and times, rates and sizes are not negative"
    return ""


_LM_EVAL_FRACTION = ("acc", "exact_match", "f1", "mcc")
_LM_EVAL_OWN: dict[Direction, tuple[str, ...]] = {
    "higher": ("acc", "acc_norm", "acc_mutual_info", "acc_bytes", "acc_all", "exact_match", "likelihood", "mcc", "f1", "bleu",
               "chrf", "chrf++"),
    "lower": ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "ter"),
}  # fmt: skip
"""Directions as lm-eval registers its own metrics; a task may define another one, and its results say which."""


def lm_eval_metric(name: str) -> Metric:
    """Describe one of lm-eval's metrics by lm-eval's name for it, as `acc` or `exact_match_strict-match`.

    The direction is that which lm-eval registers for the metric (a filter's name may stand behind it), `none` for a
    metric that it does not know: what its results say travels with the measurement.
    """
    better = next((way for way, own in _LM_EVAL_OWN.items() if name in own), None) or _filtered(name)
    unit = "fraction" if name.startswith(_LM_EVAL_FRACTION) else ""
    return Metric(f"{LM_EVAL}{name}", f"lm-eval {name}", unit, better, "quality", f"lm-eval's '{name}' of the task")


def _filtered(name: str) -> Direction:
    """Give the direction of `METRIC_FILTER` by its longest registered metric; filters have a hyphen in their names."""
    known = [(len(own), way) for way, names in _LM_EVAL_OWN.items() for own in names if name.startswith(f"{own}_")]
    return max(known)[1] if known and "-" in name else "none"


def said_direction(name: str, higher_is_better: bool | None) -> Direction | None:
    """Give the direction that lm-eval's results say of a metric (null: none); None where its record says the same."""
    said: Direction = "none" if higher_is_better is None else "higher" if higher_is_better else "lower"
    return None if said == lm_eval_metric(name).better else said
