"""Tiny readers of many architectures: what may be perturbed and what may win, saved and opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from readers import KINDS, TEXTS, asked, make_reader, model_of, output, own, shared, tokenizer_of
from torch import Tensor

from advlab.attacks import PGD
from advlab.attacks.norms import norm
from advlab.errors import ModelError
from advlab.model.victim import Victim
from advlab.records.examples import NO_ANSWER
from advlab.studies.carryover import with_worst_word
from advlab.tasks import build_task
from advlab.tasks.base import margin_in


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_give_what_ids_give_and_padding_changes_nothing(kind: str) -> None:
    victim = shared(kind)
    tolerance = 1e-6 if kind in ("t5", "xlnet") else 1e-9  # these compute some of it in float32
    together, batch = output(victim, TEXTS)
    loss = victim.task.loss(together, batch)
    scores = victim.task.scores(together, batch)
    for i, example in enumerate(TEXTS):
        mine, alone = output(victim, [example])
        with torch.no_grad():
            theirs = victim.task.from_ids(victim.model, alone)
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(
            victim.task.loss(mine, alone), loss[i : i + 1], rtol=tolerance, atol=tolerance
        )
        n = min(scores.shape[1], victim.task.scores(mine, alone).shape[1])
        torch.testing.assert_close(
            margin_in(victim.task.scores(mine, alone)[:, :n]),
            margin_in(scores[i : i + 1, :n]),
            rtol=tolerance,
            atol=tolerance,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_text_and_the_mark_of_no_answer_can_win(kind: str) -> None:
    victim = shared(kind)
    out, batch = output(victim, TEXTS)
    spans = victim.task._spans(out + 0, batch)
    finite = out.isfinite().all(-1)
    null = torch.nn.functional.one_hot(batch.target["null"], out.shape[1]).bool()
    assert torch.equal(finite, (batch.segment == 0) | null)
    assert torch.equal(finite, out.isfinite().any(-1))
    L = victim.task.longest
    for row, number in enumerate(spans.isfinite().nonzero().tolist()):
        del row
        i, k = number
        if k:
            start, end = (k - 1) // L, (k - 1) // L + (k - 1) % L
            assert (batch.segment[i, start : end + 1] == 0).all()


def test_heads_of_transformers_score_padding_and_the_task_does_not_hear_them() -> None:
    victim = shared("bert")
    batch = victim.encode(TEXTS)
    with torch.no_grad():
        logits = victim.model(
            inputs_embeds=victim.embed(batch),
            attention_mask=batch.attention_mask,
            token_type_ids=batch.target["kinds"],
        ).start_logits
    outside = (batch.segment != 0) & (torch.arange(logits.shape[1]) > 0)
    assert (logits.masked_fill(~outside, -torch.inf).amax(1) > 0).any()
    said = victim.answers(victim.embed(batch), batch)
    assert all(a == NO_ANSWER or a in e.text for a, e in zip(said, TEXTS, strict=True))


@pytest.mark.parametrize("kind", ["bert", "electra", "albert"])
def test_the_types_of_tokens_are_given_where_a_model_has_them(kind: str) -> None:
    victim = shared(kind)
    out, batch = output(victim, TEXTS[:1])
    flat = replace(batch, target={**batch.target, "kinds": torch.zeros_like(batch.input_ids)})
    with torch.no_grad():
        other = victim.output(victim.embed(batch), flat)
    assert not torch.allclose(out, other)


@pytest.mark.parametrize("where", ["context", "question", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_delta_stands_where_it_may(kind: str, where: str) -> None:
    victim = asked(shared(kind), where=where)
    batch = victim.encode(TEXTS)
    wanted = {"context": (0,), "question": (1,), "both": (0, 1)}[where]
    for i, example in enumerate(TEXTS):
        row = batch.perturbable[i]
        assert torch.equal(row, torch.isin(batch.segment[i], torch.tensor(wanted)))
        words = len(example.text.split()), len(example.beside.split())
        assert int(row.sum()) == sum(words[w] for w in wanted)
    attack = PGD(1.0, steps=3).at(victim.scale)
    found = attack(victim.objective(batch), victim.embed(batch).detach(), batch.perturbable)
    assert not found.delta[~batch.perturbable].any()
    assert (norm(found.delta, "l2", "example") <= attack.eps * (1 + 1e-9)).all()
    assert (found.losses[-1] >= found.losses[0]).any()


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_a_decoder_reads_the_perturbed_text_too(kind: str) -> None:
    victim = shared(kind)
    batch = victim.encode(TEXTS[:1])
    clean = victim.embed(batch).detach()
    moved = clean + 0.5 * batch.perturbable.unsqueeze(-1)
    heard: list[Tensor] = []
    hook = victim.model.get_decoder().register_forward_pre_hook(
        lambda _, args, given: heard.append(given["inputs_embeds"].detach().clone()),
        with_kwargs=True,
    )
    with torch.no_grad():
        for embeds in (clean, moved):
            victim.output(embeds, batch)
    hook.remove()
    torch.testing.assert_close(
        heard[1] - heard[0], torch.cat([0 * clean[:, :1], (moved - clean)[:, :-1]], 1)
    )


@pytest.mark.parametrize("kind", ["xlnet beams", "xlm"])
def test_heads_that_search_with_a_beam_are_refused_by_the_name_of_the_simple_one(kind: str) -> None:
    with pytest.raises(ModelError, match=r"\w+ForQuestionAnsweringSimple"):
        make_reader(kind)


def test_a_replaced_word_is_written_where_it_stands_and_answers_keep_their_place() -> None:
    victim, example = shared("bert"), TEXTS[1]
    [tokens] = victim.reader.tokens_of([example])
    seen = set()
    for t, segment in enumerate(tokens.segment):
        if segment < 0:
            continue
        made = tokens.rewritten(example, t, "plot")
        [again] = victim.reader.tokens_of([made])
        assert [
            i for i, (a, b) in enumerate(zip(tokens.ids, again.ids, strict=True)) if a != b
        ] == [t]
        assert (made.text == example.text) == (segment == 1)
        assert made.place is not None
        assert made.text[made.place :].startswith(made.answers[0])
        seen.add((segment, made.place - 16, made.answers == example.answers))
    assert seen == {
        (1, 0, True),
        (0, 0, True),
        (0, 0, False),
        (0, 3, True),
        (0, -1, True),
        (0, 1, True),
    }


def test_the_worst_word_of_a_question_is_replaced_in_the_question() -> None:
    victim = asked(shared("bert"), where="question")
    examples = own(victim)
    found = with_worst_word(victim, examples)
    assert [e.text for e in found] == [e.text for e in examples]
    assert sum(a.beside != b.beside for a, b in zip(found, examples, strict=True)) >= 3


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "xlnet"])
def test_a_reader_is_saved_and_opened_with_its_settings(kind: str, tmp_path: Path) -> None:
    victim = make_reader(kind, where="both", threshold=0.75)
    victim.model.float()
    victim.save(tmp_path / "reader")
    again = Victim.load(tmp_path / "reader")
    assert again.task == victim.task
    assert again.notes == ()
    mine, theirs = (output(v, TEXTS)[0] for v in (victim, again))
    torch.testing.assert_close(mine, theirs)


def test_a_folder_with_a_beam_head_is_refused_and_a_new_head_is_told(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("xlnet")
    model_of("xlnet beams", tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    task = build_task("qa")
    with pytest.raises(ModelError, match="XLNetForQuestionAnsweringSimple"):
        Victim.load(tmp_path, task=task)
    trained = Victim.load(tmp_path, task=task, head=())
    assert "the head is new, drawn from seed 0: qa_outputs.bias, qa_outputs.weight" in trained.notes
