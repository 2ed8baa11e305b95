"""The code that everybody writes first: ε·sign(gradient) added to token ids. It cannot work."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advlab.model.victim import Victim


def nudge_ids(model: Any, ids: Any, mask: Any, eps: float = 0.1) -> Any:
    """The attack on images (FGSM), written for token ids as if they were pixels."""
    ids.requires_grad_()
    logits = model(input_ids=ids, attention_mask=mask).logits
    loss = logits.logsumexp(-1) - logits.amax(-1)
    loss.sum().backward()
    return ids + eps * ids.grad.sign()


def nudge_floats(model: Any, ids: Any, mask: Any, eps: float = 0.1) -> Any:
    """The same, once torch has complained: ids as floats, which may have gradients."""
    return nudge_ids(model, ids.float(), mask, eps)


def code(cast: bool = False) -> str:
    """The source of what `refused` runs."""
    whole = inspect.getsource(nudge_floats if cast else nudge_ids).replace(": Any", "")
    return whole.replace(" -> Any", "").replace("eps: float = 0.1", "eps=0.1").strip()


def refused(victim: Victim, text: str, *, cast: bool = False) -> str:
    """Run it on a text; the error that comes, in torch's words, or "" where none does."""
    batch = victim.encode([text])
    run = nudge_floats if cast else nudge_ids
    with victim.analysing():
        try:
            run(victim.model, batch.input_ids.clone(), batch.attention_mask)
        except (RuntimeError, TypeError, IndexError) as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return ""
