"""Alignments of written tokens with source words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from translators import EXAMPLES, KINDS, make_translator, shared_translator
from victims import shared_victim

from advlab.data import normal_forms
from advlab.errors import SettingError
from advlab.explain.alignments import align, alignment_error, true_alignment


@pytest.mark.parametrize("kind", KINDS)
def test_both_matrices_have_a_row_a_token_and_a_column_a_word(kind: str) -> None:
    victim = shared_translator(kind)
    for example in EXAMPLES[:2]:
        found = align(victim, example)
        U, W = len(found.written), len(found.words)
        assert found.words == tuple(example.text.split())
        assert found.written[-1] == "</s>"
        assert found.attention.shape == found.gradient.shape == (U, W)
        assert (found.attention.sum(1) <= 1 + 1e-6).all()  # the end of the source has some
        np.testing.assert_allclose(found.gradient.sum(1), 1)
        assert found.attention_error is None


def test_rows_of_the_gradient_are_those_of_single_tokens() -> None:
    victim = shared_translator("bart")
    batch = victim.encode(EXAMPLES[:1])
    embeds = victim.embed(batch).detach().requires_grad_()
    log = victim.output(embeds, batch).log_softmax(-1)
    (grad,) = torch.autograd.grad(log[0, 2, batch.target["labels"][0, 2]], embeds)
    alone = (grad * embeds)[0, :6].sum(-1).abs().detach().numpy()
    np.testing.assert_allclose(align(victim, EXAMPLES[0]).gradient[2], alone / alone.sum())


def test_the_model_is_left_as_it_was_found() -> None:
    victim = make_translator("bart")
    before = victim.model.config._attn_implementation
    align(victim, replace(EXAMPLES[0], answers=()))
    assert victim.model.config._attn_implementation == before
    assert all(p.grad is None for p in victim.model.parameters())


def test_an_alignment_errs_where_its_strongest_word_is_no_true_one() -> None:
    strength = np.array([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0], [0.4, 0.6]])
    assert alignment_error(strength, [{0}, {0}, set(), {0, 1}]) == pytest.approx(1 / 3)
    assert alignment_error(strength, [set()] * 4) is None
    example = normal_forms.build().test[0]
    truth = true_alignment(example)
    assert truth is not None
    assert len(truth) == len(example.answers[0].split())
    assert true_alignment(EXAMPLES[0]) is None


def test_a_model_without_a_decoder_has_no_alignment() -> None:
    with pytest.raises(SettingError, match="an encoder and a decoder"):
        align(shared_victim("bert"), EXAMPLES[0])
