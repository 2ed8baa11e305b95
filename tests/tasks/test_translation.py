"""Translation: both sides of the embeddings, decoding under a fixed δ, what people read."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from translators import EXAMPLES, KINDS, D, make_translator, shared_translator

from advlab.attacks import PGD
from advlab.attacks.evaluate import survives
from advlab.data import normal_forms
from advlab.errors import ModelError, SettingError
from advlab.explain.explore import explore
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks import Batch, sequences
from advlab.tasks.base import broken_in, in_training, margin_in
from advlab.tasks.sequences import NONE
from advlab.tasks.translation import Translation, scale_of
from advlab.training.methods import Step, build_method

CLOSE = {"t5": 1e-5}  # it normalises in float32


def shaken(victim: Victim, batch: Batch, size: float = 2.0, seed: int = 0) -> Tensor:
    """The batch's embeddings with a random δ where an attack may have one."""
    dice = torch.Generator().manual_seed(seed)
    embeds = victim.embed(batch).detach()
    noise = torch.randn(embeds.shape, generator=dice, dtype=embeds.dtype)
    return embeds + size * noise * batch.perturbable.unsqueeze(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_of_both_sides_give_what_ids_give(kind: str) -> None:
    victim = shared_translator(kind)
    for example in EXAMPLES:
        batch = victim.encode([example])
        with torch.no_grad():
            mine = victim.output(victim.embed(batch), batch)
            theirs = victim.task.from_ids(victim.model, batch)
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_are_as_long_as_they_enter_the_layers(kind: str) -> None:
    victim = shared_translator(kind)
    batch = victim.encode(EXAMPLES)
    S = batch.target["mask"].shape[1]
    rows = victim.model.get_input_embeddings().weight.detach()
    scale = 1.0 if kind == "t5" else D**0.5
    torch.testing.assert_close(victim.embed(batch), scale * rows[batch.input_ids])
    torch.testing.assert_close(victim.table, scale * rows)
    given = scale_of(victim.model.get_decoder())
    assert given == (D**0.5 if kind in ("marian", "pegasus") else 1.0)
    assert not batch.perturbable[:, S:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_knows_neither_batch_mates_nor_padding(kind: str) -> None:
    victim = shared_translator(kind)
    batch = victim.encode(EXAMPLES)
    close = CLOSE.get(kind, 1e-9)
    with torch.no_grad():
        together = victim.objective(batch)(victim.embed(batch))
        for i, example in enumerate(EXAMPLES):
            alone = victim.encode([example])
            mine = victim.objective(alone)(victim.embed(alone))
            torch.testing.assert_close(together[i : i + 1], mine, rtol=close, atol=close)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_mean_of_the_references_tokens_whatever_the_model_averages(
    kind: str,
) -> None:
    victim = shared_translator(kind)
    for example in EXAMPLES:
        batch = victim.encode([example])
        S = batch.target["mask"].shape[1]
        with torch.no_grad():
            theirs = victim.model(
                input_ids=batch.input_ids[:, :S],
                decoder_input_ids=batch.input_ids[:, S:],
                labels=batch.target["labels"],
            )
            mine = victim.objective(batch)(victim.embed(batch))
        pad = theirs.logits[0, :, victim.reader.pad].exp().sum()
        if pad > 0:  # the model itself would write padding
            ids = batch.target["labels"].clamp_min(0)
            bare = theirs.logits.index_fill(2, torch.tensor(victim.reader.pad), -torch.inf)
            log = bare.log_softmax(-1).gather(2, ids.unsqueeze(-1)).squeeze(-1)
            here = batch.target["labels"] != NONE
            assert mine.item() == pytest.approx(-log[here].mean().item())


def by_hand(victim: Victim, embeds: Tensor, batch: Batch) -> list[list[int]]:
    """Greedy decoding of each row alone, without a cache, from the very start at each token."""
    found = []
    for row in range(len(batch)):
        own = batch.take(torch.tensor([row]))
        S = int(own.target["mask"].sum())
        ids = list(victim.reader.opening)
        while True:
            read = torch.tensor([ids])
            logits = victim.model(
                inputs_embeds=embeds[row : row + 1, :S],
                attention_mask=torch.ones(1, S, dtype=torch.long),
                decoder_input_ids=read,
                use_cache=False,
            ).logits[0, -1]
            logits[victim.reader.pad] = -torch.inf
            ids.append(int(logits.argmax()))
            written = ids[len(victim.reader.opening) :]
            if ids[-1] == victim.reader.ending or len(written) == 12:
                found.append(written)
                break
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_decoding_under_a_fixed_delta_equals_a_loop_without_cache(kind: str) -> None:
    victim = shared_translator(kind)
    task: Any = victim.task
    batch = victim.encode(EXAMPLES)
    said = set()
    for seed in range(3):
        embeds = shaken(victim, batch, seed=seed)
        with torch.no_grad():
            wanted = by_hand(victim, embeds, batch)
        found = task.decode(victim.model, embeds, batch, victim.reader)
        assert found == wanted
        said |= {tuple(ids) for ids in found}
    assert len(said) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_beams_do_not_depend_on_batch_mates_and_never_write_what_is_less_likely(kind: str) -> None:
    victim = shared_translator(kind)
    task: Any = victim.task
    batch = victim.encode(EXAMPLES)
    embeds = shaken(victim, batch)
    before = copy.deepcopy(victim.model.generation_config.to_dict())
    found = task.decode(victim.model, embeds, batch, victim.reader, beams=3)
    assert victim.model.generation_config.to_dict() == before
    for row in range(len(batch)):
        own = batch.take(torch.tensor([row]))
        alone = task.decode(victim.model, embeds[row : row + 1], own, victim.reader, beams=3)
        assert alone == [found[row]]
    greedy = task.decode(victim.model, embeds, batch, victim.reader)
    for row, (a, b) in enumerate(zip(found, greedy, strict=True)):
        if len(a) == len(b):
            own = batch.take(torch.tensor([row]))
            mine, theirs = (_log(victim, embeds[row : row + 1], own, ids) for ids in (a, b))
            assert mine >= theirs - 1e-6


def _log(victim: Victim, embeds: Tensor, batch: Batch, ids: list[int]) -> float:
    """The log-probability of written ids."""
    S = batch.target["mask"].shape[1]
    read = [*victim.reader.opening, *ids]
    with torch.no_grad():
        logits = victim.model(
            inputs_embeds=embeds[:, :S],
            attention_mask=batch.target["mask"],
            decoder_input_ids=torch.tensor([read[:-1]]),
        ).logits[0, -len(ids) :]
    logits[:, victim.reader.pad] = -torch.inf
    return float(logits.log_softmax(-1).gather(1, torch.tensor(ids).unsqueeze(1)).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_broken_means_that_the_greedy_translation_is_another(kind: str) -> None:
    victim = shared_translator(kind)
    task: Any = victim.task
    free = victim.encode([replace(e, answers=()) for e in EXAMPLES])
    clean = victim.answers(victim.embed(free), free)
    batch = victim.encode([replace(e, answers=(a,)) for e, a in zip(EXAMPLES, clean, strict=True)])
    S = batch.target["mask"].shape[1]
    counts = []
    for size in (0.0, 0.1, 0.3, 1.0):
        embeds = shaken(victim, batch, size)
        with torch.no_grad():
            broken = broken_in(task.scores(victim.output(embeds, batch), batch)).tolist()
        ids = task.decode(victim.model, embeds[:, :S], batch, victim.reader)
        labels = [[i for i in row if i != NONE] for row in batch.target["labels"].tolist()]
        assert broken == [a != b for a, b in zip(ids, labels, strict=True)]
        counts.append(sum(broken))
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_readings_tell_what_is_really_written(kind: str) -> None:
    victim = shared_translator(kind)
    batch = victim.encode(EXAMPLES)
    embeds = shaken(victim, batch)
    assert list(victim.read(embeds, batch).answers) == victim.answers(embeds, batch)
    free = victim.encode([replace(e, answers=()) for e in EXAMPLES])
    found = victim.read(victim.embed(free), free)
    assert list(found.answers) == victim.answers(victim.embed(free), free)
    assert not found.broken.any()


def test_a_reading_of_what_stands_needs_no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = make_translator("bart")
    example = EXAMPLES[0]
    free = victim.encode([replace(example, answers=())])
    said = victim.answers(victim.embed(free), free)[0]
    batch = victim.encode([replace(example, answers=(said,))])
    monkeypatch.setattr(Translation, "decode", None)
    assert victim.read(victim.embed(batch), batch).answers == (said,)


@pytest.mark.parametrize("kind", KINDS)
def test_delta_in_training_may_stand_on_the_decoders_input_too(kind: str) -> None:
    victim = make_translator(kind, place="both")
    batch = victim.encode(EXAMPLES)
    S = batch.target["mask"].shape[1]
    assert not batch.perturbable[:, S:].any()
    wide = in_training(batch)
    assert torch.equal(wide.perturbable[:, :S], batch.perturbable[:, :S])
    read = (batch.segment == 2) & (batch.attention_mask > 0)
    assert torch.equal(wide.perturbable[:, S:], read[:, S:])
    assert not wide.perturbable[:, S : S + len(victim.reader.opening)].any()
    victim.model.train()
    told = build_method({"name": "pgd", "eps": 0.5}).backward(victim, wide, Step())
    assert all(np.isfinite(v) for v in told.values())
    narrow = make_translator(kind).encode(EXAMPLES)
    assert torch.equal(in_training(narrow).perturbable, narrow.perturbable)


def test_the_code_of_a_language_opens_an_answer_and_is_never_asked_for() -> None:
    victim = shared_translator("mbart")
    code = victim.tokenizer.convert_tokens_to_ids("de_DE")
    assert victim.reader.opening == (victim.tokenizer.bos_token_id, code)
    batch = victim.encode(EXAMPLES[:1])
    assert batch.target["labels"][0, 0] == NONE
    S = batch.target["mask"].shape[1]
    assert batch.input_ids[0, S : S + 2].tolist() == list(victim.reader.opening)


def test_a_model_that_does_not_say_how_its_decoder_begins_is_refused() -> None:
    victim = shared_translator("bart")
    model = copy.deepcopy(victim.model)
    model.config.decoder_start_token_id = None
    model.generation_config.decoder_start_token_id = None
    with pytest.raises(ModelError, match="decoder_start_token_id"):
        Victim(model, victim.tokenizer, task=Translation(), name="x")


@pytest.mark.parametrize("kind", KINDS)
def test_a_translator_is_saved_and_opened_again(kind: str, tmp_path: Any) -> None:
    victim = make_translator(kind, keep=0.5)
    victim.save(tmp_path)
    again = Victim.load(tmp_path)
    assert again.task == victim.task
    assert again.reader.opening == victim.reader.opening
    batch = victim.encode(EXAMPLES)
    victim.model.float()
    torch.testing.assert_close(
        again.output(again.embed(batch), batch), victim.output(victim.embed(batch), batch)
    )


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_an_attack_with_room_breaks_a_translation(keep: float) -> None:
    victim = make_translator("bart", keep=keep)
    free = victim.encode([replace(e, answers=()) for e in EXAMPLES])
    clean = victim.answers(victim.embed(free), free)
    own = [replace(e, answers=(a,)) for e, a in zip(EXAMPLES, clean, strict=True)]
    assert survives(victim, own) == [True] * 4
    assert sum(survives(victim, own, PGD(3.0, steps=10))) < 4


def test_a_record_of_a_translation_tells_each_token_and_the_decoded_answers() -> None:
    victim = shared_translator("bart")
    record = explore(victim, EXAMPLES[0].text, attack=PGD(2.0, steps=5), points=5, draws=2)
    U = record.clean.parts["nats"].shape[1]
    for name in ("nats", "ends", "held_nats", "held_ends", "held_lead"):
        assert record.clean.parts[name].shape == (1, U)
    text = record.clean.answers[0]
    ends = record.clean.parts["ends"][0]
    assert ends[-1] == len(text)
    assert (np.diff(ends) >= 0).all()
    if record.attacked.broken[0]:
        assert record.attacked.answers[0] != text
        assert (record.attacked.parts["held_lead"] < 0).any()


def test_targets_of_an_explanation_are_fixed_numbers_of_the_output() -> None:
    victim = shared_translator("bart")
    task, reader = victim.task, victim.reader
    batch = victim.encode(EXAMPLES[:1])
    out = victim.output(victim.embed(batch), batch).detach()
    labels = batch.target["labels"][0]
    found = task.explained("token", out, batch, reader, of=2)
    wanted = out[0, 2].log_softmax(-1)[labels[2]]
    assert found.value(out).item() == pytest.approx(wanted.item())
    assert found.of == sequences.shown(int(labels[2]), reader)
    assert task.explained("token", out, batch, reader, of="mann").of == "mann"
    whole = task.explained("loss", out, batch, reader)
    assert whole.value(out).item() == pytest.approx(task.loss(out, batch).item())
    margin = task.explained("margin", out, batch, reader)
    worst = margin_in(task.scores(out, batch)).item()
    assert margin.value(out).item() == pytest.approx(worst)
    foil = task.explained("margin", out, batch, reader, of=0, against="haus")
    own, other = int(labels[0]), reader.tokenizer("haus", add_special_tokens=False).input_ids[0]
    assert foil.value(out).item() == pytest.approx((out[0, 0, own] - out[0, 0, other]).item())
    for of, against in ((99, None), ("hut", None), (0, "der")):
        with pytest.raises(SettingError, match="expected"):
            task.explained("margin", out, batch, reader, of=of, against=against)
    with pytest.raises(SettingError, match="choose from"):
        task.explained("nonsense", out, batch, reader)


def test_a_tiny_translator_is_made_of_its_own_texts_and_its_seed() -> None:
    data = normal_forms.build()
    task = Translation()
    model, tokenizer = task.scratch("tiny", data, seed=3, max_length=64)
    again, other = task.scratch("tiny", data, seed=3, max_length=64)
    assert tokenizer.get_vocab() == other.get_vocab()
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert 200_000 < sum(p.numel() for p in model.parameters()) < 300_000
    for example in data.test[:200]:
        for text in (example.text, *example.answers):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert (
        len(tokenizer(data.test[0].answers[0])["input_ids"])
        == len(data.test[0].answers[0].split()) + 1
    )
    with pytest.raises(SettingError, match="choose from"):
        task.scratch("huge", data, seed=0, max_length=64)


def test_quality_counts_any_reference_and_chrf_as_sacrebleu_does() -> None:
    from sacrebleu.metrics import CHRF

    example = Example("0", "a dog", ("ein Hund", "ein Köter"))
    task = Translation()
    assert task.quality("ein hund", example)["exact"] == 1
    found = task.quality("ein Hut", example)
    assert found["exact"] == 0
    wanted = CHRF().sentence_score("ein Hut", list(example.answers)).score
    assert found["chrf"] == pytest.approx(wanted)
    assert next(iter(found)) == "exact"


def test_guessing_without_the_source_costs_the_entropy_of_the_words() -> None:
    data = replace(
        normal_forms.build(), train=(Example("0", "", ("a b",)), Example("1", "", ("a c",)))
    )
    assert Translation().chance(data) == pytest.approx(1.5 * np.log(2))


@pytest.mark.parametrize("kind", KINDS)
def test_adversarial_mle_is_the_worst_output_vector_of_the_true_token(kind: str) -> None:
    """The closed form is reached by δ = −ε h/‖h‖ and by no δ of a thousand others is undercut."""
    share = 0.3
    plain, worst = make_translator(kind), make_translator(kind, mle=share)
    batch = plain.encode(EXAMPLES[:2])
    with torch.no_grad():
        torch.testing.assert_close(
            worst.output(worst.embed(batch), batch), plain.output(plain.embed(batch), batch)
        )
        plain.model.train()
        worst.model.train()
        given: list[Tensor] = []
        head = plain.model.get_output_embeddings()
        handle = head.register_forward_pre_hook(lambda _, args: given.append(args[0]))
        clean = plain.output(plain.embed(batch), batch)
        handle.remove()
        found = worst.output(worst.embed(batch), batch)
    labels, h = batch.target["labels"], given[0]
    w = head.weight.detach()[labels.clamp_min(0)]
    dice = torch.Generator().manual_seed(0)
    deltas = torch.randn(1000, *w.shape, generator=dice, dtype=w.dtype)
    deltas[0] = -h
    deltas *= share * w.norm(dim=-1, keepdim=True) / deltas.norm(dim=-1, keepdim=True)
    moved = (deltas * h).sum(-1)
    lost = (found - clean).gather(2, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    here = labels != NONE
    torch.testing.assert_close(lost[here], moved[0][here], rtol=1e-4, atol=1e-5)
    assert (moved.amin(0)[here] >= lost[here] - 1e-5).all()
    others = torch.ones_like(found, dtype=torch.bool)
    others.scatter_(2, labels.clamp_min(0).unsqueeze(-1), False)
    torch.testing.assert_close(found[others], clean[others])
    assert not worst.model.get_output_embeddings()._forward_pre_hooks


def test_a_capital_is_no_new_word_to_a_translator_that_reads_lower_case() -> None:
    from advlab.model.unseen import unseen, words_of

    victim = make_translator("bart")
    victim.known = words_of(victim.tokenizer, [e.text for e in EXAMPLES])
    assert unseen(victim, ["The old Dog sings"]) == ()
    assert [u.word for u in unseen(victim, ["The old Zebra"])] == ["zebra"]
