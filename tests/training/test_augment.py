from __future__ import annotations

import random
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from task_cases import KINDS, case

from advlab.attacks.text.edits import BUILT_IN, synonym, typo
from advlab.records import Example
from advlab.records.turns import turns_of
from advlab.runs.config import Augmentation, RunConfig
from advlab.tasks import Tokens
from advlab.training import augment
from advlab.training.augment import TrainingTexts, augmented, generator_for

TEXT = "The film was good, but I would never watch it again."


def changed(text: str = TEXT, seed: int = 0, **rates: float) -> str:
    settings = Augmentation(augmented=1.0, **rates)
    made = augmented(settings, Example("a", text, ("good",)), random.Random(seed))
    assert (made.id, made.answers) == ("a", ("good",))
    return made.text


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text)


@given(st.text(max_size=60), st.integers(0, 99))
def test_nothing_is_changed_at_rate_zero_and_no_text_becomes_empty(text: str, seed: int) -> None:
    if text.strip():
        assert words(changed(text, seed)) == words(text)
        assert changed(text, seed, word_dropout=0.9, word_swap=0.5, synonyms=0.5, typos=0.5).strip()


def test_the_turns_of_a_history_stay_with_their_speakers_and_none_is_emptied() -> None:
    text = "User: I need a ticket.\nBot: From which city?\nUser: From Bern, please."
    for seed in range(20):
        rates = dict.fromkeys(("word_dropout", "word_swap", "synonyms", "typos"), 0.8)
        made = turns_of(changed(text, seed, **rates))
        assert [turn.speaker for turn in made] == ["User", "Bot", "User"]
        assert "ticket" not in made[1].text + made[2].text
        assert all(words(turn.text) for turn in made)


def test_dropping_leaves_words_out_and_keeps_the_order() -> None:
    left = words(changed(word_dropout=0.5))
    rest = iter(words(TEXT))
    assert len(left) < len(words(TEXT))
    assert all(word in rest for word in left)


def test_swapping_keeps_the_words() -> None:
    assert sorted(words(changed(word_swap=0.5))) == sorted(words(TEXT))
    assert words(changed(word_swap=0.5)) != words(TEXT)


def test_synonyms_come_from_the_list_in_the_words_own_case_else_from_the_embeddings() -> None:
    generator = random.Random(0)
    assert synonym("Good", generator, {}) in {w.capitalize() for w in BUILT_IN["good"]}
    assert synonym("AWFUL", generator, {}) in {w.upper() for w in BUILT_IN["awful"]}
    assert synonym("zebra", generator, {}) == "zebra"
    assert synonym("zebra", generator, {"zebra": ("horse",)}) == "horse"
    assert synonym("good", generator, {"good": ("zebra",)}) != "zebra"


def test_the_list_is_mutual_and_holds_no_word_twice() -> None:
    for word, others in BUILT_IN.items():
        assert word not in others
        assert len(set(others)) == len(others)
        assert all(word in BUILT_IN[other] for other in others), word


@pytest.mark.parametrize("seed", range(30))
def test_a_typo_is_one_slip_away(seed: int) -> None:
    word = "wonderful"
    slip = typo(word, random.Random(seed))
    assert abs(len(slip) - len(word)) <= 1
    assert slip[0] == "w"
    assert sum(a != b for a, b in zip(slip, word, strict=False)) <= len(word)
    assert typo("it", random.Random(seed)) == "it"


def test_the_draws_depend_on_seed_epoch_and_place_alone() -> None:
    rates = Augmentation(augmented=1.0, word_dropout=0.3, typos=0.3)
    example = Example("a", TEXT, ("bad",))
    texts = {
        key: augmented(rates, example, generator_for(*key)).text
        for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    }
    assert len(set(texts.values())) == 4
    assert augmented(rates, example, generator_for(0, 0, 0)).text == texts[0, 0, 0]


def test_only_a_part_of_the_texts_is_changed() -> None:
    rates = Augmentation(augmented=0.25, word_dropout=0.9)
    found = [
        augmented(rates, Example("a", TEXT), generator_for(0, 0, i)).text != TEXT
        for i in range(400)
    ]
    assert 60 <= sum(found) <= 140
    assert not Augmentation(word_dropout=0.0).active
    assert Augmentation(typos=0.1).active


def test_in_chinese_texts_characters_are_dropped_and_swapped_one_by_one() -> None:
    text = "汤很淡，但是牛肉非常嫩。"
    for seed in range(20):
        dropped = augmented(
            Augmentation(augmented=1.0, word_dropout=0.3), Example("a", text), random.Random(seed)
        ).text
        left = iter(text)
        assert all(sign in left for sign in dropped)  # what is left stands in its order
        assert 2 < len(dropped) <= len(text)
        swapped = augmented(
            Augmentation(augmented=1.0, word_swap=0.3), Example("a", text), random.Random(seed)
        ).text
        assert sorted(swapped) == sorted(text)
        assert [i for i, sign in enumerate(swapped) if sign in "，。"] == [3, 11]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_kept_tokens_are_those_of_texts_read_anew(kind: str) -> None:
    victim, examples = case(kind)
    tokens = victim.reader.tokens_of(examples)
    kept = TrainingTexts(examples, victim, RunConfig(), tokens)
    anew = TrainingTexts(examples, victim, RunConfig())
    for places in ([0, 1], [2, 0], [1]):
        one, other = kept.batch(victim, places, 0), anew.batch(victim, places, 0)
        assert one.tokens[0] is tokens[places[0]]
        assert torch.equal(one.input_ids, other.input_ids)
        assert torch.equal(one.perturbable, other.perturbable)
        assert one.target.keys() == other.target.keys()
        assert all(torch.equal(one.target[name], other.target[name]) for name in one.target)


def test_tokens_are_not_kept_of_texts_that_change_or_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    victim, examples = case("qa")
    tokens: list[Tokens] = victim.reader.tokens_of(examples)
    changing = RunConfig(augment=Augmentation(word_dropout=0.1))
    assert not TrainingTexts(examples, victim, changing, tokens).tokens
    monkeypatch.setattr(augment, "MOST_KEPT", 10)
    assert not TrainingTexts(examples, victim, RunConfig(), tokens).tokens
