"""Goals of attacks on written answers: no word stays, a keyword appears."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from translators import EXAMPLES, shared_translator

from advlab.attacks import build_attack
from advlab.errors import SettingError
from advlab.model.victim import Victim
from advlab.tasks import Batch
from advlab.tasks.goals import KeywordsAppear, NoWordStays, far_from, held_back
from advlab.tasks.sequences import NONE


def clean(victim: Victim) -> Batch:
    """The examples with the model's own answers."""
    free = victim.encode([replace(e, answers=()) for e in EXAMPLES])
    said = victim.answers(victim.embed(free), free)
    return victim.encode([replace(e, answers=(a,)) for e, a in zip(EXAMPLES, said, strict=True)])


def test_what_holds_a_goal_back_is_seq2sicks_hinge() -> None:
    out = torch.tensor([[[3.0, 1.0, 0.0], [0.0, 2.0, 5.0], [9.0, 0.0, 0.0]]])
    labels = torch.tensor([[0, 1, NONE]])
    assert held_back(out, labels, end=2).tolist() == [[2.0, 0.0, 0.0]]
    assert held_back(out, labels, end=0).tolist() == [[0.0, 0.0, 0.0]]
    everywhere = torch.ones(1, 3, dtype=torch.bool)
    assert far_from(out, [1], everywhere).tolist() == [[2.0]]
    assert far_from(out, [2], everywhere).tolist() == [[0.0]]
    assert far_from(out, [2], torch.tensor([[True, False, True]])).tolist() == [[3.0]]


def test_two_keywords_never_share_a_place() -> None:
    out = torch.tensor([[[5.0, 4.0, 0.0], [5.0, 0.0, 1.0]]])
    both = torch.ones(1, 2, dtype=torch.bool)
    assert far_from(out, [1, 2], both).tolist() == [[1.0, 4.0]]
    assert far_from(out, [2], both).tolist() == [[4.0]]
    shared = torch.tensor([[[5.0, 4.0, 4.5], [5.0, 0.0, 1.0]]])
    assert far_from(shared, [1, 2], both).tolist() == [[5.0, 0.5]]


@pytest.mark.parametrize("name", ["pgd", "autopgd", "fmn", "deepfool"])
def test_attacks_meet_both_goals_and_say_so(name: str) -> None:
    victim = shared_translator("bart")
    batch = clean(victim)
    embeds = victim.embed(batch).detach()
    labels, end = batch.target["labels"], victim.reader.ending
    word = victim.tokenizer("hund", add_special_tokens=False)["input_ids"][0]
    steps = {"steps": 40} if name != "deepfool" else {}
    attack = build_attack({"name": name, "eps": 8.0, **steps}).at(victim.scale)
    for goal in (
        NoWordStays(victim, batch, victim.reader),
        KeywordsAppear(victim, batch, victim.reader, ["hund"]),
    ):
        assert goal.take(torch.tensor([1])).flips(embeds[1:2]).shape == (1,)
        dice = torch.Generator().manual_seed(0)
        found = attack(goal, embeds, batch.perturbable, dice, flips=goal.flips)
        met = found.first_flip >= 0
        assert met.any(), (name, type(goal).__name__)
        best = victim.output(embeds + found.flip_delta, batch)[met].argmax(-1)
        wanted = labels[met]
        if isinstance(goal, NoWordStays):
            assert not ((best == wanted) & (wanted != NONE) & (wanted != end)).any()
        else:
            assert ((best == word) & (wanted != NONE)).any(1).all()


def test_keywords_must_be_words_that_fit() -> None:
    victim = shared_translator("bart")
    batch = clean(victim)
    for words in ([], ["</s>"], ["hund"] * 40):
        with pytest.raises(SettingError, match="expected"):
            KeywordsAppear(victim, batch, victim.reader, words)
