"""A torch model's head: its weights, and what the model does with the logits behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import Unsupported
from harness.heads.linear import FloatName, save_linear
from harness.heads.record import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.engines.torch_forward import TorchForward

_TRIED = (5, 3, 1, 2, 4)
_CLOSE = {"float32": 1e-4, "float16": 5e-3, "bfloat16": 4e-2}
"""Of the largest logit: how far the head's own output, with the steps done, may stand from the model's; ten roundings in halves."""


def save_head(forward: TorchForward, folder: Path) -> None:
    """Write the head of an opened model into an empty folder.

    Raises: Unsupported where it is no plain linear layer, or the model does to its logits what is not known here.
    """
    import torch

    head = forward.model.get_output_embeddings()
    if not forward.picks or head is None:
        raise Unsupported("the model does not ask one head for all its logits")
    dtype = str(getattr(getattr(head, "weight", None), "dtype", "")).removeprefix("torch.")
    if type(head) is not torch.nn.Linear or dtype not in _CLOSE:
        raise Unsupported(f"the head is {type(head).__name__} in {dtype or 'no type'}, and no plain layer of floats")
    if head.bias is not None:
        raise Unsupported("the head has a bias")
    name: Any = dtype
    steps = _steps(forward, head, name)
    weight = head.weight.detach()

    def rows_of(begin: int, end: int) -> NDArray[Any]:
        part = weight[begin:end].contiguous().cpu()
        found: NDArray[Any] = (part.view(torch.int16) if name == "bfloat16" else part).numpy()
        return found.view("uint16") if name == "bfloat16" else found

    save_linear(folder, rows_of, (int(weight.shape[0]), int(weight.shape[1])), name, steps)


def _steps(forward: TorchForward, head: Any, dtype: FloatName) -> tuple[Step, ...]:
    """Find what the model does to its head's output, by trying what its configuration speaks of."""
    import torch

    config = forward.model.config.get_text_config()
    ids = torch.tensor([_TRIED], device=forward.model.device)
    given: list[Any] = []
    hook = head.register_forward_hook(lambda module, inputs, output: given.append(output.clone()))
    try:
        with torch.inference_mode():
            wanted = forward.model(input_ids=ids, use_cache=False).logits.float()
    finally:
        hook.remove()
    away = {steps: float((_done(given[-1], steps).float() - wanted).abs().max()) for steps in _known_steps(config)}
    steps = min(away, key=lambda one: away[one])
    if away[steps] <= _CLOSE[dtype] * float(wanted.abs().max()):
        return steps
    raise Unsupported(f"{config.model_type} changes its logits behind the head in a way that is not known here")


def _known_steps(config: Any) -> list[tuple[Step, ...]]:
    """List a plain head, a cap of the logits (Gemma), a divisor (Granite) and a factor (Cohere), as the configuration names them."""
    found: list[tuple[Step, ...]] = [()]
    cap, divisor, factor = (
        getattr(config, name, None) for name in ("final_logit_softcapping", "logits_scaling", "logit_scale")
    )
    if cap:
        found.append((Step(what="div", by=float(cap)), Step(what="tanh"), Step(what="mul", by=float(cap))))
    if divisor:
        found.append((Step(what="div", by=float(divisor)),))
    if factor:
        found.append((Step(what="mul", by=float(factor)),))
    return found


def _done(logits: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        logits = logits.tanh() if step.what == "tanh" else getattr(logits, step.what)(step.by)
    return logits
