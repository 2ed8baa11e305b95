from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from explained import QUICK, SOME, case, score

from advlab.errors import SettingError
from advlab.explain.saliency import METHODS, explain, to_words
from advlab.explain.targets import make_target

WORD_OF = (-1, 0, 0, 1, 2, 2, 2, 3, -1)


def test_signed_word_scores_and_the_remainder_add_up_to_the_tokens() -> None:
    scores = torch.randn(len(WORD_OF), generator=torch.Generator().manual_seed(0))
    words, remainder = to_words(scores, WORD_OF, signed=True)
    assert words.shape == (4,)
    assert float(words.sum()) + remainder == pytest.approx(float(scores.double().sum()), abs=1e-12)
    assert float(words[2]) == pytest.approx(float(scores[4:7].double().sum()), abs=1e-12)
    assert remainder == pytest.approx(float(scores[0].double() + scores[8].double()), abs=1e-12)


def test_unsigned_word_scores_are_lengths_of_the_joined_gradient() -> None:
    parts = torch.randn(len(WORD_OF), 6, generator=torch.Generator().manual_seed(1)).double()
    words, remainder = to_words(parts.norm(dim=1), WORD_OF, signed=False)
    for word in range(4):
        rows = [t for t, w in enumerate(WORD_OF) if w == word]
        assert float(words[word]) == pytest.approx(float(parts[rows].norm()), abs=1e-12)
    assert remainder == pytest.approx(float(parts[[0, 8]].norm()), abs=1e-12)


def test_a_text_of_special_tokens_only_has_no_words() -> None:
    words, remainder = to_words(torch.tensor([1.0, 2.0]), (-1, -1), signed=True)
    assert len(words) == 0
    assert remainder == 3.0
    found = case("bert")
    bare = replace(
        found, word_of=(-1,) * len(found.word_of), ordinary=torch.zeros_like(found.ordinary)
    )
    for method in METHODS:
        assert len(explain(method, bare, **QUICK.get(method, {})).clean.words) == 0


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("method", [m for m in METHODS if m != "deep_lift"])
def test_words_and_remainder_add_up_to_the_sub_words_for_every_method(
    kind: str, method: str
) -> None:
    found = case(kind)
    shown = explain(method, found, **QUICK.get(method, {}))
    assert shown.clean.tokens.shape == shown.perturbed.tokens.shape == (len(found.word_of),)
    assert not np.allclose(shown.clean.tokens, shown.perturbed.tokens)
    power = 1 if shown.signed else 2
    for _, one in shown.versions:
        tokens, words, rest = one.tokens, one.words, one.remainder
        assert (words**power).sum() + rest**power == pytest.approx((tokens**power).sum(), abs=1e-9)
    assert shown.target == "logit of maybe − logit of no"
    assert shown.title == METHODS[method].title


@pytest.mark.parametrize("method", [m for m, known in METHODS.items() if known.baseline])
def test_special_tokens_get_nothing_from_methods_that_keep_them(method: str) -> None:
    if method == "deep_lift":
        pytest.skip("withheld on this model")
    found = case("bert")
    scores = METHODS[method].run(found, **QUICK.get(method, {})).tokens
    assert (scores[:, ~found.ordinary] == 0).all()
    assert (scores[:, found.ordinary] != 0).any()


def test_every_target_is_what_it_says() -> None:
    found = case("bert")
    victim, batch = found.target.victim, found.target.batch.with_target(labels=torch.tensor([1]))
    with torch.no_grad():
        logits = victim.output(found.views[:1], batch)[0]
    order = logits.argsort(descending=True).tolist()
    value = {
        kind: float(make_target(victim, batch, logits[None], kind)(found.views[:1]).detach())
        for kind in ("margin", "logit", "loss")
    }
    assert value["margin"] == pytest.approx(float(logits[order[0]] - logits[order[1]]))
    assert value["logit"] == pytest.approx(float(logits[order[0]]))
    assert value["loss"] == pytest.approx(float(-logits.log_softmax(-1)[1]))
    pair = make_target(victim, batch, logits[None], "margin", "yes", 0)
    assert float(pair(found.views[:1]).detach()) == pytest.approx(float(logits[1] - logits[0]))
    assert pair.words == "logit of yes − logit of no"


def test_perturbed_text_explains_the_class_of_the_clean_one() -> None:
    found = case("bert")
    far = torch.cat([found.views[:1], -3 * found.views[:1]])
    shown = explain("input_x_gradient", replace(found, views=far))
    with torch.no_grad():
        value = float(score(found.target, far[1:]))
    assert shown.perturbed.value == pytest.approx(value)


def test_mistakes_are_named_with_what_would_be_right() -> None:
    found = case("bert")
    with pytest.raises(SettingError, match="'magic'; choose from deep_lift, feature_ablation"):
        explain("magic", found)
    with pytest.raises(SettingError, match="setting of saliency 'steps'"):
        explain("saliency", found, steps=3)
    for steps in (0, 2.5, 10**6, True):
        with pytest.raises(SettingError, match="whole number from 1 to 1024 for steps"):
            explain("integrated_gradients", found, steps=steps)
    clean = torch.tensor([[0.2, 0.3, 0.5]])
    target = found.target
    with pytest.raises(SettingError, match="two different classes"):
        make_target(target.victim, target.batch, clean, "margin", 1, "yes")
    with pytest.raises(SettingError, match="a class among no, yes, maybe"):
        make_target(target.victim, target.batch, clean, "logit", "nope")
    with pytest.raises(SettingError, match="'odds'"):
        make_target(target.victim, target.batch, clean, "odds")
    with pytest.raises(SettingError, match="'none'; choose from"):
        _ = case("bert", baseline="none").start
    with pytest.raises(SettingError, match="no such token; choose among pad, zero, mean"):
        _ = case("gpt2", baseline="mask").start
