"""Attacks, training methods, studies and explanations know no task: here are three they never saw."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from seam_tasks import (
    KINDS,
    SPANS,
    TRANSLATIONS,
    Translation,
    examples_of,
    make_seam,
    own_answers,
    shared_seam,
)

from advlab.attacks import ATTACKS, PGD, Minimal, attack_settings, build_attack
from advlab.attacks.evaluate import by_length, first_broken, first_noisy, survives
from advlab.attacks.hotflip import HotFlip
from advlab.attacks.norms import norm
from advlab.attacks.universal import Universal
from advlab.capsule.format import load, save
from advlab.errors import DataError, ModelError, SettingError
from advlab.explain.explore import ANALYSES, analyse, explore
from advlab.explain.subject import Subject
from advlab.model.blocks import blocks_of
from advlab.model.victim import Victim
from advlab.records import AttackRecord, Example
from advlab.runs.config import Regularisation
from advlab.studies.alarms import alarms_of
from advlab.studies.grid import grid
from advlab.tasks import Batch
from advlab.training.methods import METHODS, Step, build_method
from advlab.training.methods.regularise import backward

LITTLE: dict[str, dict[str, Any]] = {  # as few steps as an attack can have
    "pgd": {"steps": 2, "restarts": 2, "momentum": 0.5},
    "noise": {"draws": 2},
    "autopgd": {"steps": 2},
    "deepfool": {"steps": 2},
    "fmn": {"steps": 3},
    "cw": {"steps": 3, "searches": 2},
    "spsa": {"steps": 1, "samples": 2},
    "ensemble": {"effort": 2},
}
QUICK: dict[str, dict[str, Any]] = {"freelb": {"steps": 2}, "freelb++": {"steps": 2}}
REACH = {"l2": 0.8, "linf": 0.15, "l1": 3.0}  # × mean norm
SIDES = ("source", "decoder", "both")
DEEP = ("hidden", "smart")  # methods whose δ stands on blocks
ASKING = ("c-advul",)  # methods that ask more of a task than these three say
SHALLOW = [n for n in METHODS if n not in (*DEEP, *ASKING)]


@lru_cache
def right(kind: str) -> tuple[Example, ...]:
    """Examples that the model answers as it should."""
    return tuple(own_answers(shared_seam(kind)))


def sided(batch: Batch, side: str) -> Batch:
    """An encoder–decoder's batch with room for δ on a side."""
    T, S = batch.input_ids.shape[1], batch.target["mask"].shape[1]
    source, read = batch.perturbable, (batch.attention_mask > 0) & (torch.arange(T) >= S)
    return replace(
        batch, perturbable={"source": source, "decoder": read, "both": source | read}[side]
    )


def settings_of(name: str) -> list[dict[str, Any]]:
    return [
        {"name": name, **LITTLE.get(name, {}), "eps": REACH[p], "p": p, "ball": ball}
        for p in REACH
        for ball in ("example", "token")
    ]


def attacked(victim: Victim, batch: Batch, settings: dict[str, Any]) -> None:
    attack = build_attack(settings).at(victim.scale)
    objective, embeds = victim.objective(batch), victim.embed(batch).detach()
    dice = torch.Generator().manual_seed(0)
    found = attack(objective, embeds, batch.perturbable, dice, flips=objective.flips)
    said = str(settings)
    assert found.losses.isfinite().all(), said
    for delta in (found.delta, found.flip_delta):
        assert delta.isfinite().all(), said
        assert not delta[~batch.perturbable].any(), said
        assert (norm(delta, attack.p, attack.ball) <= attack.eps * (1 + 1e-9)).all(), said
    flips = victim.objective(batch).flips(embeds + found.flip_delta)
    broken = found.first_flip >= 0
    assert flips[broken].all(), said
    if not isinstance(attack, Minimal):  # whose best is among the steps that were looked at
        best = victim.objective(batch).flips(embeds + found.delta)
        assert (broken | ~best).all(), said
    assert all(p.grad is None for p in victim.model.parameters()), said


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_attack_keeps_to_its_ball_and_its_places_on_every_task(kind: str, name: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    for settings in settings_of(name):
        attacked(victim, batch, settings)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_may_stand_on_the_source_the_decoder_or_both(name: str, side: str) -> None:
    victim = shared_seam("marian")
    batch = sided(victim.encode(right("marian")), side)
    assert batch.perturbable.any()
    attacked(victim, batch, {"name": name, **LITTLE.get(name, {}), "eps": 0.8})


@pytest.mark.parametrize("kind", KINDS)
def test_every_auto_pgd_loss_climbs_on_every_task(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    for loss in ("ce", "dlr", "targeted"):
        attacked(victim, batch, {"name": "autopgd", "steps": 3, "restarts": 2, "loss": loss})


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_with_room_breaks_what_it_attacks(kind: str) -> None:
    victim = shared_seam(kind)
    assert survives(victim, right(kind)) == [True] * 4
    assert not all(survives(victim, right(kind), PGD(3.0, steps=10)))


# ---- training -----------------------------------------------------------------------------------


def trained(kind: str, side: str = "source") -> tuple[Victim, Batch]:
    victim = make_seam(kind, dropout=0.1)
    batch = victim.encode(examples_of(kind))
    if kind in TRANSLATIONS:
        batch = sided(batch, side)
    victim.scale  # measured before training, as a run does
    victim.model.train()
    return victim, batch


def gradients(victim: Victim, batch: Batch, name: str, strength: float) -> list[torch.Tensor]:
    """Of the last replay of a batch, all of them with the same dropout."""
    method, dice = (
        build_method({"name": name, **QUICK.get(name, {})}),
        torch.Generator().manual_seed(0),
    )
    carry: dict[str, Any] = {}
    for _ in range(method.replays):
        victim.model.zero_grad(set_to_none=True)
        torch.manual_seed(3)
        told = method.backward(victim, batch, Step(strength, dice, carry))
        assert all(np.isfinite(value) for value in told.values())
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]


def teaches(victim: Victim, batch: Batch, name: str, tolerance: float) -> None:
    plain = gradients(victim, batch, "plain", 1.0)
    for got, wanted in zip(gradients(victim, batch, name, 0.0), plain, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)
    full = gradients(victim, batch, name, 1.0)
    assert all(g.isfinite().all() for g in full)
    assert name == "plain" or any(
        not torch.allclose(a, b) for a, b in zip(full, plain, strict=True)
    )


def close(kind: str) -> float:
    return 1e-6 if kind in ("t5", "llama") else 1e-9  # these two normalise in float32


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in KINDS for n in (SHALLOW if k in TRANSLATIONS else [*SHALLOW, *DEEP])],
)
def test_every_method_teaches_every_task_and_without_strength_is_plain(
    kind: str, name: str
) -> None:
    teaches(*trained(kind), name, close(kind))


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize(
    ("kind", "side"), [("marian", "decoder"), *((kind, "both") for kind in TRANSLATIONS)]
)
def test_training_may_perturb_the_decoder_side_too(kind: str, name: str, side: str) -> None:
    teaches(*trained(kind, side), name, close(kind))


@pytest.mark.parametrize("kind", TRANSLATIONS)
def test_an_encoder_with_a_decoder_has_no_hidden_layer_to_perturb(kind: str) -> None:
    victim, batch = trained(kind)
    for name in DEEP:
        with pytest.raises(SettingError, match="an encoder and a decoder; perturb the word emb"):
            build_method({"name": name}).backward(victim, batch, Step())
    with pytest.raises(SettingError, match="an encoder and a decoder"):
        build_method({"name": "pgd", "site": "sum"}).backward(victim, batch, Step())
    with pytest.raises(SettingError, match="an encoder and a decoder"):
        blocks_of(victim)


@pytest.mark.parametrize("what", ["rdrop", "hotflip"])
@pytest.mark.parametrize("kind", KINDS)
def test_regularisers_add_finite_gradients_on_every_task(kind: str, what: str) -> None:
    victim, batch = trained(kind)
    told = backward(victim, batch, Regularisation(**{what: 1.0}), torch.Generator().manual_seed(0))
    assert np.isfinite(told[f"{what}_loss"])
    found = [p.grad for p in victim.model.parameters() if p.grad is not None]
    assert found
    assert all(g.isfinite().all() for g in found)
    assert any(g.any() for g in found)


@pytest.mark.parametrize("kind", KINDS)
def test_mixup_blends_texts_of_one_shape_and_refuses_others(kind: str) -> None:
    victim, batch = trained(kind)
    with pytest.raises(SettingError, match="same places for mixup"):
        backward(victim, batch, Regularisation(mixup=1.0), torch.Generator().manual_seed(0))
    text, other = ("the film was good", "a plot seems dull")
    answers = ("film", "plot") if kind in SPANS else ("great plot", "poor scene")
    pair = [
        Example(str(i), t, (a,), "what" if kind in SPANS else "")
        for i, (t, a) in enumerate(zip((text, other), answers, strict=True))
    ]
    told = backward(victim, victim.encode(pair), Regularisation(mixup=1.0))
    assert 0 < told["mixup_loss"] < 20


@pytest.mark.parametrize("kind", KINDS)
def test_words_exchanged_by_hotflip_raise_the_loss_that_the_task_has(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(right(kind))
    found = HotFlip(2, verify=4)(victim, batch)
    many = replace(batch, input_ids=found.input_ids)
    with torch.no_grad():
        loss = victim.objective(many)(victim.embed(many))
        clean = victim.objective(batch)(victim.embed(batch))
    torch.testing.assert_close(loss, found.losses[-1])
    torch.testing.assert_close(clean, found.losses[0])
    assert torch.equal(found.input_ids[~batch.perturbable], batch.input_ids[~batch.perturbable])
    assert (loss > clean).any()


# ---- the model ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_give_what_ids_give(kind: str) -> None:
    victim = shared_seam(kind)
    for example in examples_of(kind):
        batch = victim.encode([example])
        with torch.no_grad():
            mine = victim.output(victim.embed(batch), batch)
            theirs = victim.task.from_ids(victim.model, batch)
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_a_source_that_is_not_scaled_as_the_model_scales_it_is_refused() -> None:
    victim = shared_seam("marian")
    batch = victim.encode(right("marian"))
    bare = Translation(scaled=False).embed(victim.model, batch.input_ids, batch)
    S = batch.target["mask"].shape[1]
    torch.testing.assert_close(victim.embed(batch)[:, :S], 4 * bare[:, :S])
    torch.testing.assert_close(victim.embed(batch)[:, S:], bare[:, S:])
    with pytest.raises(ModelError, match="the same logits from ids and from their embeddings"):
        make_seam("marian", task=Translation(scaled=False))
    make_seam("bart", task=Translation(scaled=False))  # its embedding layer scales for itself


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_an_example_knows_neither_batch_mates_nor_padding(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(examples_of(kind))
    tolerance = close(kind)
    with torch.no_grad():
        together = victim.objective(batch)(victim.embed(batch))
        for i, example in enumerate(examples_of(kind)):
            alone = victim.encode([example])
            torch.testing.assert_close(
                together[i : i + 1],
                victim.objective(alone)(victim.embed(alone)),
                rtol=tolerance,
                atol=tolerance,
            )
        rows = torch.tensor([2, 0])
        part = victim.objective(batch).take(rows)(victim.embed(batch)[rows])
    torch.testing.assert_close(part, together[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_is_zero_to_itself_above_zero_to_others_and_blind_to_padding(kind: str) -> None:
    victim = shared_seam(kind)
    batch = victim.encode(examples_of(kind))
    embeds = victim.embed(batch).detach()
    with torch.no_grad():
        p, q = victim.output(embeds, batch), victim.output(1.1 * embeds, batch)
        apart = victim.task.divergence(p, q, batch)
        assert (apart > 0).all()
        torch.testing.assert_close(victim.task.divergence(p, p, batch), torch.zeros(4).double())
        for i, example in enumerate(examples_of(kind)):
            alone = victim.encode([example])
            x = victim.embed(alone)
            p, q = victim.output(x, alone), victim.output(1.1 * x, alone)
            torch.testing.assert_close(
                victim.task.divergence(p, q, alone), apart[i : i + 1], rtol=1e-5, atol=1e-8
            )


# ---- whole data sets ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_whole_data_sets_are_counted_whatever_the_task(kind: str) -> None:
    victim, examples = shared_seam(kind), right(kind)
    places = [place for rows, _ in by_length(victim, examples, 3) for place in rows]
    assert sorted(places) == [0, 1, 2, 3]
    radii = (0.0, 0.5, 3.0)
    found = first_broken(victim, examples, PGD(0.5, steps=5), radii)
    shaken = first_noisy(victim, examples, PGD(0.5, steps=5), radii, draws=2)
    assert len(found) == len(shaken) == 4
    assert all(1 <= place <= 3 for place in (*found, *shaken))
    assert min(found) < 3
    wrong = [replace(e, answers=(e.text.split()[0],)) for e in examples]
    if kind not in SPANS:
        assert first_broken(victim, wrong, PGD(0.5, steps=2), radii) == [-1] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_and_its_alarms_are_made_whatever_the_task(kind: str) -> None:
    victim, examples = shared_seam(kind), right(kind)
    attacks = [PGD(0.5, steps=3), build_attack({"name": "fgm", "eps": 0.5})]
    found = grid([victim], examples, attacks, (0.2, 2.0), noise_draws=2)
    assert [row.attack for row in found.rows] == [attack_settings(a) for a in attacks]
    for row in found.rows:
        assert row.right.all()
        assert ((row.confidence > 0) & (row.confidence <= 1)).all()
        assert row.noise.dtype == bool
        assert row.noise.shape == (2, 4)
        assert (row.broken >= 0).all()
    alarms = alarms_of(found, [victim], examples, attacks)
    names = {alarm.name for alarm in alarms}
    assert "outputs are random" not in names
    assert "no gradient" not in names


@pytest.mark.parametrize("kind", KINDS)
def test_one_direction_for_all_texts_is_found_whatever_the_task(kind: str) -> None:
    u = Universal(passes=1).fit(shared_seam(kind), right(kind))
    assert float(u.norm()) == pytest.approx(1.0)


# ---- one text -----------------------------------------------------------------------------------


@lru_cache
def record_of(kind: str) -> AttackRecord:
    victim, example = shared_seam(kind), examples_of(kind)[0]
    attack = PGD(2.0, steps=5)
    return explore(victim, example.text, beside=example.beside, attack=attack, points=7, draws=4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_made_of_any_task(kind: str) -> None:
    victim, record = shared_seam(kind), record_of(kind)
    T = len(record.tokens)
    assert record.task["name"] == victim.task.name
    assert record.reference == right(kind)[0].answer == record.clean.answers[0]
    assert not record.clean.broken[0]
    assert record.attacked.loss[0] > record.clean.loss[0]
    assert record.delta.shape == (T, 16)
    assert len(record.word_of) == len(record.spans) == len(record.perturbable) == T
    assert not record.delta[~record.perturbable].any()
    assert [record.words[w] for w in record.word_of[record.perturbable]] == record.text.split()
    assert record.flipped == (record.attacked.margin[0] < 0)
    assert record.curve.attacked.loss[0] == pytest.approx(record.clean.loss[0])
    for values in record.clean.parts.values():
        assert values.ndim == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_must_stand_is_read_as_it_is_whatever_reference_is_given(kind: str) -> None:
    """The model's own answer is judged behind its own words, not behind those of the reference."""
    victim, attack = shared_seam(kind), PGD(2.0, steps=3).at(shared_seam(kind).scale)
    broke = 0
    for given in examples_of(kind):
        bare = replace(given, answers=(), place=None)
        stages = [Subject.set(victim, example, attack) for example in (bare, given)]
        own, other = stages
        assert own.answer == other.answer != given.answer
        dice = torch.Generator().manual_seed(0)
        T = max(subject.embeds.shape[1] for subject in stages)
        delta = torch.randn(8, T, 16, generator=dice).double() * torch.arange(8).reshape(-1, 1, 1)
        found = []
        for subject in stages:
            free = subject.batch.perturbable.unsqueeze(-1)
            found.append(subject.read(delta[:, : free.shape[1]] * free))
        alone, beside = found
        np.testing.assert_allclose(beside.hold, alone.margin, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(beside.broken, alone.broken)
        assert beside.answers == alone.answers
        assert beside.answers[0] == other.answer
        assert not beside.broken[0]
        broke += int(beside.broken.sum())
        assert not np.allclose(beside.margin, alone.margin)
    assert broke


@pytest.mark.parametrize("kind", KINDS)
def test_a_capsule_keeps_what_a_task_says_of_each_place(kind: str) -> None:
    record = record_of(kind)
    found = load(save(record, shared_seam(kind).tokenizer_hash).encode())
    assert found.changed == ()
    assert found.classes == ()
    for name, made in {**record.readings, "curve": record.curve.attacked}.items():
        assert found.readings[name].answers == made.answers
        for part, values in made.parts.items():
            np.testing.assert_array_equal(found.readings[name].parts[part], values)


@pytest.mark.parametrize("shape", [[], [1, 2, 2, 2], "no", [1, 2049], [1, -1], [2, 2]])
def test_a_part_of_a_capsule_has_few_axes_of_bounded_size(shape: Any) -> None:
    import json

    whole = json.loads(save(record_of("bert"), ""))
    whole["results"]["readings"]["clean"]["parts"]["start"]["shape"] = shape
    with pytest.raises(DataError, match="no capsule"):
        load(json.dumps(whole).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_of_a_record_later_is_answered(kind: str) -> None:
    victim, record = shared_seam(kind), record_of(kind)
    token = int(np.flatnonzero(record.perturbable)[0])
    asked: dict[str, dict[str, Any]] = {name: {} for name in ANALYSES} | {
        "plane": {"token": token},
        "distances": {"token": token},
        "saliency": {"method": "input_x_gradient"},
        "surface": {"grid": 5},
        "substitutions": {"top": 2},
    }
    for name, options in asked.items():
        # none of these tasks says that it writes; only some have both sides
        if name == "written" or (name == "alignment" and kind not in TRANSLATIONS):
            with pytest.raises(SettingError, match="expected a model"):
                analyse(victim, record, name)
            continue
        assert analyse(victim, record, name, **options) is not None, name
