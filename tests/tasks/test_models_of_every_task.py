"""What every task promises of a model's numbers."""

from __future__ import annotations

import pytest
import torch
from every_task import close, right
from seam_tasks import KINDS, Translation, examples_of, make_seam, shared_seam

from advlab.errors import ModelError


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
