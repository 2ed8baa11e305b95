"""A task whose head names parts of an answer needs its own file alone: tokens with classes, here."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from names_task import NONE, Names
from transformers import BertConfig, BertForTokenClassification
from victims import sizes_of, word_tokenizer

from advlab.attacks import PGD
from advlab.attacks.evaluate import evaluate
from advlab.errors import SettingError
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.tasks import TASKS
from advlab.training.methods import METHODS, build_method
from advlab.training.methods.base import Step

HEAD = ("other", "person", "place")
EXAMPLES = (
    Example("0", "we saw the movie", ("movie (place)",)),
    Example("1", "actor was never great", ("actor (person), great (place)",)),
    Example("2", "the film was very good", (NONE,)),
)


@lru_cache
def tagger() -> Victim:
    tokenizer = word_tokenizer("bert")
    config = BertConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        num_labels=len(HEAD),
        **(sizes_of("bert", 0.0) | {"initializer_range": 0.3}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BertForTokenClassification(config)
    return Victim(model.eval(), tokenizer, head=HEAD, task=Names(), name="tagger", max_length=32)


def test_the_answers_of_a_data_set_need_not_be_names_of_the_head() -> None:
    data = Dataset("names", HEAD, EXAMPLES[:1], EXAMPLES[1:2], EXAMPLES[2:])
    other = Dataset("names", HEAD, (Example("0", EXAMPLES[0].text, (NONE,)),), *[EXAMPLES[1:2]] * 2)
    assert data.fingerprint != other.fingerprint


def test_a_saved_model_keeps_the_names_of_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "names", Names)
    tagger().save(tmp_path)
    again = Victim.load(tmp_path)
    assert again.head == HEAD
    batch = again.encode(EXAMPLES)
    assert again.answers(again.embed(batch), batch) == tagger().answers(again.embed(batch), batch)


def test_a_sentence_is_explored_for_an_answer_that_is_no_name_of_the_head() -> None:
    record = explore(tagger(), EXAMPLES[0].text, label=NONE, attack=PGD(0.5, steps=3), points=5)
    assert record.reference == NONE
    with pytest.raises(SettingError, match="expected the answer as text"):
        explore(tagger(), EXAMPLES[0].text, label=7, attack=PGD(0.5, steps=3))


def test_whole_data_sets_are_counted() -> None:
    found = evaluate(tagger(), EXAMPLES, PGD(1.0, steps=5), eps=(0.1, 1.0))
    assert found.clean.n == 3


def gradients(victim: Victim, name: str, strength: float) -> list[torch.Tensor]:
    victim.model.zero_grad(set_to_none=True)
    batch, dice = victim.encode(EXAMPLES), torch.Generator().manual_seed(0)
    build_method({"name": name}).backward(victim, batch, Step(strength, dice, {}))
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in victim.model.parameters()]


# free pushes from its second replay on, c-advul asks for wrong answers, which this task does not name
@pytest.mark.parametrize("name", sorted(set(METHODS) - {"free", "c-advul"}))
def test_every_method_teaches_it_and_without_strength_is_plain(name: str) -> None:
    victim = copy.copy(tagger())
    victim.model = copy.deepcopy(tagger().model).requires_grad_()
    plain = gradients(victim, "plain", 1.0)
    for got, wanted in zip(gradients(victim, name, 0.0), plain, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)
    full = gradients(victim, name, 1.0)
    assert all(g.isfinite().all() for g in full)
    assert name == "plain" or any(
        not torch.allclose(a, b) for a, b in zip(full, plain, strict=True)
    )
