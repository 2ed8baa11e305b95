"""What is quoted of answers, of tiny random models of each task: measured as it would be by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from task_cases import KINDS, case
from victims import examples_for, shared_victim

from advlab.attacks import PGD
from advlab.attacks.answers import answers
from advlab.attacks.evaluate import evaluate
from advlab.errors import DataError
from advlab.records import Row
from advlab.studies.grid import grid
from advlab.studies.kept import Outcomes
from advlab.tasks import squad
from advlab.tasks.bleu import bleu, chrf

ATTACK = PGD(steps=3)
EPS = (0.0, 0.2, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_clean_answers_are_those_that_the_model_gives_to_each_text_alone(kind: str) -> None:
    victim, examples = case(kind)
    for one, example in zip(answers(victim, examples), examples, strict=True):
        batch = victim.encode([example])
        embeds = victim.embed(batch).detach()
        assert [one.answer] == victim.answers(embeds, batch)
        assert one.nats == pytest.approx(float(victim.objective(batch)(embeds).detach()), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_attacked_answers_are_given_under_the_worst_of_the_attacks_steps(kind: str) -> None:
    """Texts that are wrong already too: their answers become worse as well."""
    victim, examples = case(kind)
    clean, found = answers(victim, examples), answers(victim, examples, PGD(3.0, steps=5))
    assert any(a.answer != b.answer for a, b in zip(clean, found, strict=True))
    for before, one, example in zip(clean, found, examples, strict=True):
        batch = victim.encode([example])
        embeds = victim.embed(batch).detach()
        objective = victim.objective(batch)
        alone = PGD(3.0, steps=5).at(victim.scale)(objective, embeds, batch.perturbable)
        assert one.nats == pytest.approx(float(alone.loss), rel=1e-6)
        assert one.nats > before.nats
        assert [one.answer] == victim.answers(embeds + alone.delta, batch)


def test_bleu_and_chrf_are_sacrebleus_with_its_intervals() -> None:
    victim, examples = case("translation")
    row = evaluate(victim, examples, ATTACK, eps=EPS)
    references = [[e.answers[0]] for e in examples]
    under = [s.answer for s in answers(victim, examples, PGD(1.0, steps=3))]
    found = {one.name: one for one in row.quoted}
    assert list(found) == ["BLEU", "chrF", "exact match", "answer changed"]
    for name, counted in (("BLEU", bleu), ("chrF", chrf)):
        one = found[name]
        for said, mine in ((list(row.said), one.clean), (under, one.robust[2])):
            theirs = counted(said, references)
            assert mine.estimate == theirs.estimate
            assert one.note == theirs.signature
    assert found["BLEU"].note.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version")


def test_exact_match_and_f1_are_squads() -> None:
    victim, examples = case("qa")
    row = evaluate(victim, examples, ATTACK, eps=EPS)
    found = {one.name: one for one in row.quoted}
    said = ["" if a == "(no answer)" else a for a in row.said]
    known = [["" if a == "(no answer)" else a for a in e.answers] for e in examples]
    f1 = [squad.f1(a, k) for a, k in zip(said, known, strict=True)]
    assert found["F1"].clean.value == pytest.approx(np.mean(f1))
    assert found["F1 without one"].clean.value == f1[2]
    assert found["F1 with an answer"].clean.value == pytest.approx(np.mean([*f1[:2], f1[3]]))
    # a text is broken when its answer is no exact match: one says what the other says
    assert found["exact match"].clean.value == row.clean.value
    assert found["exact match"].clean.estimate == row.clean


def test_perplexity_is_one_mean_over_all_tokens_of_the_known_replies() -> None:
    victim, examples = case("dialogue")
    row = evaluate(victim, examples, ATTACK, eps=EPS)
    found = {one.name: one for one in row.quoted}
    nats, tokens = 0.0, 0
    for example in examples:
        batch = victim.encode([example])
        n = int((batch.target["labels"] >= 0).sum())
        with torch.no_grad():
            nats += n * float(victim.objective(batch)(victim.embed(batch)))
        tokens += n
    assert found["perplexity"].clean.value == pytest.approx(math.exp(nats / tokens))
    letters = sum(len(e.answers[0]) for e in examples)
    assert found["bits a character"].clean.value == pytest.approx(nats / math.log(2) / letters)
    assert found["perplexity"].robust[2].value > found["perplexity"].robust[1].value
    assert found["answer changed"].clean.value == 0
    # of replies that are drawn twice a bootstrap would call every pair of words a repeat
    assert math.isnan(found["distinct-2"].clean.estimate.low)


@pytest.mark.parametrize("kind", KINDS)
def test_no_radius_changes_no_answer_and_every_figure_has_its_interval(kind: str) -> None:
    victim, examples = case(kind)
    row = evaluate(victim, examples, ATTACK, eps=EPS)
    assert row.quoted
    for one in row.quoted:
        assert len(one.robust) == len(one.noisy) == len(EPS)
        assert one.robust[0].value == one.noisy[0].value == one.clean.value
        for figure in (one.clean, *one.robust, *one.noisy):
            found = figure.estimate
            if one.name != "distinct-2":
                assert found.low - 1e-9 <= found.value <= found.high + 1e-9
            assert found.n == len(examples)


def test_where_accuracy_tells_all_nothing_more_is_measured() -> None:
    victim = shared_victim("bert")
    examples = examples_for(victim, 8)
    assert evaluate(victim, examples, ATTACK, eps=[0.5]).quoted == ()
    with pytest.raises(DataError, match="Text classification"):
        answers(victim, examples)
    victim, examples = case("translation")
    row = evaluate(victim, list(examples), ATTACK, eps=[0.5], quote=False)
    assert (row.said, row.quoted) == ((), ())


def test_outcomes_kept_without_answers_are_read_and_the_answers_alone_are_made(
    tmp_path: Path,
) -> None:
    victim, examples = case("translation")

    def made(quote: bool) -> tuple[Outcomes, Row]:
        kept = Outcomes(tmp_path)
        found = grid([victim], examples, [ATTACK], [0.2, 1.0], outcomes=kept, quote=quote)
        return kept, found.rows[0]

    bare, row = made(False)
    more, whole = made(True)
    assert more.read == bare.made == 3
    assert more.made == 5  # clean, and under attack and noise at two ε
    again, same = made(True)
    assert (again.made, again.read) == (0, 8)
    assert [vars(a.clean)["value"] for a in same.quoted] == [a.clean.value for a in whole.quoted]
    assert [a.robust[1].estimate for a in same.quoted] == [
        a.robust[1].estimate for a in whole.quoted
    ]
    assert np.array_equal(row.broken, whole.broken)
