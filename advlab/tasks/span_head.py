"""Running any reader of transformers: logits of each token as the first and as the last of an answer.

What differs between architectures is here: whether tokens have types, whether a decoder reads the text
too, whether the head gives logits at all. And what all of them need: no answer on padding, on special
tokens, on the question; a long text in windows.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from advlab.errors import ModelError
from advlab.language import _
from advlab.tasks.base import Batch
from advlab.tasks.windows import windows_of


def allowed(batch: Batch) -> Tensor:
    """(B,T) bool: where an answer may begin and end, the token of "no answer" among them."""
    places = torch.arange(batch.segment.shape[1], device=batch.segment.device)
    return (batch.segment == 0) | (places == batch.target["null"].unsqueeze(1))


def read_text(model: Any, batch: Batch, window: int, overlap: int, **text: Tensor) -> Tensor:
    """Texts as `input_ids` or `inputs_embeds` -> (B,T,2), −∞ where no answer can be.

    In windows of so many tokens; 0: in one piece.
    """
    mask, kinds, null = batch.attention_mask, batch.target["kinds"], batch.target["null"]
    if window:
        found = windows_of(batch.segment, mask, null, window, overlap)
        part = {name: found.gather(values) for name, values in text.items()}
        out = found.scatter(logits(model, found.mask, found.gather(kinds), part))
    else:
        out = logits(model, mask, kinds, text)
    return out.masked_fill(~allowed(batch).unsqueeze(-1), -torch.inf)


def logits(model: Any, mask: Tensor, kinds: Tensor, text: dict[str, Tensor]) -> Tensor:
    """(B,T,2) the model's own, of padding too.

    ModelError for a head that searches with a beam: it has no logits of every token.
    """
    more: dict[str, Tensor] = {}
    # transformers takes zeros where types are left out; RoBERTa has one type only, others none
    if _takes(type(model), "token_type_ids") and getattr(model.config, "type_vocab_size", 2) > 1:
        more["token_type_ids"] = kinds
    if model.config.is_encoder_decoder and "inputs_embeds" in text:
        # its decoder reads the text too, one token behind: perturbed as the encoder's is
        first = torch.full_like(mask[:, :1], model.config.decoder_start_token_id)
        behind = [model.get_input_embeddings()(first), text["inputs_embeds"][:, :-1]]
        more["decoder_inputs_embeds"] = torch.cat(behind, 1)
    found = model(attention_mask=mask, **text, **more)
    if getattr(found, "start_logits", None) is None:
        kind = type(model).__name__
        raise ModelError(
            _(
                "expected start and end logits of every token, got a head that searches "
                "with a beam ({kind}), which has no loss of a single text; open it as "
                "{kind}Simple",
                kind=kind,
            )
        )
    return torch.stack([found.start_logits, found.end_logits], -1)


@lru_cache
def _takes(kind: type, name: str) -> bool:
    """Whether models of a class take an argument."""
    return name in inspect.signature(kind.forward).parameters  # type: ignore[attr-defined]
