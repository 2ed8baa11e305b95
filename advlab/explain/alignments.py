"""Which source words is each written token due to? Cross-attention and gradients, and their errors.

Attention looks at encoder states, which are mixed already, and a row sums to 1 whatever matters; so it
stands beside input × gradient, and where a corpus knows the true alignment both are measured by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from advlab.errors import SettingError
from advlab.language import _
from advlab.model.victim import Victim
from advlab.records import Alignment, Example
from advlab.tasks import crossing


def align(victim: Victim, example: Example) -> Alignment:
    """The alignment of an example's answer with its text, or of the model's own where none is given.

    SettingError for a model without cross-attention.
    """
    if not getattr(victim.model.config, "is_encoder_decoder", False):
        raise SettingError(
            _(
                "expected a model with an encoder and a decoder, but {name} has one row of "
                "blocks; ask for a saliency",
                name=victim.name,
            )
        )
    batch = victim.encode([example])
    if not example.answers:
        said = victim.answers(victim.embed(batch), batch)[0]
        batch = victim.encode([Example(example.id, example.text, (said,))])
    view = victim.view()
    tokens, ids = batch.tokens[0], crossing.written(batch)
    words = torch.tensor(tokens.word_of)
    attention = _by_word(crossing.attention(view.model, batch), words)
    gradient = _by_word(crossing.gradient(view.task, view.model, batch), words)
    gradient = gradient / np.maximum(gradient.sum(1, keepdims=True), 1e-12)
    truth = true_alignment(example)
    if truth is not None and len(truth) != len(ids) - 1:  # cut into other tokens, before the end
        truth = None
    return Alignment(
        tuple(victim.tokenizer.decode([i]).strip() for i in ids),
        tokens.words,
        attention,
        gradient,
        None if truth is None else alignment_error(attention, truth),
        None if truth is None else alignment_error(gradient, truth),
    )


def true_alignment(example: Example) -> list[set[int]] | None:
    """For each written token the words of the source that it is due to, as the corpus says it."""
    told = dict(example.more).get("alignment")
    if told is None:
        return None
    return [set() if t == "." else {int(i) for i in t.split("+")} for t in told.split()]


def alignment_error(strength: np.ndarray, truth: Sequence[set[int]]) -> float | None:
    """(U,W) -> share of the tokens with a true word whose strongest word is none of theirs.

    None where no token has one.
    """
    rows = [(u, true) for u, true in enumerate(truth[: len(strength)]) if true]
    if not rows:
        return None
    return float(np.mean([int(strength[u].argmax()) not in true for u, true in rows]))


def _by_word(strength: Tensor, word_of: Tensor) -> np.ndarray:
    """(U,S) -> (U,W): tokens of one word added up."""
    W = int(word_of.max()) + 1
    total = strength.new_zeros(len(strength), W)
    here = (word_of >= 0).nonzero().flatten()
    total.index_add_(1, word_of[here].to(total.device), strength[:, here.to(total.device)])
    return total.cpu().numpy()
