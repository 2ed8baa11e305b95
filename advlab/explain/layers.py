"""How attention and gradients run through the layers of one text: rollout and gradient norms.

Both need the layers' own outputs, so they run on a view of the model with attention written out
(`eager`); the shared model is neither switched nor hooked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.errors import SettingError
from advlab.explain.targets import Case, Target
from advlab.language import N_, _
from advlab.model.victim import Victim
from advlab.records import Layers

TWO_STACKS = N_(
    "These are the encoder's layers. The decoder reads all of its last states, "
    "so there is no one place to read a rollout at; which words each written "
    "token looks at stands above."
)
NO_ATTENTION = N_("This model gives no attention weights, so there is no rollout.")


def layers(case: Case) -> Layers:
    """Attention rollout and ‖∂target/∂h_ℓ‖ of each word, clean and perturbed.

    Rollout: Abnar and Zuidema 2020, arXiv:2005.00928: per layer the mean over heads, half of it and
    half the identity (the residual path), multiplied up from the first layer; read at the position
    that the classifier reads.

    Of an encoder with a decoder these are the layers of the encoder. The decoder reads all of its last
    states, so there is no one place to read a rollout at, and none is given.
    """
    found = [_of_view(case.target, view) for view in case.views.split(1)]
    norms = np.stack([_words(n, case.word_of, squares=True) for n, __, __ in found])  # (2,L+1,W+1)
    reads = found[0][1]
    rolled = [r for __, __, r in found if r is not None]
    missing = _(NO_ATTENTION if _one_stack(case.target.victim) else TWO_STACKS)
    shares = np.stack([_words(r, case.word_of) for r in rolled]) if len(rolled) == 2 else None
    return Layers(
        target=case.target.words,
        gradients_clean=norms[0],
        gradients_adversarial=norms[1],
        rollout_clean=None if shares is None else shares[0],
        rollout_adversarial=None if shares is None else shares[1],
        reads=tuple(int(t) for t in reads),
        note="" if shares is not None else missing,
    )


def rollout(attentions: Sequence[Tensor]) -> Tensor:
    """Attention weights per layer, each (H,T,T) with rows that sum to 1 -> (L,T,T), up to each."""
    T = attentions[0].shape[-1]
    own = torch.eye(T, dtype=attentions[0].dtype, device=attentions[0].device)
    mixed, so_far = [], own
    for layer in attentions:
        so_far = (0.5 * layer.mean(0) + 0.5 * own) @ so_far
        mixed.append(so_far)
    return torch.stack(mixed)


def _of_view(target: Target, embeds: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(1,T,D) -> gradient norms (L+1,T), positions that are read, rollout (L,T) from there."""
    victim = target.victim.view()
    if victim.model._can_set_attn_implementation():
        victim.model.set_attn_implementation("eager")
    single, kept = _one_stack(victim), dict[str, Any]()
    stack = victim.model.base_model if single else victim.model.get_encoder()
    stack.config.output_hidden_states = True
    with contextlib.suppress(ValueError):  # Falcon: no attention written out, so no rollout
        stack.config.output_attentions = single

    def keep(_: object, __: object, output: Any) -> None:
        kept["hidden"] = getattr(output, "hidden_states", None)
        kept["attentions"] = getattr(output, "attentions", None)

    stack.register_forward_hook(keep)
    value = replace(target, victim=victim)(embeds.detach().clone().requires_grad_())
    hidden = kept["hidden"]
    if not hidden or any(h.shape[1] != (embeds if single else hidden[0]).shape[1] for h in hidden):
        raise SettingError(
            _(
                "expected a model that keeps one vector a token in every layer, but {name} "
                "{does}; look at attributions to the words instead",
                name=victim.name,
                does=_("joins tokens on the way") if hidden else _("does not hand its layers out"),
            )
        )
    grads = torch.autograd.grad(value.sum(), hidden, allow_unused=True)
    norms = torch.stack(
        [
            torch.zeros_like(h[0, :, 0]) if g is None else g[0].norm(dim=-1)
            for g, h in zip(grads, hidden, strict=True)
        ]
    )
    reads = (norms[-1] > 1e-12 * norms[-1].max()).nonzero()[:, 0]
    attentions = [a for a in kept["attentions"] or () if a is not None and a.dim() == 4]
    shares = None
    if attentions and len(reads) and all(a.shape[-1] == embeds.shape[1] for a in attentions):
        rolled = rollout([a[0].detach() for a in attentions])  # (L,T,T)
        shares = rolled[:, reads].mean(1).cpu().numpy()
    return norms.detach().cpu().numpy(), reads.cpu().numpy(), shares


def _one_stack(victim: Victim) -> bool:
    """Whether one row of layers leads from the words to the output: no encoder beside a decoder."""
    return not getattr(victim.model.config, "is_encoder_decoder", False)


def _words(values: np.ndarray, word_of: Sequence[int], *, squares: bool = False) -> np.ndarray:
    """(L,T) -> (L,W+1), special tokens last. Norms join as the norm of the joined gradient.

    T may leave out the tokens of an answer, which stand behind the text.
    """
    W = max(word_of, default=-1) + 1
    sums = np.zeros((len(values), W + 1))
    for t, word in enumerate(word_of[: values.shape[1]]):
        sums[:, word if word >= 0 else W] += values[:, t] ** 2 if squares else values[:, t]
    return np.sqrt(sums) if squares else sums
