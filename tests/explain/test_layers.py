"""Rollout against hand-computed numbers, gradients through the layers against autograd and Captum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from translators import EXAMPLES as PAIRS
from translators import KINDS as TRANSLATORS
from translators import shared_translator
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.explain.explore import explore
from advlab.explain.layers import layers, rollout
from advlab.explain.saliency import case_of
from advlab.explain.subject import Subject
from advlab.explain.targets import Case
from advlab.pictures import attributions
from advlab.records import AttackRecord

TEXT = TEXTS[1]
SOME = ("bert", "distilbert", "gpt2")


def case(kind: str) -> tuple[Case, AttackRecord]:
    victim = shared_victim(kind)
    record = explore(victim, TEXT, attack=PGD(1.0, steps=3))
    return case_of(Subject.of(victim, record), record, baseline="zero"), record


def test_rollout_of_two_layers_is_what_one_gets_by_hand() -> None:
    """Two tokens, two heads in the first layer, one in the second; each layer is ½A + ½I."""
    first = torch.tensor([[[1.0, 0.0], [0.6, 0.4]], [[0.6, 0.4], [0.2, 0.8]]])
    second = torch.tensor([[[0.5, 0.5], [1.0, 0.0]]])
    # mean of the heads [[0.8, 0.2], [0.4, 0.6]]; with the residual [[0.9, 0.1], [0.2, 0.8]];
    # second with the residual [[0.75, 0.25], [0.5, 0.5]]; second @ first:
    # [0.75·0.9 + 0.25·0.2, 0.75·0.1 + 0.25·0.8], [0.5·0.9 + 0.5·0.2, 0.5·0.1 + 0.5·0.8]
    by_hand = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.725, 0.275], [0.55, 0.45]]])
    torch.testing.assert_close(rollout([first, second]), by_hand)
    torch.testing.assert_close(rollout([first, second]).sum(-1), torch.ones(2, 2))


@pytest.mark.parametrize("kind", SOME)
def test_the_rollout_of_a_model_is_that_of_its_own_attentions(kind: str) -> None:
    found, record = case(kind)
    shown = layers(found)
    victim = found.target.victim.view()
    victim.model.set_attn_implementation("eager")
    with torch.no_grad():
        out = victim.model.base_model(
            inputs_embeds=found.views[:1],
            output_attentions=True,
            attention_mask=found.target.batch.attention_mask,
        )
    T = found.views.shape[1]
    product = torch.eye(T, dtype=torch.float64)
    for k, weights in enumerate(out.attentions):
        product = (0.5 * weights[0].mean(0) + 0.5 * torch.eye(T, dtype=torch.float64)) @ product
        row = product[list(shown.reads)].mean(0).numpy()
        assert shown.rollout_clean is not None
        for w in range(len(record.words)):
            assert shown.rollout_clean[k, w] == pytest.approx(row[record.word_of == w].sum())
        assert shown.rollout_clean[k, -1] == pytest.approx(row[record.word_of < 0].sum())
    assert shown.reads == ((T - 1,) if kind == "gpt2" else (0,))


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("version", [0, 1])
def test_gradients_of_each_layer_are_autograds(kind: str, version: int) -> None:
    found, record = case(kind)
    shown = layers(found)
    norms = (shown.gradients_clean, shown.gradients_adversarial)[version]
    # from the embeddings on, by hand: the gradient at the model's own input
    x = found.views[version : version + 1].clone().requires_grad_()
    victim = found.target.victim.view()
    kept: list[Tensor] = []
    blocks = next(
        m for name, m in victim.model.named_modules() if name.endswith((".layer", ".h"))
    )  # the stack of layers
    handles = [
        block.register_forward_pre_hook(lambda _, args, **__: kept.append(args[0]))  # type: ignore[attr-defined]
        for block in blocks  # type: ignore[attr-defined]
    ]
    value = replace(found.target, victim=victim)(x)
    for handle in handles:
        handle.remove()
    grads = torch.autograd.grad(value.sum(), kept)
    for k, grad in enumerate(grads):
        row = grad[0].norm(dim=-1).detach().numpy()
        for w in range(len(record.words)):
            expected = np.sqrt((row[record.word_of == w] ** 2).sum())
            assert norms[k, w] == pytest.approx(expected, rel=1e-8)


def test_gradients_times_activations_are_captums_layer_gradient() -> None:
    from captum.attr import LayerGradientXActivation

    found, record = case("bert")
    victim = found.target.victim.view()
    target = replace(found.target, victim=victim)
    layer = victim.model.base_model.encoder.layer[1]
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(
        lambda _, __, out: kept.append(out[0] if isinstance(out, tuple) else out)
    )
    x = found.views[:1].clone().requires_grad_()
    value = target(x)
    handle.remove()
    (grad,) = torch.autograd.grad(value.sum(), kept[0])
    theirs = LayerGradientXActivation(target, layer).attribute(x)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    torch.testing.assert_close((grad * kept[0]).detach(), theirs.detach())
    norms = layers(found).gradients_clean[-1]
    row = grad[0].norm(dim=-1).detach().numpy()
    for w in range(len(record.words)):
        assert norms[w] == pytest.approx(np.sqrt((row[record.word_of == w] ** 2).sum()))


def test_the_table_of_the_layers_holds_what_the_picture_shows() -> None:
    found, record = case("bert")
    shown = layers(found)
    columns = attributions.layer_columns(shown, record.words, "special tokens")
    assert columns["word"] == [*record.words, "(special tokens)"]
    assert set(map(len, columns.values())) == {len(record.words) + 1}
    assert sum(columns["gradient, layer 1"]) == pytest.approx(1.0)
    assert columns["rollout, layer 2"] == pytest.approx(shown.rollout_clean[-1])  # type: ignore[index]
    for figure in (
        attributions.layers(shown, record.words, "special tokens"),
        attributions.layers(deep(shown), record.words, "special tokens"),
    ):
        assert all(heat.texttemplate for heat in figure.data)


def deep(shown):  # type: ignore[no-untyped-def]  a Layers, twelve layers deep
    from dataclasses import replace

    many = {
        name: np.tile(getattr(shown, name)[1:2], (13 if name.startswith("grad") else 12, 1))
        for name in (
            "gradients_clean",
            "gradients_adversarial",
            "rollout_clean",
            "rollout_adversarial",
        )
    }
    return replace(shown, **many)


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_of_an_encoder_with_a_decoder_the_layers_are_the_encoders(kind: str) -> None:
    victim = shared_translator(kind)
    record = explore(victim, PAIRS[0].text, attack=PGD(1.0, steps=2), draws=1, points=3)
    one = case_of(Subject.of(victim, record), record, baseline="zero")
    found = layers(one)
    embeds = one.views[:1].detach().requires_grad_()
    (grad,) = torch.autograd.grad(one.target(embeds).sum(), embeds)
    words = np.zeros(len(record.words))
    for t, word in enumerate(record.word_of):
        if word >= 0:
            words[word] += float(grad[0, t].square().sum())
    assert found.gradients_clean.shape[0] == 3  # the embeddings, and two layers of the encoder
    if "bart" not in kind:  # whose first layer reads its input behind a layer norm
        shown, true = found.gradients_clean[0, :-1], np.sqrt(words)
        np.testing.assert_allclose(shown / shown.sum(), true / true.sum(), rtol=1e-5)
    assert found.rollout_clean is None
    assert "encoder" in found.note
