"""When a reader's answer counts as right."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from readers import KINDS, TEXTS, logits, make_reader, output, own, shared
from victims import D, subword_tokenizer

from advlab.attacks.evaluate import survives
from advlab.records import Example
from advlab.records.examples import NO_ANSWER
from advlab.tasks import QuestionAnswering
from advlab.tasks.base import broken_in
from advlab.tasks.tokens import Reader


def test_spans_that_say_the_same_are_no_rivals() -> None:
    victim = shared("bert")
    other = logits(victim, TEXTS[3], (3, 3, 6.0), (7, 7, 8.0))  # film, and film again
    assert not broken_in(victim.task.scores(*other)).any()
    wider = logits(victim, TEXTS[3], (3, 3, 6.0), (2, 3, 20.0))  # “a film” says “film”
    assert not broken_in(victim.task.scores(*wider)).any()
    worse = logits(victim, TEXTS[3], (3, 3, 6.0), (6, 7, 20.0))  # “good film” does not
    assert broken_in(victim.task.scores(*worse)).all()
    assert victim.task._said(*worse) == ["good film"]


def test_any_known_answer_will_do() -> None:
    victim = shared("bert")
    known = replace(TEXTS[1], answers=("the slow dull movie", "great"))
    for start, end in ((4, 7), (13, 13)):
        assert not broken_in(victim.task.scores(*logits(victim, known, (start, end, 9.0)))).any()
    assert broken_in(victim.task.scores(*logits(victim, known, (11, 11, 9.0)))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_broken_is_that_the_answer_is_not_an_exact_match(kind: str) -> None:
    victim = shared(kind)
    dice = torch.Generator().manual_seed(0)
    batch = victim.encode(TEXTS)
    seen = set()
    for scale in (0.0, 0.5, 2.0, 4.0):
        noise = scale * torch.randn(*batch.input_ids.shape, D, generator=dice).double()
        embeds = victim.embed(batch)
        embeds = embeds + noise[..., : embeds.shape[-1]]
        with torch.no_grad():
            out = victim.output(embeds, batch)
        said = victim.task._said(out, batch)
        broken = broken_in(victim.task.scores(out, batch)).tolist()
        for answer, example, wrong in zip(said, TEXTS, broken, strict=True):
            assert victim.task.quality(answer, example)["exact"] == float(not wrong)
            seen.add(wrong)
    assert True in seen
    right = own(victim)
    out, batch = output(victim, right)
    assert not broken_in(victim.task.scores(out, batch)).any()


def test_a_constant_output_is_not_right_everywhere() -> None:
    victim = shared("bert")
    out, batch = logits(victim, TEXTS[0])
    assert victim.task._said(out, batch) == [NO_ANSWER]
    assert broken_in(victim.task.scores(out, batch)).all()
    none = victim.encode([TEXTS[2]])
    assert not broken_in(victim.task.scores(out[:, : none.input_ids.shape[1]] * 0, none)).any()


def test_no_answer_must_lead_by_the_threshold() -> None:
    victim = shared("bert")
    example = TEXTS[2]
    out, batch = logits(victim, example, (1, 1, 3.0))
    out[0, 0] = 2.5  # 5 in all, a lead of 2
    for threshold, said in ((0.0, NO_ANSWER), (1.9, NO_ANSWER), (2.1, "plot")):
        task = replace(victim.task, threshold=threshold)  # type: ignore[type-var]
        assert task._said(out, batch) == [said]
        assert bool(broken_in(task.scores(out, batch))) == (said != NO_ANSWER)
    torch.testing.assert_close(victim.task.loss(out, batch), task.loss(out, batch))


def test_a_threshold_is_chosen_by_texts_with_and_without_an_answer() -> None:
    victim = shared("bert")
    rows = [
        (TEXTS[0], (1, 1, 4.0), 2.5),  # film: no answer leads by 1 and should not
        (TEXTS[0], (1, 1, 4.0), 1.0),
        (TEXTS[2], (1, 1, 2.0), 3.0),  # no answer leads by 4, and is right
    ]
    read = []
    for example, span, null in rows:
        out, batch = logits(victim, example, span)
        out[0, 0] = null
        read.append((out, batch))
    task = victim.task.settle(iter(read))
    assert isinstance(task, QuestionAnswering)
    assert task.threshold == pytest.approx(2.5)
    assert [broken_in(task.scores(*pair)).item() for pair in read] == [False] * 3
    assert victim.task.settle(iter(read[:2])) is victim.task


def test_an_answer_that_the_text_does_not_have_is_never_right() -> None:
    victim = shared("bert")
    lost = replace(TEXTS[0], answers=("scene",), place=None)
    out, batch = output(victim, [lost])
    assert broken_in(victim.task.scores(out, batch)).all()
    assert victim.task.loss(out, batch).isfinite().all()
    assert survives(victim, [lost]) == [False]


def test_a_text_cut_within_its_answer_does_not_have_it() -> None:
    victim = make_reader("bert")
    victim.reader.max_length = 9  # [CLS], three of the question, [SEP], three of the text, [SEP]
    whole = Example("0", "we saw a film", ("we saw",), "what was good", 0)
    cut = replace(whole, answers=("a film",), place=7)
    out, batch = output(victim, [whole, cut])
    assert batch.target["start"].tolist() == [5, -2]
    assert broken_in(victim.task.scores(out, batch))[1]


@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "unigram"])
def test_an_answer_is_found_among_the_pieces_of_words(kind: str) -> None:
    tokenizer = subword_tokenizer(kind, framed=kind == "bytes")
    text = "It's a wonderful Film; the acting was wonderful, and the plotting was not!"
    task = QuestionAnswering()
    reader = Reader(tokenizer, 128)
    for answer in ("wonderful", "the acting", "acting was wonderful, and", "Film"):
        example = Example("0", text, (answer,), "what was it like", text.index(answer))
        batch = task.encode(reader.tokens_of([example]), [example], reader)
        tokens = batch.tokens[0]
        start, end = (int(batch.target[k]) for k in ("start", "end"))
        assert tokens.text[tokens.spans[start][0] : tokens.spans[end][1]].strip() == answer
        said = set()
        for number in batch.target["same"][0].tolist():
            i, k = (number - 1) // task.longest, (number - 1) % task.longest
            said.add(tokens.text[tokens.spans[i][0] : tokens.spans[i + k][1]])
        assert answer in {s.strip() for s in said}
        assert all(task.quality(s, example)["exact"] == 1 for s in said)
