"""Heads of torch models: the weights as they are, and of what a configuration names, that which the model does to its logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import Unsupported
from harness.engines.torch_head import save_head
from harness.heads.opening import open_head
from harness.heads.record import Step, read_record

CAP = (Step(what="div", by=30.0), Step(what="tanh"), Step(what="mul", by=30.0))


def forward(after: Callable[[Any], Any] = lambda logits: logits, dtype: str = "float32", **named: float) -> Any:
    """Make a model of one embedding and one head [11, 4], whose largest logit is near 12, with something behind it."""
    drawn = torch.Generator().manual_seed(3)
    inputs, weight = (torch.randn(shape, generator=drawn) for shape in ((7, 4), (11, 4)))
    largest = (inputs[1:6] @ weight.T).abs().max()
    head = torch.nn.Linear(4, 11, bias=False, dtype=getattr(torch, dtype))
    head.weight.data.copy_(weight * 12.0 / largest)
    config = SimpleNamespace(model_type="odd", **named)
    config.get_text_config = lambda: config

    def model(input_ids: Any, *, use_cache: bool) -> Any:
        return SimpleNamespace(logits=after(head(inputs.to(head.weight.dtype)[input_ids])))

    model.config, model.device, model.get_output_embeddings = config, "cpu", lambda: head  # type: ignore[attr-defined]
    return SimpleNamespace(model=model, picks=True, head=head)


def capped(logits: Any) -> Any:
    return torch.tanh(logits / 30.0) * 30.0


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_come_back_as_they_are(tmp_path: Path, dtype: str) -> None:
    made = forward(dtype=dtype)
    save_head(made, tmp_path)
    record = read_record(tmp_path)
    assert (record.kind, record.vocabulary, record.hidden, record.dtype, record.steps) == ("linear", 11, 4, dtype, ())
    weights = open_head(tmp_path).logits(np.eye(4, dtype=np.float32)).T
    assert np.array_equal(weights, made.head.weight.detach().float().numpy())


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("named", "after", "steps"), [
    ({"final_logit_softcapping": 30.0}, capped, CAP),
    ({"final_logit_softcapping": 30.0}, lambda logits: logits, ()),
    ({"logits_scaling": 1.25}, lambda logits: logits / 1.25, (Step(what="div", by=1.25),)),
    ({"logit_scale": 0.75}, lambda logits: logits * 0.75, (Step(what="mul", by=0.75),)),
    ({"logits_scaling": 8.0, "logit_scale": 0.75}, lambda logits: logits * 0.75, (Step(what="mul", by=0.75),)),
    ({"logit_scale": 0.75}, lambda logits: logits.mul_(0.75), (Step(what="mul", by=0.75),)),
], ids=["cap", "cap unused", "divisor", "factor", "one of two", "in place"])  # fmt: skip
def test_the_step_that_the_model_does_is_found_in_every_type(
    tmp_path: Path, named: dict[str, float], after: Callable[[Any], Any], steps: tuple[Step, ...], dtype: str
) -> None:
    save_head(forward(after, dtype, **named), tmp_path)
    assert read_record(tmp_path).steps == steps


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "after", [lambda logits: logits * 0.9, lambda logits: logits + 1.0, lambda logits: logits * float("nan")]
)
def test_a_change_that_is_not_named_is_refused(tmp_path: Path, after: Callable[[Any], Any], dtype: str) -> None:
    with pytest.raises(Unsupported, match=r"^odd changes its logits behind the head in a way that is not known here$"):
        save_head(forward(after, dtype, logit_scale=4.0), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("head", "said"), [
    (None, "does not ask one head for all its logits"),
    (torch.nn.Linear(4, 11), "the head has a bias"),
    (torch.nn.Embedding(11, 4), "the head is Embedding in float32, and no plain layer of floats"),
    (torch.nn.Linear(4, 11, bias=False, dtype=torch.float64), "the head is Linear in float64"),
    (torch.nn.Identity(), "the head is Identity in no type"),
])  # fmt: skip
def test_what_is_no_plain_layer_is_refused(tmp_path: Path, head: Any, said: str) -> None:
    made = forward()
    made.model.get_output_embeddings = lambda: head
    with pytest.raises(Unsupported, match=said):
        save_head(made, tmp_path)


def test_a_model_that_does_not_let_rows_be_picked_has_no_head_of_its_own(tmp_path: Path) -> None:
    made = forward()
    made.picks = False
    with pytest.raises(Unsupported, match="does not ask one head for all its logits"):
        save_head(made, tmp_path)
