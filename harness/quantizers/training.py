"""Training in plain torch: AdamW over packed rows, loss on the tokens of answers, a checkpoint now and then that a killed run goes on from."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from harness.answered import PackedRows

LAST = "last.pt"
"""Checkpoint in the folder of a training."""
_LARGEST_STEP = 1.0
"""Norm to which gradients are cut."""
_WILD = 10.0
"""A loss that is larger than this many times the first one, or than that of guessing, is no loss of a model."""


@dataclass(frozen=True)
class TrainingPlan:
    """What is done, step by step."""

    steps: int
    rows: int
    """Rows of tokens a step."""
    rate: float
    warmup: float
    """Share of the steps in which the learning rate rises from zero; then it falls to zero in a line."""
    seed: int
    every: int
    """Steps between checkpoints."""


@dataclass
class Curve:
    """What came of it."""

    losses: list[float] = field(default_factory=list)
    """Nats a token of an answer, for each step."""
    resumed: int = 0
    """Step that a killed run was taken up at; 0 where it began anew."""
    after: float = 0.0
    """Of the weights that the last step made, on the rows that would come next."""


def train(
    model: PreTrainedModel,
    rows: PackedRows,
    plan: TrainingPlan,
    folder: Path,
    masks: Mapping[str, Tensor],
    tell: Callable[[int, float], None],
) -> Curve:
    """Train all weights of a model in place, dropout off. folder: of the checkpoint; masks: by parameter, where weights stay zero.

    The rows of each step follow from seed and step alone, so that a run which was killed and goes on ends at the same weights. Weights are kept once
    the loss that they give is known to be good, and what the last step made is tried on the rows that would come next.
    Raises: HarnessError where loss or gradients are no numbers, or the loss is beyond what guessing gives, naming the step and the last good checkpoint.
    """
    import torch

    model.eval()
    wanted = {name: part for name, part in model.named_parameters() if part.requires_grad}
    optimizer = torch.optim.AdamW(wanted.values(), lr=plan.rate, weight_decay=0.0)
    curve = _resumed(folder, wanted, optimizer)
    for step in range(len(curve.losses), plan.steps + 1):
        optimizer.zero_grad(set_to_none=True)
        loss, norm = _gradients(model, rows, plan, wanted, step)
        if flaw := _flaw(loss, norm, curve.losses, int(model.config.get_text_config().vocab_size)):
            raise HarnessError(_stopped(flaw, step, plan, folder))
        if step == plan.steps:
            curve.after = loss
            break
        if (step % plan.every == 0 and step != curve.resumed) or not (folder / LAST).is_file():
            _keep(folder, wanted, optimizer, curve)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * _share(step, plan)
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                wanted[name].mul_(mask)
        curve.losses.append(loss)
        tell(step + 1, loss)
    optimizer.zero_grad(set_to_none=True)
    return curve


def _gradients(
    model: PreTrainedModel, rows: PackedRows, plan: TrainingPlan, wanted: Mapping[str, Any], step: int
) -> tuple[float, float]:
    """Fill in the gradients of a step's rows, cut to a norm. Returns: the loss, in nats a token of an answer, and the norm before it was cut."""
    import torch

    chosen = list(_rows_of(step, plan, len(rows.ids)))
    tokens = int(sum(rows.counts[row][1:].sum() for row in chosen))
    whole = 0.0
    for row in chosen:
        loss = answers_loss(model, rows, row) / max(tokens, 1)
        loss.backward()
        whole += float(loss.detach())
    return whole, float(torch.nn.utils.clip_grad_norm_(wanted.values(), _LARGEST_STEP))


def _flaw(loss: float, norm: float, losses: Sequence[float], vocabulary: int) -> str | None:
    """Say what is wrong with the weights that give a loss; None where nothing is. losses: of the steps before; vocabulary: tokens."""
    if not math.isfinite(loss) or not math.isfinite(norm):
        return "the loss or its gradients are NaN or infinite"
    if loss > 0 and norm == 0:
        return f"the loss of {loss:.3g} has no gradient, as if nothing were read,"
    border = _WILD * max([math.log(vocabulary), *losses[:1]])
    if losses and loss > border:
        return f"the loss is {loss:.3g}, and guessing or the first step gives less than {border:.3g}"
    return None


def _stopped(flaw: str, step: int, plan: TrainingPlan, folder: Path) -> str:
    where = f"at step {step + 1} of {plan.steps}" if step < plan.steps else f"after the last of {plan.steps} steps"
    if not (folder / LAST).is_file():
        return f"{flaw} {where}, and nothing was trained; look at the model that training starts from"
    return (
        f"{flaw} {where}, and training stopped; the last good checkpoint, of step {_kept(folder)}, is {folder / LAST}; "
        f"take a smaller learning rate (`rate`, now {plan.rate:g})"
    )


def answers_loss(model: PreTrainedModel, rows: PackedRows, row: int) -> Tensor:
    """Add up -log p of the tokens of answers in a row, each after all that stands before it in the row."""
    import torch

    device = next(model.parameters()).device
    ids = torch.from_numpy(rows.ids[row : row + 1]).to(device)
    counts = torch.from_numpy(rows.counts[row, 1:]).to(device)
    logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits[counts], ids[0, 1:][counts], reduction="sum")


def _share(step: int, plan: TrainingPlan) -> float:
    warm = max(1, math.ceil(plan.warmup * plan.steps))
    return (step + 1) / warm if step < warm else max(0.0, (plan.steps - step) / max(1, plan.steps - warm))


def _rows_of(step: int, plan: TrainingPlan, count: int) -> Iterator[int]:
    """Give the rows of a step: each pass over all of them is in an order of its own, drawn from seed and number of the pass."""
    import torch

    for place in range(step * plan.rows, (step + 1) * plan.rows):
        drawn = torch.Generator().manual_seed(plan.seed * 1_000_003 + place // count)
        yield int(torch.randperm(count, generator=drawn)[place % count])


def _keep(folder: Path, wanted: Mapping[str, Any], optimizer: Any, curve: Curve) -> None:
    """Write a checkpoint, in the place of the one before only once it is whole."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{LAST}.partial"
    torch.save({"losses": curve.losses, "weights": dict(wanted), "optimizer": optimizer.state_dict()}, beside)
    os.replace(beside, folder / LAST)


def _resumed(folder: Path, wanted: Mapping[str, Any], optimizer: Any) -> Curve:
    import torch

    if not (folder / LAST).is_file():
        return Curve()
    kept = torch.load(folder / LAST, map_location="cpu", weights_only=True)
    with torch.no_grad():
        for name, part in wanted.items():
            part.copy_(kept["weights"][name])
    optimizer.load_state_dict(kept["optimizer"])
    return Curve(list(kept["losses"]), len(kept["losses"]))


def _kept(folder: Path) -> int:
    import torch

    return len(torch.load(folder / LAST, map_location="cpu", weights_only=True)["losses"])


def forget(folder: Path) -> None:
    """Remove the checkpoint of a training that is done."""
    shutil.rmtree(folder, ignore_errors=True)
