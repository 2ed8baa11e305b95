"""From a source to what is written of it: the attention between them, and the gradient.

For the only example of a batch, whose reference has U tokens; S tokens of source, padding among them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.tasks.base import Batch, Task
from advlab.tasks.sequences import NONE


def written(batch: Batch) -> list[int]:
    """U: the reference's ids, its end among them."""
    return [i for i in batch.target["labels"][0].tolist() if i != NONE]


@torch.no_grad()
def attention(model: Any, batch: Batch) -> Tensor:
    """(U,S), the heads' mean in the middle of the decoder's layers.

    The model is left with an attention that keeps its weights: give a view of one that others share.
    """
    model.set_attn_implementation("eager")
    S = batch.target["mask"].shape[1]
    found = model(
        input_ids=batch.input_ids[:, :S],
        attention_mask=batch.target["mask"],
        decoder_input_ids=batch.input_ids[:, S:],
        output_attentions=True,
        use_cache=False,
    ).cross_attentions
    return found[len(found) // 2][0].mean(0)[_places(batch)]


def gradient(task: Task, model: Any, batch: Batch) -> Tensor:
    """(U,S) |e·∂ log p/∂e| of each written token, all in one pass of U rows."""
    S, places = batch.target["mask"].shape[1], _places(batch)
    many = batch.repeat(len(places))
    embeds = task.embed(model, many.input_ids, many).detach().requires_grad_()
    log = task.forward(model, embeds, many).log_softmax(-1)
    rows = torch.arange(len(places), device=places.device)
    wanted = log[rows, places, batch.target["labels"][0, places]]
    (grad,) = torch.autograd.grad(wanted.sum(), embeds)
    return (grad * embeds).sum(-1).abs()[:, :S].detach()


def _places(batch: Batch) -> Tensor:
    return (batch.target["labels"][0] != NONE).nonzero().flatten()
