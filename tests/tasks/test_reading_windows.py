"""Long texts, read in windows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from readers import ENCODERS, TEXTS, asked, output, shared, tokenizer_of
from torch import Tensor

from advlab.attacks import PGD
from advlab.errors import SettingError
from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks import build_task
from advlab.tasks.base import margin_in
from advlab.tasks.tokens import Reader

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
