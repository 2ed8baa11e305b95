"""Chinese text in a model from scratch: a character is a token, in every view and on the way back."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from advlab.attacks import PGD
from advlab.attacks.hotflip import HotFlip
from advlab.capsule.format import load, save
from advlab.capsule.page import page
from advlab.capsule.verify import verify
from advlab.explain.explore import analyse, explore
from advlab.model.tiny import tiny_victim
from advlab.model.unseen import Unseen, told, unseen, words_of
from advlab.model.victim import Victim
from advlab.pictures.reel import film
from advlab.records import AttackRecord, Dataset, Example
from advlab.studies.carryover import with_worst_word
from advlab.studies.parts import slices_of
from advlab.studies.parts import words_of as counted_words

HEAD = ("差评", "好评")
TEXTS = (
    "汤很淡，但是牛肉非常嫩。",
    "味道很好，可惜上菜太慢了！",
    "虽然排队时间长，服务员却很热情。",
    "谁说房间不干净？我很满意。",
    "不是不好吃，是太贵了。",
    "手机很好用，续航时间长，信号也强。",
)
MIXED = "用iphone 15拍的wifi照片，3分钟就很好！"


@lru_cache
def victim() -> Victim:
    rows = tuple(Example(str(i), t, (HEAD[i % 2],)) for i, t in enumerate(TEXTS))
    return tiny_victim("tiny", Dataset("texts", HEAD, rows, rows, rows), max_length=48)


@lru_cache
def record(text: str = TEXTS[1]) -> AttackRecord:
    return explore(victim(), text, attack=PGD(0.5, steps=4, step_size=0.3), points=5, draws=3)


@pytest.mark.parametrize("text", TEXTS)
def test_a_character_is_a_token_and_a_word_and_stands_where_it_is_written(text: str) -> None:
    tokens = victim().reader.tokens(Example("0", text))
    assert tokens.words == tuple(text)
    assert [text[a:b] for a, b in tokens.spans] == ["", *text, ""]
    assert victim().vocabulary.texts(tokens.ids[1:-1]) == list(text)
    assert victim().tokenizer.unk_token_id not in tokens.ids


def test_letters_and_digits_among_characters_are_words_of_their_own_and_never_unknown() -> None:
    tokens = victim().reader.tokens(Example("0", MIXED))
    assert tokens.words[:6] == ("用", "iphone", "15", "拍", "的", "wifi")
    assert tokens.words[8:12] == ("，", "3", "分", "钟")
    letters = [
        i for i, (a, b) in zip(tokens.ids, tokens.spans, strict=True) if MIXED[a:b].isascii()
    ]
    assert victim().tokenizer.unk_token_id not in letters


@pytest.mark.parametrize("text", [*TEXTS, "手机，信号很好wifi 3g好"])
def test_what_tokens_spell_is_the_text_without_a_blank_between_characters(text: str) -> None:
    reader = victim().reader
    tokens = reader.tokens(Example("0", text))
    assert reader.retold(tokens, tokens.ids) == text
    assert reader.spell(reader.tokens(Example("0", "good food , 12 times")).ids[1:-1]) == (
        "good food, 12 times"
    )


def test_characters_that_training_never_had_are_told() -> None:
    found = unseen(victim(), ["饕餮很好吃，iphone也好。"])
    assert [one.word for one in found] == ["饕", "餮", "iphone"]
    assert found[0] == Unseen("饕", ("[UNK]",))
    assert told(found).startswith("饕, 餮 — read as [UNK]")


def test_of_other_tokenizers_too_a_character_is_a_word() -> None:
    class Pieces:
        backend_tokenizer = None

    assert words_of(Pieces(), ["味道很好wifi"]) == {"味", "道", "很", "好", "wifi"}


def test_a_sentence_is_attacked_and_read_token_by_token() -> None:
    made = record()
    assert made.tokens == ("[CLS]", *TEXTS[1], "[SEP]")
    assert made.words == tuple(TEXTS[1])
    assert made.delta_norm.shape == (len(TEXTS[1]) + 2,)
    assert made.round_trip_text == TEXTS[1]  # no vector left its own token
    assert made.round_trip_tokens == made.tokens


@pytest.mark.parametrize("method", ["saliency", "leave_one_out", "integrated_gradients"])
def test_attributions_have_a_value_a_character(method: str) -> None:
    found = analyse(victim(), record(), "saliency", method=method)
    for _, one in found.versions:
        assert one.words.shape == (len(TEXTS[1]),)
        assert np.isfinite(one.words).all()


def test_the_film_names_every_character() -> None:
    reel = film([record()], [analyse(victim(), record(), "film")])
    assert tuple(TEXTS[1]) == tuple(t for t in reel.data()["panels"][0]["tokens"] if len(t) == 1)


def test_a_capsule_of_a_chinese_sentence_is_opened_verified_and_drawn() -> None:
    source = save(record(), victim().tokenizer_hash, made="2026-01-01 00:00:00 UTC")
    capsule = load(source.encode())
    assert capsule.text == TEXTS[1]
    assert verify(capsule, victim()).verified
    assert TEXTS[1] in page(capsule, source)


def test_words_are_replaced_by_characters_within_the_text() -> None:
    rows = [Example(str(i), t, (HEAD[i % 2],)) for i, t in enumerate(TEXTS[:3])]
    batch = victim().encode(rows)
    found = HotFlip(1)(victim(), batch)
    changed = with_worst_word(victim(), rows)
    for row, one in zip(rows, changed, strict=True):
        assert len(one.text) == len(row.text)
        assert sum(a != b for a, b in zip(one.text, row.text, strict=True)) == 1
    assert (found.input_ids != batch.input_ids).sum(1).le(1).all()


def test_parts_of_the_data_count_characters_and_know_negation() -> None:
    rows = [Example(str(i), t, (HEAD[i % 2],)) for i, t in enumerate((*TEXTS, "味道不错，不过贵"))]
    assert counted_words("味道不错，wifi好。") == ["味", "道", "不", "错", "wifi", "好"]
    parts = slices_of(rows)
    assert parts["with a negation"].tolist() == [False, False, False, True, True, False, False]
    assert [name for name in parts if name.startswith("short (up to 1")]
