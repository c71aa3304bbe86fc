"""Timed generation in torch: prefill, first token, then one step at a time, the device waited for inside each timer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.core.errors import HarnessError, Unsupported
from harness.core.sessions import GenerationWorkload, Trace


def generate(
    model: Any,
    workload: GenerationWorkload,
    progress: Callable[[float], None],
    *,
    ends: Sequence[int],
    context_length: int,
    border: int | None = None,
) -> Trace:
    """Time fixed work; `ends` are masked before each choice, so that nothing ends early.

    border: where a sequence outgrows this length its rotary embeddings change, and the cache is computed anew within that step.
    Raises: HarnessError where prompt and output do not fit the context, or logits are not finite; Unsupported where a model gives no cache.
    """
    import numpy as np
    import torch

    prompt = len(workload.prompt_ids[0])
    if prompt + workload.output > context_length:
        raise HarnessError(
            f"prompt {prompt} and output {workload.output} do not fit the context of {context_length}; ask for less"
        )
    ids = torch.as_tensor(workload.prompt_ids, dtype=torch.int64, device=model.device)
    rows: list[tuple[float, float, list[float], float]] = []
    generated: list[Any] = []
    rounds = workload.warmups + workload.repetitions
    progress(0.0)
    with torch.inference_mode():
        for number in range(rounds):
            row, tokens = _timed(model, ids, workload, _chooser(workload, list(ends), ids.device, number), border)
            if number >= workload.warmups:
                rows.append(row)
                generated.append(tokens)
            progress((number + 1) / rounds)
    on_device = model.device.type == "cuda"
    return Trace(
        prefill=np.asarray([row[0] for row in rows]),
        first_token=np.asarray([row[1] for row in rows]),
        steps=np.asarray([row[2] for row in rows], dtype=np.float64).reshape(len(rows), workload.output - 1),
        total=np.asarray([row[3] for row in rows]),
        peak_torch_bytes=int(torch.cuda.max_memory_allocated(model.device)) if on_device else None,
        facts={"threads": torch.get_num_threads(), "prefill_timer": "ends when the device has finished"},
        ids=np.asarray(generated, dtype=np.int32),
    )


def finish(device: Any) -> None:
    """Wait until a CUDA device has done all it was given; on the CPU nothing is ever owed."""
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def settle(device: Any) -> None:
    """Wait for a device on which a model was loaded; give back what loading alone took, and begin the allocator's high-water mark anew.

    transformers reserves up to 8 bits for each weight before it loads any, which NF4 would be charged for.
    """
    import torch

    finish(device)
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _timed(
    model: Any, ids: Any, workload: GenerationWorkload, choose: Callable[[Any], Any], border: int | None
) -> tuple[tuple[float, float, list[float], float], Any]:
    """Run one repetition; return seconds of prefill, first token, each further step and the whole, and the new tokens."""
    import torch

    clock = time.perf_counter
    finish(model.device)
    start = clock()
    out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    finish(model.device)
    prefilled = clock()
    if workload.output > 1 and getattr(out, "past_key_values", None) is None:
        raise Unsupported(f"{type(model).__name__} gives no cache here, so its decoding cannot be timed token by token")
    token = choose(out.logits[:, -1])
    finish(model.device)
    sampled = clock()
    steps: list[float] = []
    made = [ids, token]
    for step in range(workload.output - 1):
        before = clock()
        out = _next(model, made, out.past_key_values, anew=ids.shape[1] + step == border)
        token = choose(out.logits[:, -1])
        made.append(token)
        finish(model.device)
        steps.append(clock() - before)
    ended = clock()
    _check_finite(out.logits, len(workload.prompt_ids[0]) + workload.output - 2)
    return (prefilled - start, sampled - prefilled, steps, ended - start), torch.cat(made[1:], dim=1).cpu().numpy()


def _next(model: Any, made: Sequence[Any], cache: Any, *, anew: bool) -> Any:
    """Run the last token on the cache, or all tokens without it where what the cache holds no longer counts."""
    import torch

    if anew:
        return model(input_ids=torch.cat(list(made), dim=1), use_cache=True, logits_to_keep=1)
    return model(input_ids=made[-1], past_key_values=cache, use_cache=True, logits_to_keep=1)


def _check_finite(logits: Any, position: int) -> None:
    """Look at the last step's logits, after the clock: NaN spreads through the cache to there."""
    import torch

    from harness.engines.scoring import refuse_non_finite

    if not bool(torch.isfinite(logits).all()):
        refuse_non_finite(position)


def _chooser(workload: GenerationWorkload, ends: list[int], device: Any, number: int) -> Callable[[Any], Any]:
    """Make the function that picks the next token of each row from logits [batch, vocabulary]."""
    import torch

    barred = torch.as_tensor(ends, dtype=torch.int64, device=device)
    if workload.sampling is None:
        return lambda logits: logits.index_fill(-1, barred, -torch.inf).argmax(dim=-1, keepdim=True)
    given = workload.sampling
    draw = torch.Generator(device=device).manual_seed(int(given.get("seed", 0)) + number)
    most, share, heat = int(given.get("top_k", 50)), given.get("top_p", 1.0), given.get("temperature", 1.0)

    def sample(logits: Any) -> Any:
        values, index = logits.index_fill(-1, barred, -torch.inf).float().topk(min(most, logits.shape[-1]), dim=-1)
        chances = torch.softmax(values / heat, dim=-1)
        if share < 1.0:
            chances = chances.masked_fill(chances.cumsum(dim=-1) - chances >= share, 0.0)
        return index.gather(-1, torch.multinomial(chances, 1, generator=draw))

    return sample
