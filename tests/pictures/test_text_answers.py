"""Pictures and sentences of answers that are texts: spans, translations, replies."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from samples import rectangular, sample_record
from speakers import EXAMPLES as TALKS
from speakers import shared_speaker
from transformers import BertConfig, BertForQuestionAnswering
from translators import EXAMPLES as PAIRS
from translators import shared_translator
from victims import subword_tokenizer

from advlab.attacks import PGD
from advlab.explain.explore import analyse, explore
from advlab.model.victim import Victim
from advlab.pictures import answers, dimensions, sentences, tables
from advlab.pictures.alignment import alignment, alignment_columns, alignment_sentence
from advlab.pictures.chips import aligned, chips, cut
from advlab.pictures.findings import finding
from advlab.pictures.jumps import jump
from advlab.pictures.reel import sweep
from advlab.pictures.spans import spans
from advlab.pictures.style import short
from advlab.pictures.wording import chance_of, listed, said
from advlab.records import AttackRecord, Attribution, Saliency, Scale
from advlab.tasks import build_task

TEXT = "the film was slow. the acting was wonderful, and i felt it. a dull plot."


@lru_cache
def reader() -> Victim:
    tokenizer = subword_tokenizer("wordpiece")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = BertForQuestionAnswering(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                initializer_range=0.5,
            )
        )
    return Victim(model.double().eval(), tokenizer, task=build_task("qa"), name="reader")


@lru_cache
def span_record() -> AttackRecord:
    return explore(
        reader(), TEXT, beside="what was dull?", attack=PGD(6.0, steps=6), points=5, draws=3
    )


@lru_cache
def written_record(kind: str) -> AttackRecord:
    victim, text = (
        (shared_speaker("gpt2"), TALKS[1].text)
        if kind == "dialogue"
        else (shared_translator("t5"), PAIRS[0].text)
    )
    return explore(victim, text, attack=PGD(6.0, steps=6), points=5, draws=3)


def signed_map(record: AttackRecord) -> Saliency:
    one = Attribution(np.zeros(len(record.tokens)), np.zeros(len(record.words)))
    return Saliency("input_x_gradient", "margin", one, one, signed=True)


RECORDS = {
    "qa": span_record,
    "translation": lambda: written_record("translation"),
    "dialogue": lambda: written_record("dialogue"),
}


@pytest.mark.parametrize(
    ("before", "now", "edits"),
    [
        ("a b c d", "a b c d", 0),
        ("a b c d", "a x c d", 1),
        ("a b c d", "b c d", 1),
        ("a b", "a b c d", 2),
        ("", "a b", 2),
        ("k i t t e n", "s i t t i n g", 3),
    ],
)
def test_rows_are_aligned_by_the_fewest_edits(before, now, edits) -> None:
    old, new = before.split(), now.split()
    pairs = aligned(old, new)
    assert [i for i, _ in pairs if i is not None] == list(range(len(old)))
    assert [j for _, j in pairs if j is not None] == list(range(len(new)))
    assert sum(i is None or j is None or old[i] != new[j] for i, j in pairs) == edits


def test_the_first_change_alone_is_flagged_and_a_piece_of_a_word_is_joined_to_it() -> None:
    row = chips(["ein", " Hau", "s", ""], ["ein", " Bau", "m", ""], [0.0, 2.0, 1.0, 0.1])
    assert [c.first for c in row] == [False, True, False, False]
    assert [c.changed for c in row] == [False, True, True, False]
    assert [c.joined for c in row] == [False, False, True, False]
    assert [c.nats for c in row] == [0.0, 2.0, 1.0, 0.1]


def test_texts_are_cut_in_signs_only_where_their_script_has_no_blanks() -> None:
    assert cut("Saskia", "Farid") == [["Saskia"], ["Farid"]]
    assert cut("我买书", "他 买书") == [["我", "买", "书"], ["他", "买", "书"]]


def test_a_long_answer_keeps_both_ends() -> None:
    text = "your ticket from bern to cork on monday at four is booked, and so is the hotel."
    assert len(short(text)) <= 48
    assert short(text).startswith("your ticket")
    assert short(text).endswith("hotel.")


def test_a_long_answer_is_cut_between_words() -> None:
    text = "your ticket from bern to lyon on monday at four is booked."
    for limit in range(24, 60):
        assert set(short(text, limit).replace("…", " ").split()) <= set(text.split())
        assert len(short(text, limit)) <= limit
        assert len(short("a" * 80, limit)) == limit  # a name without blanks


@pytest.mark.parametrize(
    ("task", "also"), [("qa", ["“what was dull?”"]), ("translation", []), ("dialogue", [])]
)
def test_what_is_left_on_other_tokens_names_them(task: str, also: list[str]) -> None:
    record = RECORDS[task]()
    left = sentences.remainder_sentence(record, [signed_map(record)])
    if 2 in record.segment.tolist():
        also = [*also, "the answer's own tokens"]
    assert left.startswith("Left on " + listed(["special tokens", *also]) + ": ")
    assert sentences.rest_of(record) == ("other tokens" if also else "special tokens")


@pytest.mark.parametrize("task", RECORDS)
def test_dimensions_are_drawn_for_the_tokens_that_delta_may_be_on(task: str) -> None:
    record = RECORDS[task]()
    rows = len(dimensions.delta(record).data[0].z)
    assert rows == len(sentences.of_text(record))
    assert rows < len(record.tokens)


@pytest.mark.parametrize("task", RECORDS)
def test_the_sweep_shows_at_each_epsilon_what_is_answered(task) -> None:
    record = RECORDS[task]()
    victim = {
        "qa": reader,
        "translation": lambda: shared_translator("t5"),
        "dialogue": lambda: shared_speaker("gpt2"),
    }[task]()
    told = None if task == "qa" else [analyse(victim, record, "written")]
    reel = sweep([record], written=told)
    rectangular(reel)
    panel = reel.panels[0]
    for k, answer in enumerate(record.curve.attacked.answers):
        assert panel.said[k].startswith(said(record, answer))
    if task == "qa":
        assert panel.chips is None
        assert panel.spans is not None
        assert len(panel.spans.answer) == len(reel.x)
        assert panel.beside == "what was dull?"
    else:
        assert panel.spans is None
        assert panel.chips is not None
        assert not any(before != now for before, now, *_ in panel.chips[0])
        changed = [any(first for *_, first in row) for row in panel.chips]
        same = [a == record.clean.answers[0] for a in record.curve.attacked.answers]
        assert changed == [not s for s in same]


def test_the_bars_of_a_span_are_the_chances_of_its_tokens() -> None:
    record = span_record()
    found, reading = spans(record, record.curve.attacked), record.curve.attacked
    text = [t for t, (a, b) in enumerate(record.spans) if b > a]
    for f, answer in enumerate(reading.answers):
        np.testing.assert_allclose(found.start[f], reading.parts["p(start)"][f, text], rtol=6e-3)
        np.testing.assert_allclose(found.end[f], reading.parts["p(end)"][f, text], rtol=6e-3)
        first, last = found.answer[f]
        if first >= 0:
            start, end = record.spans[text[first]][0], record.spans[text[last]][1]
            assert record.text[start:end] == answer


@pytest.mark.parametrize("task", RECORDS)
def test_no_sentence_or_picture_of_a_text_speaks_of_classes(task) -> None:
    record = RECORDS[task]()
    told = " ".join(
        (
            sentences.headline(record),
            sentences.noise_sentence(record),
            answers.texts(record),
            answers.told(record),
            chance_of([record]),
        )
    )
    assert "class" not in told.lower().replace("font-class", "")
    assert "label" not in told


@pytest.mark.parametrize("task", RECORDS)
def test_bars_leave_out_what_is_beside_the_text_and_the_answers_own_tokens(task) -> None:
    record = RECORDS[task]()
    assert record.segment is not None
    kinds = sentences.token_kinds(record)
    for kind, part in zip(kinds, record.segment.tolist(), strict=True):
        assert (kind == "answer") == (part == 2)
    shown = sentences.of_text(record)
    assert not {"answer", "beside"} & {kinds[t] for t in shown}
    assert set(np.flatnonzero(record.perturbable)) <= set(shown.tolist())


def test_a_jump_says_in_which_sentences_the_answers_stand() -> None:
    record = span_record()
    first, other = TEXT.index("slow"), TEXT.index("dull")

    def at(place: int, word: str):
        token = next(t for t, (a, b) in enumerate(record.spans.tolist()) if a <= place < b)
        return replace(
            record.clean,
            answers=(word,),
            parts={**record.clean.parts, "span(answer)": np.array([[token, token]])},
        )

    moved = replace(
        record,
        readings={**record.readings, "clean": at(first, "slow"), "attacked": at(other, "dull")},
    )
    assert jump(moved) == (
        "The answer jumps to another sentence: from “slow” in sentence 1 to “dull” in sentence 3."
    )


def test_a_written_answer_tells_its_first_change() -> None:
    record = written_record("translation")
    clean, attacked = (
        replace(record.clean, answers=(a,)) for a in ("1 9 8 4 - 0 3", "1 9 8 5 - 0 5")
    )
    moved = replace(record, readings={**record.readings, "clean": clean, "attacked": attacked})
    assert jump(moved) == (
        "The first change is at place 4 of the answer: ‘4’ becomes ‘5’; 1 more follows."
    )


def test_a_misread_question_is_wrong_among_many_though_its_parts_are_no_answers() -> None:
    record = span_record()
    assert finding(record, "something else", exact=False).outcome == "wrong"
    assert finding(record, record.clean.answers[0].upper(), exact=True).outcome != "wrong"
    assert finding(record, None).outcome != "wrong"


def test_named_answers_are_spoken_of_as_before() -> None:
    record = sample_record()
    assert said(record, record.reference) == record.reference
    assert chance_of([record]) == f"Probability of {record.reference}"
    assert jump(record) == ""


def test_an_alignment_is_drawn_as_both_shares_and_told_by_their_strongest_words() -> None:
    record = written_record("translation")
    found = analyse(shared_translator("t5"), record, "alignment")
    figure = alignment(found)
    for heat, values in zip(figure.data, (found.attention, found.gradient), strict=True):
        np.testing.assert_array_equal(np.asarray(heat.z), values)
    same = int((found.attention.argmax(1) == found.gradient.argmax(1)).sum())
    assert f"for {same} of {len(found.written)} written tokens" in alignment_sentence(found)
    table = alignment_columns(found)
    assert len(table["written"]) == len(found.written)
    assert set(table["input × gradient: word"]) <= set(found.words)


def test_a_vocabulary_of_equal_rows_has_lengths_beyond_measure_and_no_error() -> None:
    scale = Scale(mean_norm=2.0, half_nn=0.0)
    assert scale.units(1.0) == {"raw": 1.0, "norm": 0.5, "half-nn": np.inf}
    assert scale.units(0.0)["half-nn"] == 0.0
    record = replace(sample_record(), scale=scale)
    assert sentences.units(1.0, scale).endswith("∞ × half nearest-neighbour distance")
    assert tables.curve_columns(record)["ε × half-NN"][-1] == np.inf
