"""What people are told of a reader's answer."""

from __future__ import annotations

import pytest
import torch
from readers import TEXTS, asked, logits, shared

from advlab.attacks import PGD
from advlab.errors import SettingError
from advlab.explain.explore import explore
from advlab.records.examples import NO_ANSWER
from advlab.tasks import QuestionAnswering, build_task


def test_a_reading_tells_the_chances_of_each_place() -> None:
    victim = shared("bert")
    batch = victim.encode(TEXTS)
    found = victim.read(victim.embed(batch), batch)
    N, T = batch.input_ids.shape
    for part in ("p(start)", "p(end)"):
        assert found.parts[part].shape == (N, T)
        assert found.parts[part].sum(1) == pytest.approx(1.0)
        assert not found.parts[part][(batch.attention_mask == 0).numpy()].any()
    first = int(batch.target["start"][0])
    assert found.parts["span(reference)"][0].tolist() == [first, first]
    for i, answer in enumerate(found.answers):
        start, end = found.parts["span(answer)"][i].tolist()
        spans = batch.tokens[i].spans
        there = batch.tokens[i].text[spans[start][0] : spans[end][1]]
        assert (there or NO_ANSWER) == answer
    assert ((found.score >= 0) & (found.score <= 1 + 1e-9)).all()
    assert (found.sure[~found.broken] >= found.score[~found.broken] - 1e-9).all()


@pytest.mark.parametrize("kind", QuestionAnswering.explains)
def test_what_is_explained_is_fixed_and_told(kind: str) -> None:
    victim = shared("bert")
    out, batch = logits(victim, TEXTS[3], (3, 3, 6.0), (6, 7, 4.0))
    found = victim.task.explained(kind, out, batch, victim.reader, of="film", against="good film")
    log = out.log_softmax(1)
    wanted = {"margin": 2.0, "start": 3.0, "end": 3.0, "probability": None}[kind]
    if wanted is None:
        first = int((batch.segment[0] == 0).nonzero()[0]) + 3
        wanted = float(log[0, first].sum())
    assert found.of == "film"
    assert "film" in found.words
    assert found.value(torch.cat([out, out])).tolist() == pytest.approx([wanted] * 2)
    own_one = victim.task.explained(kind, out, batch, victim.reader)
    assert own_one.of == "film"
    with pytest.raises(SettingError, match="stands in the text"):
        victim.task.explained(kind, out, batch, victim.reader, of="scene")
    with pytest.raises(SettingError, match="unknown target"):
        victim.task.explained("logit", out, batch, victim.reader)


def test_a_margin_over_the_same_words_is_refused() -> None:
    victim = shared("bert")
    out, batch = logits(victim, TEXTS[3], (3, 3, 6.0))
    with pytest.raises(SettingError, match="two different answers"):
        victim.task.explained("margin", out, batch, victim.reader, of="film", against="a film")


@pytest.mark.parametrize("where", ["context", "question", "both"])
def test_a_question_and_its_text_can_be_explored(where: str) -> None:
    victim = asked(shared("bert"), where=where)
    example = TEXTS[1]
    record = explore(
        victim, example.text, beside=example.beside, attack=PGD(2.0, steps=4), points=5, draws=2
    )
    assert record.perturbable.sum() == {"context": 14, "question": 3, "both": 17}[where]
    assert record.attacked.loss[0] > record.clean.loss[0]
    assert record.clean.parts["p(start)"].shape == (1, len(record.tokens))


def test_settings_out_of_their_bounds_are_refused() -> None:
    with pytest.raises(SettingError, match="context, question, both"):
        build_task("qa", where="everywhere")
    with pytest.raises(SettingError, match="longest"):
        build_task("qa", longest=0)
