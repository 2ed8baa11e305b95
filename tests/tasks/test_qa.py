"""Question answering on tiny readers of many architectures: spans, and what may and may not win."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from torch import Tensor
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    BartConfig,
    BartForQuestionAnswering,
    BertConfig,
    BertForQuestionAnswering,
    DebertaV2Config,
    DebertaV2ForQuestionAnswering,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    ElectraConfig,
    ElectraForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
    T5Config,
    T5ForQuestionAnswering,
    XLMConfig,
    XLMForQuestionAnswering,
    XLNetConfig,
    XLNetForQuestionAnswering,
    XLNetForQuestionAnsweringSimple,
)
from victims import D, sizes_of, subword_tokenizer, word_tokenizer

from advlab.attacks import PGD
from advlab.attacks.evaluate import survives
from advlab.attacks.norms import norm
from advlab.errors import ModelError, SettingError
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.examples import NO_ANSWER
from advlab.studies.carryover import with_worst_word
from advlab.tasks import QuestionAnswering, build_task
from advlab.tasks.base import broken_in, margin_in
from advlab.tasks.tokens import Reader

ENCODERS = ("bert", "roberta", "deberta", "distilbert", "electra", "albert")
KINDS = (*ENCODERS, "t5", "bart", "xlnet")
TEXTS = (
    Example("0", "the film was good", ("film",), "what was good", 4),
    Example(
        "1",
        "i would not see the slow dull movie again but an actor was great",
        ("the slow dull movie", "slow movie"),
        "what is seen",
        16,
    ),
    Example("2", "poor plot", (NO_ANSWER,), "what seems fine again"),
    Example("3", "we saw a film and a good film", ("film",), "what", 9),
)


def tokenizer_of(kind: str) -> Any:
    """Words as tokens, a question before its text."""
    made = word_tokenizer("roberta" if kind in ("roberta", "bart") else "bert")
    cls, sep = made.cls_token, made.sep_token
    between = f"{sep} {sep}:1" if kind in ("roberta", "bart") else sep
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {between} $B:1 {sep}:1",
        special_tokens=[(cls, made.cls_token_id), (sep, made.sep_token_id)],
    )
    return made


def model_of(kind: str, tokenizer: Any) -> Any:
    common: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    wide = {"initializer_range": 0.3}
    small = sizes_of(kind, 0.0)
    if kind == "bert":
        return BertForQuestionAnswering(BertConfig(**common, **small, **wide))
    if kind == "roberta":
        config = RobertaConfig(
            **common, **small, **wide, bos_token_id=0, eos_token_id=2, type_vocab_size=1
        )
        return RobertaForQuestionAnswering(config)
    if kind == "deberta":
        config = DebertaV2Config(
            **common,
            **small,
            **wide,
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_biased_input=False,
            max_relative_positions=16,
        )
        return DebertaV2ForQuestionAnswering(config)
    if kind == "distilbert":
        return DistilBertForQuestionAnswering(
            DistilBertConfig(**common, **small, **wide, qa_dropout=0.0)
        )
    if kind == "electra":
        return ElectraForQuestionAnswering(
            ElectraConfig(**common, **small, **wide, embedding_size=12)
        )
    if kind == "albert":
        return AlbertForQuestionAnswering(
            AlbertConfig(**common, **small, **wide, embedding_size=12)
        )
    return _other(kind, common)


def _other(kind: str, common: dict[str, Any]) -> Any:
    if kind == "t5":
        config = T5Config(
            **common,
            d_model=D,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            dropout_rate=0.0,
            decoder_start_token_id=0,
            initializer_factor=1.0,
        )
        return T5ForQuestionAnswering(config)
    if kind == "bart":
        config = BartConfig(
            **common,
            d_model=D,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=40,
            dropout=0.0,
            init_std=0.3,
            scale_embedding=True,
            decoder_start_token_id=2,
            eos_token_id=2,
            bos_token_id=0,
        )
        return BartForQuestionAnswering(config)
    if kind == "xlm":
        return XLMForQuestionAnswering(XLMConfig(**common, emb_dim=D, n_layers=1, n_heads=2))
    config = XLNetConfig(**common, d_model=D, n_layer=2, n_head=2, d_inner=32, dropout=0.0)
    beams = XLNetForQuestionAnswering if kind == "xlnet beams" else XLNetForQuestionAnsweringSimple
    return beams(config)


def make_reader(kind: str, *, seed: int = 0, **settings: Any) -> Victim:
    tokenizer = tokenizer_of(kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_of(kind, tokenizer)
    task = build_task("qa", **settings)
    return Victim(model.double().eval(), tokenizer, task=task, name=kind, max_length=32)


@lru_cache
def shared(kind: str) -> Victim:
    """For reading only."""
    return make_reader(kind)


def asked(victim: Victim, **settings: Any) -> Victim:
    """The same model, asked otherwise."""
    twin = victim.view()
    twin.task = replace(victim.task, **settings)  # type: ignore[type-var]
    return twin


def own(victim: Victim, examples: tuple[Example, ...] = TEXTS) -> list[Example]:
    """The examples with what the model itself answers."""
    batch = victim.encode(examples)
    said = victim.answers(victim.embed(batch), batch)
    return [replace(e, answers=(a,), place=None) for e, a in zip(examples, said, strict=True)]


def output(victim: Victim, examples: Any) -> tuple[Tensor, Any]:
    batch = victim.encode(examples)
    with torch.no_grad():
        return victim.output(victim.embed(batch), batch), batch


# ---- identity, masks, padding -------------------------------------------------------------------


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


# ---- long texts ---------------------------------------------------------------------------------

LONG = Example(
    "long",
    "we saw the film and it was not a very good film but an actor was great and the plot was slow "
    "and we would not see it again and the second scene was dull",
    ("the second scene",),
    "what was dull",
)


@pytest.mark.parametrize("kind", [*ENCODERS, "bart"])
def test_a_long_text_is_read_in_windows_as_each_of_them_alone_would_be(kind: str) -> None:
    victim = asked(shared(kind), window=20, overlap=6)
    victim.reader = Reader(victim.tokenizer, 60)
    out, batch = output(victim, [LONG, *TEXTS])
    T, room = int(batch.attention_mask[0].sum()), None
    assert T > 40 > 20
    before = int((batch.segment[0] == 0).nonzero()[0])
    after = 1
    room = 20 - before - after
    plain = asked(shared(kind), window=0)
    places = list(range(before, T - after))
    seen: dict[int, tuple[float, Tensor]] = {}
    for start in range(0, len(places) - 6, room - 6):
        part = places[start : start + room]
        rows = torch.tensor([[*range(before), *part, T - 1]])
        alone = replace(
            batch,
            input_ids=batch.input_ids[:1].gather(1, rows),
            attention_mask=torch.ones_like(rows),
            segment=batch.segment[:1].gather(1, rows),
            target={
                "kinds": batch.target["kinds"][:1].gather(1, rows),
                "null": batch.target["null"][:1],
            },
        )
        with torch.no_grad():
            found = plain.output(plain.embed(alone), alone)[0]
        for i, t in enumerate(part):
            most = min(i, len(part) - 1 - i) + 0.01 * len(part)
            if t not in seen or most > seen[t][0]:
                seen[t] = most, found[before + i] - found[0]
    for t, (_, wanted) in seen.items():
        torch.testing.assert_close(out[0, t], wanted, rtol=1e-9, atol=1e-9)
    assert (out[0, 0] == 0).all()
    assert sorted(seen) == places


def test_a_token_of_two_windows_has_one_delta_and_both_gradients() -> None:
    victim = asked(shared("bert"), window=20, overlap=8)
    victim.reader = Reader(victim.tokenizer, 60)
    batch = victim.encode([LONG])
    embeds = victim.embed(batch).detach().requires_grad_()
    (grad,) = torch.autograd.grad(victim.objective(batch)(embeds).sum(), embeds)
    assert grad.shape == embeds.shape
    assert grad[0][batch.segment[0] == 0].norm(dim=-1).gt(0).all()
    attack = PGD(2.0, steps=4).at(victim.scale)
    found = attack(victim.objective(batch), victim.embed(batch).detach(), batch.perturbable)
    assert found.losses[-1] > found.losses[0]


def test_short_texts_are_read_in_windows_as_they_are_in_one_piece() -> None:
    whole, parts = shared("bert"), asked(shared("bert"), window=30, overlap=4)
    (mine, batch), (theirs, _) = output(parts, TEXTS), output(whole, TEXTS)
    for task in (whole.task,):
        torch.testing.assert_close(task.loss(mine, batch), task.loss(theirs, batch))
        torch.testing.assert_close(
            margin_in(task.scores(mine, batch)), margin_in(task.scores(theirs, batch))
        )


def test_a_reader_in_windows_reads_more_than_its_places() -> None:
    victim = Victim(
        shared("bert").model,
        tokenizer_of("bert"),
        task=build_task("qa", window=24, overlap=8),
        name="bert",
        max_length=300,
    )
    assert victim.max_length == 300 > victim.model.config.max_position_embeddings
    found = victim.encode([replace(LONG, text=" ".join([LONG.text] * 4))])
    assert found.input_ids.shape[1] > 100
    with pytest.raises(SettingError, match="make the window larger"):
        asked(victim, window=12, overlap=8).answers(victim.embed(found), found)


# ---- what is broken -----------------------------------------------------------------------------


def logits(victim: Victim, example: Example, *spans: tuple[int, int, float]) -> tuple[Tensor, Any]:
    """An output in which each span of words gets so much, half at its start and half at its end."""
    batch = victim.encode([example])
    first = int((batch.segment[0] == 0).nonzero()[0])
    out = torch.zeros(*batch.input_ids.shape, 2).double()
    for start, end, score in spans:
        out[0, first + start, 0] += score / 2
        out[0, first + end, 1] += score / 2
    allowed = (batch.segment == 0) | (torch.arange(out.shape[1]) == batch.target["null"][:, None])
    return out.masked_fill(~allowed.unsqueeze(-1), -torch.inf), batch


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


# ---- people -------------------------------------------------------------------------------------


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
