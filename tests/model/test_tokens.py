"""Texts as sub-word tokenizers of every kind see them: places, words, spelling, replaced tokens."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from victims import LABELS, SENTENCES, SUBWORDS, make_victim, subword_tokenizer

from advlab.attacks.hotflip import HotFlip
from advlab.model.victim import Victim
from advlab.model.vocabulary import BROKEN, Vocabulary
from advlab.records import Example
from advlab.studies.carryover import with_worst_word
from advlab.tasks import Batch, Reader, Tokens

NEW = "the watchers weren't müde, unüberseh 🎉! slower"  # words, a word of letters, a new emoji
BLANKS = "  a  film \n über\tall "
every_kind = pytest.mark.parametrize("kind", SUBWORDS)


@lru_cache
def tools(kind: str) -> tuple[Reader, Vocabulary]:
    tokenizer = subword_tokenizer(kind)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Reader(tokenizer, 96), Vocabulary(tokenizer, len(tokenizer) + 3)


def seen(kind: str, text: str) -> Tokens:
    return tools(kind)[0].tokens(Example("0", text))


def plain(kind: str, text: str) -> str:
    """As the tokenizer's own normaliser leaves it: small letters without accents for word pieces."""
    if kind != "wordpiece":
        return text
    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in parts if unicodedata.category(c) != "Mn")


# ---- places and words -----------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("text", [*SENTENCES, NEW, BLANKS])
def test_spans_point_to_the_tokens_own_characters(kind: str, text: str) -> None:
    tokens, vocabulary = seen(kind, text), tools(kind)[1]
    for i, (start, end), here in zip(tokens.ids, tokens.spans, tokens.written, strict=True):
        assert here or (start, end) == (0, 0)
        piece = text[start:end]
        assert piece == piece.strip()
        if here and vocabulary.ordinary[i]:
            assert plain(kind, piece) == vocabulary.spelling(i) != ""
    covered = {place for start, end in tokens.spans for place in range(start, end)}
    assert covered == {place for place, c in enumerate(text) if not c.isspace()}


@every_kind
@pytest.mark.parametrize("text", [*SENTENCES, NEW, BLANKS])
def test_words_are_those_of_the_text_and_hold_their_pieces(kind: str, text: str) -> None:
    tokens = seen(kind, text)
    if kind in ("unigram", "llama"):
        assert list(tokens.words) == text.split()
    assert "".join(tokens.words) == "".join(text.split())
    assert all(word and word == word.strip() for word in tokens.words)
    numbers = [w for w in tokens.word_of if w >= 0]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(len(tokens.words)))
    assert [w < 0 for w in tokens.word_of] == [not here for here in tokens.written]
    for w, (start, end) in zip(tokens.word_of, tokens.spans, strict=True):
        assert w < 0 or text[start:end] in tokens.words[w]


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("wordpiece", ["the", "watchers", "weren", "'", "t", "müde", ",", "unüberseh", "🎉", "!"]),
        ("bytes", ["the", "watchers", "weren", "'t", "müde", ",", "unüberseh", "🎉!"]),
        ("unigram", ["the", "watchers", "weren't", "müde,", "unüberseh", "🎉!"]),
        ("llama", ["the", "watchers", "weren't", "müde,", "unüberseh", "🎉!"]),
    ],
)
def test_the_pieces_of_a_word_are_one_word(kind: str, groups: list[str]) -> None:
    tokens = seen(kind, NEW)
    assert list(tokens.words) == [*groups, "slower"]
    letters = [w for w in tokens.word_of if w == groups.index("unüberseh")]
    assert len(letters) > 3
    assert len(tokens) > len(tokens.words)


@pytest.mark.parametrize("framed", [False, True])
def test_special_tokens_are_no_words_and_typed_ones_are_not_attacked(framed: bool) -> None:
    tokenizer = subword_tokenizer("bytes", framed)
    ends = tokenizer.eos_token
    reader = Reader(tokenizer, 64) if tokenizer.pad_token else tools("bytes")[0]
    tokens = reader.tokens(Example("0", f"a film{ends} was dull"))
    segments = list(zip(tokens.encoding.tokens, tokens.segment, strict=True))
    assert all((s == -1) == (t in tokenizer.all_special_tokens) for t, s in segments)
    assert (ends, -1) in segments
    around = [w for w, here in zip(tokens.word_of, tokens.written, strict=True) if not here]
    assert around == [-1] * (2 if framed else 0)


@every_kind
def test_many_texts_are_read_as_each_alone_and_a_cut_one_tells_its_length(kind: str) -> None:
    reader = tools(kind)[0]
    examples = [Example(str(i), text) for i, text in enumerate((*SENTENCES, NEW, BLANKS))]
    for together, example in zip(reader.tokens_of(examples), examples, strict=True):
        alone = reader.tokens(example)
        assert (together.ids, together.spans) == (alone.ids, alone.spans)
        assert (together.word_of, together.segment) == (alone.word_of, alone.segment)
        assert alone.whole == len(alone)
    short = Reader(reader.tokenizer, 12)
    cut = short.tokens(Example("0", NEW))
    assert len(cut) == 12
    assert cut.whole == len(seen(kind, NEW))


# ---- the vocabulary -------------------------------------------------------------------------


@every_kind
def test_kinds_tell_what_begins_a_word_what_joins_and_what_no_text_can_hold(kind: str) -> None:
    vocabulary = tools(kind)[1]
    tokenizer = vocabulary.tokenizer
    kinds = vocabulary.kinds.tolist()
    assert kinds[len(tokenizer) :] == [0, 0, 0]  # rows without a token
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    byte_of = {c: b for b, c in _byte_letters().items()}
    for i, name in enumerate(names):
        if i in tokenizer.all_special_ids or name.startswith(("[unused", "<0x")):
            wanted = 0
        elif kind == "wordpiece":
            wanted = 2 if name.startswith("##") else 1
        elif kind == "bytes":
            try:
                text = bytes(byte_of[c] for c in name).decode()
            except UnicodeDecodeError:  # half a character
                text = ""
            visible = text.strip() and not any(unicodedata.category(c) == "Cc" for c in text)
            wanted = (1 if text.startswith(" ") else 2) if visible else 0
        else:
            wanted = 0 if name == "▁" else 1 if name.startswith("▁") else 2
        assert kinds[i] == wanted, name
    assert torch.equal(vocabulary.ordinary, vocabulary.kinds > 0)
    assert min(kinds.count(k) for k in (0, 1, 2)) >= 3


def _byte_letters() -> dict[int, str]:
    """GPT-2's letter of each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    return {b: chr(b) for b in shown} | {b: chr(256 + n) for n, b in enumerate(hidden)}


def test_halves_of_characters_exist_and_are_closed() -> None:
    """What made broken texts before: entries of several bytes that are no characters."""
    for kind in ("bytes", "llama"):
        vocabulary = tools(kind)[1]
        tokens = seen(kind, NEW)
        place = NEW.index("🎉")
        halves = [t for t, span in enumerate(tokens.spans) if span == (place, place + 1)]
        assert len(halves) > 1
        assert not any(vocabulary.ordinary[tokens.ids[t]] for t in halves)


@every_kind
def test_spelling_is_what_text_holds(kind: str) -> None:
    vocabulary = tools(kind)[1]
    for i in vocabulary.ordinary.nonzero()[:, 0].tolist():
        text = vocabulary.spelling(i)
        assert text
        assert text == text.strip()
        assert text.isprintable()
        assert not any(c in text for c in (BROKEN, "Ġ", "▁"))
        assert not text.startswith("##")


@every_kind
def test_entries_are_shown_as_people_read_them(kind: str) -> None:
    vocabulary = tools(kind)[1]
    tokens = seen(kind, "a schöne film was filmed")
    shown = vocabulary.texts(tokens.ids)
    body = [s for s, here in zip(shown, tokens.written, strict=True) if here]
    joined = "".join(s.removeprefix("##") for s in body)
    if kind == "bytes":  # ö is two bytes here
        assert joined.replace(BROKEN, "").startswith("asch")
    else:
        assert joined == plain(kind, "aschönefilmwasfilmed")


# ---- one token replaced ---------------------------------------------------------------------


@every_kind
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_replaced_token_changes_nothing_else_and_loses_no_blank(kind: str, data: Any) -> None:
    vocabulary = tools(kind)[1]
    text = data.draw(st.sampled_from([*SENTENCES, NEW, BLANKS]))
    tokens = seen(kind, text)
    t = data.draw(st.sampled_from([t for t, i in enumerate(tokens.ids) if vocabulary.ordinary[i]]))
    i = data.draw(st.sampled_from(vocabulary.ordinary.nonzero()[:, 0].tolist()))
    piece = vocabulary.spelling(i)
    changed = tokens.replaced(t, piece)
    start, end = tokens.spans[t]
    assert changed == text[:start] + piece + text[end:]
    assert blanks(changed) == blanks(text)
    assert BROKEN not in changed


def blanks(text: str) -> list[str]:
    return [c for c in text if c.isspace()]


@every_kind
def test_a_replaced_word_is_read_as_the_new_entry_at_its_place(kind: str) -> None:
    """Where a token is a whole word and so is the new one: the other tokens stay.

    A word piece's entry may be a word and yet be read otherwise (Unigram prefers likelier pieces, byte
    pairs merge elsewhere), so entries that their own spelling does not lead to are left out; most are
    not.
    """
    vocabulary = tools(kind)[1]
    words = (vocabulary.kinds == 1).nonzero()[:, 0].tolist()
    reached = [
        i for i in words if seen(kind, f"the {vocabulary.spelling(i)} film").ids == _around(kind, i)
    ]
    assert len(reached) > 0.8 * len(words)
    text = "the film again and again slow film"
    tokens = seen(kind, text)
    whole = [
        t
        for t, w in enumerate(tokens.word_of)
        if w > 0 and tokens.word_of.count(w) == 1 and vocabulary.kinds[tokens.ids[t]] == 1
    ]
    assert len(whole) >= 3
    for t in whole:
        for i in reached:
            again = seen(kind, tokens.replaced(t, vocabulary.spelling(i)))
            assert again.ids == [*tokens.ids[:t], i, *tokens.ids[t + 1 :]]


def _around(kind: str, i: int) -> list[int]:
    """The ids of “the … film” with one between."""
    tokens = seen(kind, "the film")
    last = max(t for t, w in enumerate(tokens.word_of) if w == 0) + 1
    return [*tokens.ids[:last], i, *tokens.ids[last:]]


@every_kind
def test_a_replaced_piece_stays_within_its_word(kind: str) -> None:
    """Pieces may merge with their neighbours; the words around them are read as before."""
    reader, vocabulary = tools(kind)
    text = "we unplotted film"
    tokens = seen(kind, text)
    pieces = [
        t
        for t, (i, w) in enumerate(zip(tokens.ids, tokens.word_of, strict=True))
        if w == 1 and vocabulary.kinds[i] == 2
    ]
    assert pieces
    for t in pieces:
        for i in (vocabulary.kinds == 2).nonzero()[:, 0].tolist():
            changed = tokens.replaced(t, vocabulary.spelling(i))
            again = reader.tokens(Example("0", changed))
            assert (again.words[0], again.words[-1]) == ("we", "film")
            assert "".join(again.words) == "".join(changed.split())
            assert len(changed.split()) == 3


# ---- attacks that write texts ---------------------------------------------------------------


@lru_cache
def byte_victim(kind: str) -> Victim:
    return make_victim(kind, tokenizer=subword_tokenizer("bytes", kind == "roberta"))


def answered(victim: Victim, texts: tuple[str, ...]) -> list[Example]:
    """The texts with the model's own answers."""
    batch = victim.encode(texts)
    said = victim.answers(victim.embed(batch), batch)
    return [
        Example(str(i), text, (answer,))
        for i, (text, answer) in enumerate(zip(texts, said, strict=True))
    ]


ATTACKED = (
    "a schöne film über nothing 🎉 again",
    "great 😀 film,  and two blanks",
    "müde 😴 watchers",
    "the film was good",
    "so dull 😴 that i slept",
    "it's a naïve  café scene",
)


@pytest.mark.parametrize("kind", ["gpt2", "roberta"])
def test_hotflip_on_bytes_writes_whole_characters_and_keeps_every_blank(kind: str) -> None:
    victim = byte_victim(kind)
    examples = answered(victim, ATTACKED)
    batch: Batch = victim.encode(examples)
    found = HotFlip(3, verify=16)(victim, batch)
    kinds = victim.kinds
    for row, example in enumerate(examples):
        n = int(batch.attention_mask[row].sum())
        before, after = batch.input_ids[row, :n], found.input_ids[row, :n]
        moved = before != after
        assert moved.any()
        assert (kinds[before[moved]] == kinds[after[moved]]).all()
        assert (kinds[after[moved]] > 0).all()
        inner = [int(i) for i, here in zip(after, batch.tokens[row].written, strict=True) if here]
        text = victim.tokenizer.decode(inner, clean_up_tokenization_spaces=False)
        assert BROKEN not in text
        assert blanks(text) == blanks(example.text)


@pytest.mark.parametrize("kind", ["gpt2", "roberta"])
def test_the_worst_word_on_bytes_is_written_into_the_text(kind: str) -> None:
    victim = byte_victim(kind)
    examples = answered(victim, ATTACKED)
    changed = with_worst_word(victim, examples)
    batch = victim.encode(examples)
    found = HotFlip(1)(victim, batch)
    for row, (before, after) in enumerate(zip(examples, changed, strict=True)):
        assert replace(after, text=before.text) == before
        assert after.text != before.text
        assert BROKEN not in after.text
        assert blanks(after.text) == blanks(before.text)
        t = int(found.places[0, row])
        start, end = batch.tokens[row].spans[t]
        assert after.text.startswith(before.text[:start])
        assert after.text.endswith(before.text[end:])
    assert {e.answer for e in changed} <= set(LABELS)
