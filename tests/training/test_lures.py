from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from seam_tasks import examples_of, make_seam
from speakers import EXAMPLES as SPOKEN
from speakers import TALKS, make_speaker, shared_speaker
from torch import Tensor
from translators import EXAMPLES as TRANSLATED
from translators import make_translator, shared_translator
from victims import LABELS, gradients, labelled, make_victim, shared_victim

from advlab.attacks.norms import project, steepest
from advlab.errors import SettingError
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks import Batch
from advlab.tasks.sequences import NONE, likest_others
from advlab.training.methods import Step
from advlab.training.methods.base import Plain
from advlab.training.methods.lures import Unlikelihood, fitted, mistaken


def case(kind: str) -> tuple[Victim, Batch]:
    """A model in training mode, with its batch."""
    if kind == "bert":
        victim = make_victim("bert")
        batch = labelled(victim)
    elif kind == "bart":
        victim = make_translator("bart")
        batch = victim.encode(TRANSLATED)
    else:
        victim = make_speaker(kind)
        batch = victim.encode(SPOKEN)
    victim.scale  # measured before training
    victim.model.train()
    return victim, batch


def by_hand(victim: Victim, batch: Batch, wrong: Batch, method: Unlikelihood) -> list[Tensor]:
    """The gradient of the three terms at a δ that is found by a loop of its own."""
    eps = method.radius(victim, 1.0)
    x = victim.embed(wrong).detach()
    allowed, delta = wrong.perturbable.unsqueeze(-1), torch.zeros_like(x)
    for _ in range(method.steps):
        delta = delta.requires_grad_()
        (g,) = torch.autograd.grad(victim.objective(wrong)(x + delta).sum(), delta)
        moved = delta.detach() - method.step_size * eps * steepest(g * allowed, "l2", "example")
        delta = project(moved, eps, "l2", "example")
    T = batch.input_ids.shape[1]
    own = torch.zeros(len(batch), T, x.shape[2], dtype=x.dtype)
    n = min(T, x.shape[1])
    own[:, :n] = delta[:, :n]
    clean = victim.objective(batch, training=True)(victim.embed(batch))
    kept = victim.objective(batch)(victim.embed(batch) + own)
    lured = victim.objective(wrong)(victim.embed(wrong) + delta)
    loss = clean + method.toward * kept - method.away * lured.clamp_max(method.away_cut)
    victim.model.zero_grad(set_to_none=True)
    loss.mean().backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in victim.model.parameters()]


@pytest.mark.parametrize("kind", ["bert", "bart", "gpt2", "llama"])
def test_the_gradient_is_that_of_its_three_terms_at_the_luring_delta(kind: str) -> None:
    victim, batch = case(kind)
    wrong = mistaken(victim, batch, torch.Generator().manual_seed(1))
    atol = 1e-5 if kind == "llama" else 1e-9  # Llama's norm layers compute in float32
    for cut in (0.5, 50.0):  # reached by some, by none
        method = Unlikelihood(0.3, steps=3, away=0.7, away_cut=cut)
        found, wanted = gradients(victim, batch, method), by_hand(victim, batch, wrong, method)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("kind", ["bert", "bart", "gpt2", "llama"])
def test_without_strength_it_is_plain_training(kind: str) -> None:
    victim, batch = case(kind)
    plain = gradients(victim, batch, Plain())
    for found in (
        gradients(victim, batch, Unlikelihood(), strength=0.0),
        gradients(victim, batch, Unlikelihood(eps=0.0)),
    ):
        assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))


def test_a_hidden_layer_may_be_pushed_towards_the_wrong_reply() -> None:
    victim, batch = case("gpt2")
    method = Unlikelihood(0.3, site="hidden", layer=1)
    told = method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(1)))
    assert told["delta_norm"] > 0
    assert told["wrong_loss"] > 0


def test_more_steps_make_the_wrong_answer_likelier_and_the_right_one_less() -> None:
    victim, batch = case("gpt2")
    told = [
        Unlikelihood(2.0, steps=n, step_size=0.25).backward(victim, batch, Step()) for n in (1, 10)
    ]
    assert told[1]["wrong_loss"] < told[0]["wrong_loss"]
    assert told[1]["clean_loss"] == pytest.approx(told[0]["clean_loss"])


def test_beyond_the_cut_off_a_wrong_answer_teaches_nothing() -> None:
    victim, batch = case("gpt2")
    found = gradients(victim, batch, Unlikelihood(0.3, toward=0.0, away_cut=0.0))
    for a, b in zip(found, gradients(victim, batch, Plain()), strict=True):
        torch.testing.assert_close(a, b)


# ---- wrong answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bart", "gpt2"])
def test_a_wrong_answer_is_anothers_and_wanted_only_where_it_differs(kind: str) -> None:
    dialogue = kind == "gpt2"
    victim = shared_speaker(kind) if dialogue else shared_translator(kind)
    texts = [t for t, _ in TALKS] if dialogue else [e.text for e in TRANSLATED]
    words = ["a great plot", "a dull plot", "fine", "a great plot"]
    if not dialogue:
        words = ["der alte mann", "der kleine mann", "sie singt", "der alte mann"]
    examples = [Example(str(i), t, (w,)) for i, (t, w) in enumerate(zip(texts, words, strict=True))]
    batch = victim.encode(examples)
    wrong = mistaken(victim, batch, None)
    others = [replace(e, answers=(words[i],)) for e, i in zip(examples, (1, 0, 0, 1), strict=True)]
    whole = victim.encode(others)  # the likest other's answer, laid out as any answer is
    assert torch.equal(wrong.input_ids, whole.input_ids)
    assert torch.equal(wrong.attention_mask, whole.attention_mask)
    own, theirs = batch.target["labels"], whole.target["labels"]
    U = min(own.shape[1], theirs.shape[1])
    for row, found in enumerate(wrong.target["labels"].tolist()):
        assert any(i != NONE for i in found)
        for u, token in enumerate(found):
            here = int(theirs[row, u])
            assert token == (NONE if u < U and here == own[row, u] else here)
    assert torch.equal(wrong.perturbable, wrong.segment == 0)
    same = batch.perturbable.nonzero().tolist()  # δ has its places in both
    assert same == wrong.perturbable.nonzero().tolist()


def test_the_likest_other_answer_differs_in_fewest_places() -> None:
    labels = torch.tensor([[5, 6, 7], [5, 6, 8], [5, 9, 8], [5, 6, 7], [1, 2, NONE]])
    assert likest_others(labels) == [1, 0, 1, 1, 0]
    assert likest_others(labels[:1]) == [None]


def test_texts_that_are_all_answered_alike_are_only_kept() -> None:
    victim, _ = case("gpt2")
    batch = victim.encode([replace(e, answers=("fine",)) for e in SPOKEN])
    told = Unlikelihood(0.3).backward(victim, batch, Step())
    assert told["wrong_loss"] == 0
    assert told["delta_norm"] == 0


def test_a_class_is_exchanged_for_another() -> None:
    victim = shared_victim("bert")
    batch = labelled(victim)
    dice = torch.Generator().manual_seed(0)
    drawn = [mistaken(victim, batch, dice).target["labels"] for _ in range(30)]
    assert all((found != batch.target["labels"]).all() for found in drawn)
    first = int(batch.target["labels"][0])
    assert {int(found[0]) for found in drawn} == set(range(len(LABELS))) - {first}


def test_a_task_that_names_no_wrong_answers_is_refused_in_words() -> None:
    victim = make_seam("bert")
    batch = victim.encode(examples_of("bert"))
    with pytest.raises(SettingError, match="that can name a wrong answer to a text, got Spans"):
        Unlikelihood().backward(victim, batch, Step())


def test_delta_keeps_its_places_whatever_answer_stands_behind() -> None:
    batch = shared_speaker("gpt2").encode(SPOKEN)
    T = batch.input_ids.shape[1]
    for width in (T - 3, T, T + 3):
        delta = torch.arange(float(len(batch) * width * 2)).reshape(len(batch), width, 2)
        found = fitted(delta, batch)
        assert found.shape == (len(batch), T, 2)
        n = min(T, width)
        assert torch.equal(found[:, :n], delta[:, :n])
        assert not found[:, n:].any()
