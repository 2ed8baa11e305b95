from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from explored import ATTACK, TEXT, same
from speakers import EXAMPLES as TALKS
from speakers import shared_speaker
from victims import chances, make_victim, shared_victim

from advlab.attacks import FGM, PGD
from advlab.data import CORPORA
from advlab.errors import DataError, SettingError
from advlab.explain.explore import MAX_CHARACTERS, SALIENCY_METHODS, analyse, explore
from advlab.model.victim import Victim
from advlab.records import Dataset, Example


@lru_cache
def reader() -> Victim:
    """A random tiny model with a real sub-word tokenizer, float32."""
    from advlab.model.tiny import tiny_victim

    texts = tuple(
        Example(str(i), text, (("negative", "positive")[i % 2],))
        for i, text in enumerate(CORPORA["reviews"].showcase)
    )
    data = Dataset("tests", ("negative", "positive"), texts, texts, texts)
    return tiny_victim("tiny", data, max_length=48)


@pytest.mark.parametrize("training", [False, True])
def test_the_victim_is_left_as_it_was_found_after_errors_too(training: bool) -> None:
    victim = make_victim("bert", dropout=0.1)
    victim.model.train(training)
    first = next(iter(victim.model.parameters()))
    first.requires_grad_(False)
    last = list(victim.model.parameters())[-1]
    last.grad = torch.full_like(last, 3.0)
    weights = {k: v.clone() for k, v in victim.model.state_dict().items()}

    def unchanged() -> None:
        assert all(module.training is training for module in victim.model.modules())
        assert [p.requires_grad for p in victim.model.parameters()][:2] == [False, True]
        assert torch.equal(last.grad, torch.full_like(last, 3.0))  # type: ignore[arg-type]
        assert all(p.grad is None for p in list(victim.model.parameters())[:-1])
        for name, value in victim.model.state_dict().items():
            assert torch.equal(value, weights[name])

    explore(victim, TEXT, attack=ATTACK)
    unchanged()
    with pytest.raises(SettingError):
        explore(victim, TEXT, label="nonsense", attack=ATTACK)
    unchanged()


def test_a_victim_in_training_gets_the_record_of_one_at_rest() -> None:
    victim = make_victim("bert", dropout=0.3)
    at_rest = explore(victim, TEXT, attack=ATTACK)
    victim.model.train()
    assert same(explore(victim, TEXT, attack=ATTACK), at_rest)


def test_two_threads_on_views_of_one_victim_get_what_one_alone_gets() -> None:
    victim = reader()
    cases = [("slow, but good", PGD(0.5, steps=3)), ("never again, however fine", FGM(0.3))]
    options: dict[str, Any] = {"points": 5, "draws": 2}
    alone = [explore(victim, text, attack=a, **options) for text, a in cases]
    wrong: list[str] = []

    def work(i: int) -> None:
        try:
            text, attack = cases[i]
            view = victim.view()
            for _ in range(50):
                if not same(explore(view, text, attack=attack, **options), alone[i]):
                    wrong.append(f"{i} differs")
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\x00", "[CLS] [SEP]", "\u200b"])
def test_a_text_with_nothing_to_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(DataError, match=r"expected .* got .*; type"):
        explore(reader(), text, attack=ATTACK)


def test_a_text_of_marks_only_is_refused_by_a_decoder_too() -> None:
    with pytest.raises(DataError, match="type a sentence"):
        explore(shared_victim("llama"), "</s> <s>", attack=ATTACK)


@pytest.mark.parametrize("label", ["wonderful", 2, -1, 99, "1"])
def test_a_label_that_the_model_lacks_is_refused_with_those_it_has(label: int | str) -> None:
    with pytest.raises(SettingError, match="negative, positive"):
        explore(reader(), "good", label=label, attack=ATTACK)


def test_a_label_may_be_a_name_or_a_number() -> None:
    quick: dict[str, Any] = {"attack": FGM(0.3), "points": 3}
    named = explore(reader(), "good", label="positive", **quick)
    assert named.reference == "positive"
    assert named.given
    assert same(named, explore(reader(), "good", label=1, **quick))


def test_a_long_text_is_cut_and_says_so() -> None:
    quick: dict[str, Any] = {"attack": FGM(0.3), "points": 3}
    long = explore(reader(), "good film " * 50, **quick)
    assert len(long.tokens) == 48
    assert len(long.notes) == 1
    assert "first 48 of" in long.notes[0]
    huge = explore(reader(), "good film " * 2001, **quick)
    assert len(huge.text) == MAX_CHARACTERS
    assert "Only the first 20,000 of 20,010 characters were read." in huge.notes
    assert explore(reader(), "good film", **quick).notes == ()


STRANGE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
    "مرحبا بالعالم good שלום",
    "\u202egood film\u202c",
    "great 👩‍👩‍👧‍👦 film 🎬",
    "half \ud83d a pair",
    "a\x00b\x07c\ufffd",
    "good [SEP] bad [MASK] [PAD] fine",
    "＂full width＂ ﷺ Ａ é é",
    "a" * 3000,
    "'; DROP TABLE runs; --",
)


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_texts_do_not_crash_and_words_cover_all_ordinary_tokens(text: str) -> None:
    from advlab.pictures.tables import to_json

    record = explore(reader(), text, attack=PGD(0.5, steps=2), points=5, draws=2)
    assert (record.delta[~record.perturbable] == 0).all()
    assert (record.word_of[record.perturbable] >= 0).all()
    assert record.word_of.max() + 1 == len(record.words)
    for word in record.words:
        assert word in record.text
    for method in SALIENCY_METHODS:
        found = analyse(reader(), record, "saliency", method=method)
        assert len(found.clean.words) == len(record.words)
    to_json(record).encode()  # no lone surrogate is left


def test_random_text_never_crashes() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.text(min_size=1, max_size=60))
    def check(text: str) -> None:
        try:
            record = explore(reader(), text, attack=FGM(0.3), points=3, draws=1)
        except DataError:
            return
        assert np.isfinite(chances(record.attacked)[0]).all()

    check()


def test_an_answer_that_falls_into_other_tokens_than_were_written_is_told_as_such() -> None:
    victim = shared_speaker("gpt2")  # writes bytes that spell no sign
    found = [explore(victim, e.text, attack=FGM(0.1), draws=1, points=2) for e in TALKS]
    assert any(record.clean.broken[0] for record in found)
    for record in found:
        assert any("other tokens" in note for note in record.notes) == record.clean.broken[0]
