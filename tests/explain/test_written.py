from __future__ import annotations

import numpy as np
import pytest
import torch
from speakers import EXAMPLES as TALKS
from speakers import KINDS as SPEAKERS
from speakers import shared_speaker
from translators import EXAMPLES as PAIRS
from translators import shared_translator
from victims import TEXTS, shared_victim

from advlab.attacks import PGD
from advlab.errors import SettingError
from advlab.explain.explore import analyse, explore
from advlab.pictures.reel import film
from advlab.records import Example


def cases():
    yield "t5", shared_translator("t5"), PAIRS[0].text
    yield "marian", shared_translator("marian"), PAIRS[0].text
    yield SPEAKERS[0], shared_speaker(SPEAKERS[0]), TALKS[1].text


@pytest.mark.parametrize(
    ("name", "victim", "text"), list(cases()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_answer_of_the_curve_is_told_in_pieces_that_spell_it(name, victim, text) -> None:
    record = explore(victim, text, attack=PGD(4.0, steps=4), points=7)
    found = analyse(victim, record, "written")
    assert found.answers == record.curve.attacked.answers
    assert len(set(found.answers)) > 1  # else nothing is tested
    for answer, pieces, nats in zip(found.answers, found.pieces, found.nats, strict=True):
        assert "".join(pieces) == answer
        assert len(pieces) == len(nats)
        assert (nats[~np.isnan(nats)] >= 0).all()


def test_the_nats_of_an_attacked_answer_are_those_of_teacher_forcing_it_under_its_delta() -> None:
    victim, text = shared_translator("bart"), PAIRS[1].text
    record = explore(victim, text, attack=PGD(4.0, steps=4), points=7)
    found = analyse(victim, record, "written")
    assert record.curve.deltas is not None
    for n in (0, len(found.answers) - 1):
        batch = victim.encode([Example("x", text, (found.answers[n],))])
        S = batch.target["mask"].shape[1]
        embeds = victim.embed(batch).detach().clone()
        embeds[:, :S] += torch.as_tensor(record.curve.deltas[n, :S]).to(embeds)
        with torch.no_grad():
            log = victim.output(embeds, batch).log_softmax(-1)
        labels = batch.target["labels"]
        true = -log.gather(2, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)[labels >= 0]
        np.testing.assert_allclose(found.nats[n][-len(true) :], true.numpy(), rtol=1e-5)


def test_the_film_tells_what_is_written_at_each_step_beside_the_clean_answer() -> None:
    victim, text = shared_translator("t5"), PAIRS[0].text
    record = explore(victim, text, attack=PGD(4.0, steps=4, start="random"), seed=1, points=3)
    found = analyse(victim, record, "written", along="steps")
    assert found.answers == record.steps.take(record.path_steps).answers
    assert "".join(found.clean) == record.clean.answers[0]
    assert len(set(found.answers)) > 1  # else nothing is tested
    reel = film([record], [analyse(victim, record, "film")], written=[found])
    told = reel.panels[0].chips
    assert told is not None
    assert len(told) == len(reel.x)
    for answer, row in zip(found.answers, told, strict=True):
        stands = [now for _, now, *_ in row if now]
        assert stands == [p.strip() for p in found.pieces[found.answers.index(answer)] if p.strip()]
        changed = any(before != now for before, now, *_ in row)
        assert changed == (answer != record.clean.answers[0])


def test_an_unknown_series_is_refused_with_those_that_there_are() -> None:
    victim = shared_translator("t5")
    record = explore(victim, PAIRS[0].text, attack=PGD(1.0, steps=1), draws=1, points=3)
    with pytest.raises(SettingError, match="attack, eps, steps"):
        analyse(victim, record, "written", along="epochs")


def test_a_model_that_writes_nothing_is_told_so() -> None:
    victim = shared_victim("bert")
    record = explore(victim, TEXTS[0], attack=PGD(1.0, steps=2), points=3)
    with pytest.raises(SettingError, match="writes its answers token by token"):
        analyse(victim, record, "written")
