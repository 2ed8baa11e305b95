"""A text, its tiny model and its target, and what an explanation is made of, taken by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from victims import TEXTS, shared_victim

from advlab.explain.saliency import to_words
from advlab.explain.targets import BASELINES, Case, Target, make_target
from advlab.model.victim import Victim
from advlab.records import Reading

SOME = ("bert", "distilbert", "gpt2")
TEXT = TEXTS[1]
QUICK: dict[str, dict[str, float]] = {
    "smooth_grad": {"samples": 6},
    "gradient_shap": {"samples": 8},
    "kernel_shap": {"samples": 80},
    "lime": {"samples": 80},
}


def case(kind: str, text: str = TEXT, baseline: str = "pad", victim: Victim | None = None) -> Case:
    """A margin of one text, clean and perturbed, two tokens a word, in float64."""
    victim = victim or shared_victim(kind)
    batch = victim.encode([text])
    clean = victim.embed(batch).detach()
    dice = torch.Generator().manual_seed(3)
    noise = torch.randn(clean.shape, generator=dice, dtype=clean.dtype)
    free = batch.perturbable[0]
    moved = clean + 0.1 * noise * free[None, :, None]
    places = (free.cumsum(0) - 1).tolist()
    word_of = tuple(p // 2 if f else -1 for p, f in zip(places, free.tolist(), strict=True))
    return Case(aimed(victim, batch), torch.cat([clean, moved]), word_of, free, baseline)


def aimed(victim: Victim, batch: Any) -> Target:
    """The margin of class 2 over class 0."""
    return make_target(victim, batch, torch.zeros(1, 3), "margin", 2, 0)


def score(target: Target, embeds: Tensor) -> Tensor:
    """The margin written out, without the class under test: (1,T,D) -> ()."""
    logits = target.victim.output(embeds, target.batch)[0]
    return logits[2] - logits[0]


def gradient(target: Target, embeds: Tensor) -> Tensor:
    x = embeds.clone().requires_grad_()
    return torch.autograd.grad(score(target, x), x)[0]


def baseline_of(found: Case, view: Tensor) -> Tensor:
    victim, start = found.target.victim, view.clone()
    for t, free in enumerate(found.target.batch.perturbable[0].tolist()):
        if free:
            start[0, t] = victim.table[victim.tokenizer.pad_token_id]
    return start


def without(found: Case, view: Tensor, words: Any, baseline: str = "pad") -> Tensor:
    """The view with the tokens of some words replaced, by hand."""
    row = BASELINES[baseline].row(found.target.victim)
    assert row is not None
    start = view.clone()
    for t, word in enumerate(found.word_of):
        if word in words:
            start[0, t] = row
    return start


def by_word(found: Case, tokens: Tensor) -> Tensor:
    return to_words(tokens, found.word_of, signed=True)[0]


class Linear:
    """A model whose logits are linear in the embeddings: Σₜ aₜ·W eₜ."""

    def __init__(self, victim: Victim, T: int) -> None:
        dice = torch.Generator().manual_seed(0)
        D = victim.table.shape[1]
        self.weight = torch.randn(T, D, 3, generator=dice, dtype=torch.float64)
        self.table, self.tokenizer, self.ordinary = victim.table, victim.tokenizer, victim.ordinary
        self.head, self.scale = victim.head, victim.scale
        self.task, self.reader = victim.task, victim.reader

    def output(self, embeds: Tensor, batch: Any) -> Tensor:
        assert len(batch) == len(embeds)
        return torch.einsum("btd,tdc->bc", embeds, self.weight)

    def read(self, embeds: Tensor, batch: Any) -> Reading:
        many = batch.repeat(len(embeds))
        out = self.output(embeds, many)
        return self.task.read(out, many, out, many, self.reader)


def linear_case() -> tuple[Case, Tensor]:
    """A case of the linear model, and the slope of its margin (T,D)."""
    found = case("bert")
    model: Any = Linear(found.target.victim, found.views.shape[1])
    found = replace(found, target=aimed(model, found.target.batch))
    return found, model.weight[:, :, 2] - model.weight[:, :, 0]
