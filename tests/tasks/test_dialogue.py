"""What a causal model replies: δ on what was said, loss on the reply, decoding under a fixed δ."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from speakers import EXAMPLES, KINDS, make_speaker, shared_speaker
from torch import Tensor

from advlab.attacks import ATTACKS, PGD, Minimal, build_attack
from advlab.attacks.norms import norm
from advlab.errors import SettingError
from advlab.explain.explore import ANALYSES, analyse, explore
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.records.turns import turns_of
from advlab.studies.alarms import alarms_of
from advlab.studies.grid import grid
from advlab.tasks.base import broken_in
from advlab.tasks.dialogue import Dialogue
from advlab.training.methods import Step, build_method

CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # some of them normalise in float32


def perturbed(victim: Victim, size: float = 0.4) -> tuple[Tensor, object]:
    """The examples with a random δ where it may be."""
    batch = victim.encode(EXAMPLES)
    embeds = victim.embed(batch).detach()
    noise = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(1)).double()
    return embeds + size * embeds.norm(dim=-1).mean() * noise * batch.perturbable.unsqueeze(
        -1
    ), batch


def step_by_step(victim: Victim, row: Tensor, longest: int) -> list[int]:
    """The greedy reply to one history (T,D), without cache, padding or batch."""
    ids: list[int] = []
    read = row.unsqueeze(0)
    while len(ids) < longest:
        with torch.no_grad():
            ids.append(
                int(victim.model(inputs_embeds=read, use_cache=False).logits[0, -1].argmax())
            )
        if ids[-1] == victim.reader.ending:
            break
        read = torch.cat([read, victim.embed(torch.tensor([[ids[-1]]])).detach()], 1)
    return ids


# ---- what a model must give ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_give_what_ids_give(kind: str) -> None:
    victim = shared_speaker(kind)
    for example in EXAMPLES:
        batch = victim.encode([example])
        with torch.no_grad():
            mine = victim.output(victim.embed(batch), batch)
            whole = victim.model(input_ids=batch.input_ids).logits
            theirs = victim.task.from_ids(victim.model, batch)
        torch.testing.assert_close(mine, theirs, **CLOSE)
        n = int(batch.target["history"])
        torch.testing.assert_close(mine, whole[:, n - 1 :], **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_reply_alone_and_knows_neither_mates_nor_padding(kind: str) -> None:
    victim = shared_speaker(kind)
    embeds, batch = perturbed(victim)
    with torch.no_grad():
        together = victim.objective(batch)(embeds)
        for i, example in enumerate(EXAMPLES):
            alone = victim.encode([example])
            T = alone.input_ids.shape[1]
            loss = victim.objective(alone)(embeds[i : i + 1, :T])
            torch.testing.assert_close(together[i : i + 1], loss, **CLOSE)
            logits = victim.model(inputs_embeds=embeds[i : i + 1, :T]).logits[0].log_softmax(-1)
            n = int(alone.target["history"])
            reply = [*victim.reader.reply(example.answers[0]), victim.reader.ending][:12]
            wanted = -sum(logits[n - 1 + u, y] for u, y in enumerate(reply)) / len(reply)
            torch.testing.assert_close(loss[0], wanted, **CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reply_is_what_a_loop_without_cache_writes_token_by_token(kind: str) -> None:
    victim = shared_speaker(kind)
    for size in (0.0, 0.4, 2.0):
        embeds, batch = perturbed(victim, size)
        with torch.no_grad():
            rows = victim.task.write(victim.model, embeds, batch, victim.reader.ending)
        for row, mine, n in zip(embeds, rows, batch.target["history"].tolist(), strict=True):
            assert mine == step_by_step(victim, row[:n], 12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_is_broken_exactly_when_the_greedy_one_differs(kind: str) -> None:
    victim = shared_speaker(kind)
    bare = [replace(e, answers=()) for e in EXAMPLES]
    batch = victim.encode(bare)
    with torch.no_grad():
        own = victim.task.write(victim.model, victim.embed(batch), batch, victim.reader.ending)
    batch = victim.encode(EXAMPLES)
    U = max(map(len, own))
    wanted = torch.tensor([[*row, *[-100] * (U - len(row))] for row in own])
    # behind the model's own words, as ids: not every row of ids is what its text is read as
    rows = [[*t.ids, *row[:-1]] for t, row in zip(batch.tokens, own, strict=True)]
    T = max(map(len, rows))
    n = [len(t) for t in batch.tokens]
    held = replace(
        batch,
        input_ids=torch.tensor([[*row, *[0] * (T - len(row))] for row in rows]),
        attention_mask=torch.tensor([[1] * len(row) + [0] * (T - len(row)) for row in rows]),
        target={
            "labels": wanted,
            "places": torch.tensor(
                [
                    [k - 1 + min(u, len(row) - 1) for u in range(U)]
                    for k, row in zip(n, own, strict=True)
                ]
            ),
            "history": torch.tensor(n),
            "earlier": torch.empty(4, 0).long(),
            "earlier_places": torch.empty(4, 0).long(),
        },
    )
    free = torch.zeros(4, T, 1)
    for i, t in enumerate(batch.tokens):
        free[i, : len(t), 0] = torch.tensor([s == 0 for s in t.segment])
    seen = set()
    for size in (0.0, 0.1, 0.3, 1.0):
        clean = victim.embed(held.input_ids).detach()
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2)).double()
        embeds = clean + size * clean.norm(dim=-1).mean() * noise * free
        with torch.no_grad():
            scores = victim.task.scores(victim.output(embeds, held), held)
            said = victim.task.write(victim.model, embeds, held, victim.reader.ending)
        differs = [a != b for a, b in zip(said, own, strict=True)]
        assert broken_in(scores).tolist() == differs
        seen |= set(differs)
    assert seen == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_delta_may_be_on_what_was_said_and_nowhere_else(kind: str) -> None:
    victim = shared_speaker(kind)
    batch = victim.encode(EXAMPLES)
    found = PGD(0.5, steps=3).at(victim.scale)(
        victim.objective(batch), victim.embed(batch).detach(), batch.perturbable
    )
    moved = found.delta.norm(dim=-1) > 0
    assert not moved[~batch.perturbable].any()
    for row, tokens, example in zip(batch.perturbable, batch.tokens, EXAMPLES, strict=True):
        free = row.nonzero().flatten().tolist()
        assert max(free) < len(tokens)
        said = "".join(example.text[slice(*tokens.spans[t])] for t in free)
        wanted = "".join(turn.text for turn in turns_of(example.text))
        assert said.replace(" ", "") == wanted.replace(" ", "")


def test_gemma_scales_its_vectors_inside_the_embedding_layer() -> None:
    victim = shared_speaker("gemma")
    rows = victim.model.get_input_embeddings().weight
    torch.testing.assert_close(victim.table, 4 * rows.detach(), **CLOSE)


# ---- training ------------------------------------------------------------------------------------


def test_earlier_turns_of_the_bot_are_learnt_in_training_and_in_training_alone() -> None:
    victim = make_speaker("llama", task=Dialogue(longest=12, earlier=0.5))
    batch = victim.encode(EXAMPLES)
    embeds = victim.embed(batch).detach()
    with torch.no_grad():
        plain = victim.objective(batch)(embeds)
        assert torch.equal(victim.objective(batch, training=True)(embeds), plain)
        victim.model.train()
        torch.testing.assert_close(victim.objective(batch)(embeds), plain)
        learnt = victim.objective(batch, training=True)(embeds)
    victim.model.eval()
    torch.testing.assert_close(learnt[[0, 2]], plain[[0, 2]])  # nothing was said by the bot
    earlier = Example("", "User: i saw a film", ("was it slow?",))
    one = victim.encode([earlier])
    with torch.no_grad():
        before = victim.objective(one)(victim.embed(one))
    n = (batch.target["labels"][1] >= 0).sum()
    m = 0.5 * (one.target["labels"] >= 0).sum()
    torch.testing.assert_close(learnt[1], (n * plain[1] + m * before[0]) / (n + m), **CLOSE)


@pytest.mark.parametrize("kind", ["gpt2", "qwen2"])
@pytest.mark.parametrize("name", ["fgm", "pgd", "freelb", "trades", "vat"])
def test_without_strength_a_method_teaches_what_plain_training_teaches(
    kind: str, name: str
) -> None:
    victim = make_speaker(kind)
    batch = victim.encode(EXAMPLES)
    victim.model.train()

    def grads(method: str) -> list[Tensor]:
        victim.model.zero_grad(set_to_none=True)
        build_method({"name": method}).backward(victim, batch, Step(0.0))
        return [p.grad.clone() for p in victim.model.parameters() if p.grad is not None]

    for mine, plain in zip(grads(name), grads("plain"), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-5, atol=1e-7)


def test_guessing_costs_what_the_words_of_replies_are_worth() -> None:
    made = tuple(Example(str(i), str(i), (reply,)) for i, reply in enumerate(("a b", "a c")))
    data = Dataset("", (), made, (), ())
    shares = np.array([2, 2, 1, 1]) / 6  # a, the end, b, c
    assert Dialogue().chance(data) == pytest.approx(-(shares * np.log(shares)).sum())


# ---- people --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_made_with_true_decodes(kind: str) -> None:
    victim = shared_speaker(kind)
    record = explore(victim, EXAMPLES[1].text, attack=PGD(2.0, steps=4), points=5, draws=3)
    assert record.clean.answers[0] == record.reference
    batch = victim.encode([Example("", EXAMPLES[1].text, (record.reference,))])
    embeds = victim.embed(batch).detach() + torch.tensor(record.delta)
    assert record.attacked.answers[0] == victim.answers(embeds, batch)[0]
    assert not record.delta[~record.perturbable].any()
    assert "User" not in " ".join(record.words)


def test_what_is_explained_is_one_number_of_the_reply() -> None:
    victim = shared_speaker("gpt2")
    batch = victim.encode(EXAMPLES[:1])
    out = victim.output(victim.embed(batch), batch).detach()
    labels = batch.target["labels"][0]
    n = len(labels)

    def of(kind: str, **asked: object) -> tuple[str, float]:
        made = victim.task.explained(kind, out, batch, victim.reader, **asked)
        return made.words, float(made.value(out))

    log = out[0].log_softmax(-1)[torch.arange(n), labels]
    assert of("reply")[1] == pytest.approx(float(log.sum()))
    assert of("loss")[1] == pytest.approx(-float(log.mean()))
    assert of("token", of=1)[1] == pytest.approx(float(log[1]))
    assert of("margin", of=0)[1] == pytest.approx(
        float(out[0, 0, labels[0]] - out[0, 0].topk(2).values[int(out[0, 0].argmax() == labels[0])])
    )
    worst = float(victim.task.scores(out, batch).diff()[0, 0])
    assert of("margin")[1] == pytest.approx(-worst)
    with pytest.raises(SettingError, match=f"one of the answer's tokens .* 0 to {n - 1}"):
        of("token", of=n)
    with pytest.raises(SettingError, match="unknown target"):
        of("logit")
    with pytest.raises(SettingError, match="expected another token"):
        of("margin", against="")


def test_the_quality_of_a_reply() -> None:
    example = Example("", "", ("Go north, to the park.", "north"))
    assert Dialogue().quality("go north, to  the park.", example) == {"exact": 1.0, "f1": 1.0}
    found = Dialogue().quality("go south, to the park.", example)
    assert found == {"exact": 0.0, "f1": pytest.approx(0.8)}
    assert Dialogue().quality("", example)["f1"] == 0.0
    chinese = Example("0", "User: 去哪儿？", ("往北走，去公园。",))
    assert Dialogue().quality("往北走， 去公园。", chinese)["exact"] == 1.0
    assert Dialogue().quality("往南走，去公园。", chinese)["f1"] == pytest.approx(7 / 8)


@pytest.mark.parametrize("name", sorted(set(ANALYSES) - {"alignment"}))
def test_what_is_asked_of_a_history_later_is_answered(name: str) -> None:
    victim = shared_speaker("llama")
    record = explore(victim, EXAMPLES[1].text, attack=PGD(1.0, steps=3), points=5, draws=3)
    token = int(np.flatnonzero(record.perturbable)[0])
    asked: dict[str, dict[str, Any]] = {
        "plane": {"token": token},
        "distances": {"token": token},
        "saliency": {"method": "input_x_gradient"},
        "surface": {"grid": 5},
        "substitutions": {"top": 2},
    }
    assert analyse(victim, record, name, **asked.get(name, {})) is not None


def test_an_alignment_is_asked_only_of_a_model_with_an_encoder() -> None:
    victim = shared_speaker("llama")
    record = explore(victim, EXAMPLES[1].text, attack=PGD(1.0, steps=3), points=5, draws=3)
    with pytest.raises(SettingError, match="expected a model with an encoder and a decoder"):
        analyse(victim, record, "alignment")


def test_the_way_back_to_text_keeps_the_turns() -> None:
    victim = shared_speaker("llama")
    record = explore(victim, EXAMPLES[1].text, attack=PGD(0.01, steps=2), points=5, draws=3)
    assert record.round_trip_text == EXAMPLES[1].text


# ---- attacks and whole data sets -----------------------------------------------------------------


@lru_cache
def taught() -> Victim:
    """A model that has learnt the replies of the examples by heart: for reading only."""
    victim = make_speaker("gpt2")
    batch = victim.encode(EXAMPLES)
    optimizer = torch.optim.AdamW(victim.model.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        victim.objective(batch)(victim.embed(batch)).mean().backward()
        optimizer.step()
    victim.model.requires_grad_(False)
    victim.forget()
    victim._scale = victim.measure_scale()
    return victim


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_keeps_to_its_ball_and_to_what_was_said(name: str) -> None:
    victim = shared_speaker("qwen2")
    batch = victim.encode(EXAMPLES)
    objective = victim.objective(batch)
    attack = build_attack({"name": name, "eps": 0.5}).brief(2, 2).at(victim.scale)
    with victim.analysing():
        found = attack(
            objective,
            victim.embed(batch).detach(),
            batch.perturbable,
            torch.Generator().manual_seed(0),
            flips=objective.flips,
        )
    assert not found.delta[~batch.perturbable].any()
    if not isinstance(attack, Minimal):
        assert (norm(found.delta, attack.p, attack.ball) <= attack.eps * (1 + 1e-9)).all()


def test_a_grid_and_its_alarms_are_made_of_replies() -> None:
    victim, attack = taught(), PGD(0.5, steps=3)
    found = grid([victim], EXAMPLES, [attack], (0.01, 5.0), noise_draws=2)
    assert found.rows[0].right.all()
    assert (found.rows[0].broken < 2).any()
    names = {alarm.name for alarm in alarms_of(found, [victim], EXAMPLES, [attack])}
    assert not names & {"outputs are random", "no gradient"}


def test_a_target_is_met_when_the_chosen_reply_is_the_greedy_one() -> None:
    victim = taught()
    wrong = [replace(EXAMPLES[0], answers=EXAMPLES[1].answers)]
    for examples, met in ((EXAMPLES[:1], True), (wrong, False)):
        batch = victim.encode(examples)
        objective = victim.objective(batch, targeted=True)
        assert objective.flips(victim.embed(batch)).tolist() == [met]
    found = PGD(6.0, steps=20, targeted=True).at(victim.scale)(
        objective, victim.embed(batch).detach(), batch.perturbable, flips=objective.flips
    )
    assert int(found.first_flip) >= 0
    said = victim.answers(victim.embed(batch) + found.flip_delta, batch)
    assert said == list(EXAMPLES[1].answers)
