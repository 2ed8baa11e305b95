"""An answer written token by token: its loss, what decides whether it stands, how it is spelled."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name
from victims import word_tokenizer

from advlab.records import Example
from advlab.tasks import Reader, sequences
from advlab.tasks.base import broken_in, margin_in
from advlab.tasks.sequences import NONE

B, U, V = 6, 5, 9


def case(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits and labels of unequal length, one example with nothing wanted."""
    dice = torch.Generator().manual_seed(seed)
    out = torch.randn(B, U, V, generator=dice, dtype=torch.float64)
    labels = torch.randint(0, V, (B, U), generator=dice)
    for row, length in enumerate((5, 4, 3, 2, 1, 0)):
        labels[row, length:] = NONE
    return out, labels


def reader_of(kind: str = "bert") -> Reader:
    return Reader(word_tokenizer(kind), 32)


def test_the_loss_is_the_mean_over_an_examples_own_tokens() -> None:
    out, labels = case()
    found = sequences.loss(out, labels)
    for row, length in enumerate((5, 4, 3, 2, 1)):
        alone = F.cross_entropy(out[row, :length], labels[row, :length])
        assert found[row].item() == pytest.approx(alone.item())
    assert found[5] == 0


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothing_spreads_a_share_over_all_tokens_that_can_be_written(smoothing: float) -> None:
    out, labels = case()
    found = sequences.loss(out, labels, smoothing)
    for row, length in enumerate((5, 4, 3, 2, 1)):
        wanted = F.cross_entropy(out[row, :length], labels[row, :length], label_smoothing=smoothing)
        assert found[row].item() == pytest.approx(wanted.item())
    never = torch.cat([out, torch.full((B, U, 1), -torch.inf)], 2).requires_grad_()
    again = sequences.loss(never, labels, smoothing)
    torch.testing.assert_close(again, found)
    again.sum().backward()
    assert never.grad is not None
    assert never.grad.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_the_gradient_of_a_smoothed_loss_is_that_of_its_formula(smoothing: float) -> None:
    out, labels = case()
    never = torch.full((B, U, 1), -torch.inf)
    whole = torch.cat([out[..., :4], never, out[..., 4:]], 2).requires_grad_()
    labels = torch.where(labels >= 4, labels + 1, labels)
    own = torch.arange(1.0, B + 1)  # every example weighs otherwise
    (found,) = torch.autograd.grad((own * sequences.loss(whole, labels, smoothing)).sum(), whole)
    log = whole.log_softmax(-1)
    there = labels != NONE
    true = log.gather(2, labels.clamp_min(0).unsqueeze(2)).squeeze(2)
    every = torch.cat([log[..., :4], log[..., 5:]], 2).mean(-1)
    each = -((1 - smoothing) * true + smoothing * every) * there
    formula = (own * each.sum(1) / sequences.count(labels)).sum()
    (wanted,) = torch.autograd.grad(formula, whole)
    torch.testing.assert_close(found, wanted)
    assert not found[5].any()
    assert not found[:, :, 4].any()


def test_with_all_to_keep_broken_means_that_greedy_choices_differ() -> None:
    for seed in range(40):
        out, labels = case(seed)
        right = (out.argmax(-1) == labels) | (labels == NONE)
        labels = torch.where((torch.rand(B, 1) < 0.7) & ~right, out.argmax(-1), labels)
        labels[5] = NONE
        found = broken_in(sequences.scores(out, labels))
        away = sequences.astray(out, labels)
        assert torch.equal(found[:5], away[:5])
        assert not found[5]
        assert away[5]  # what is written there, nobody has said


@pytest.mark.parametrize(
    ("keep", "most"), [(1.0, 0), (0.75, 2), (0.5, 4), (0.3, 5), (0.25, 6), (1e-9, 7)]
)
def test_an_answer_of_eight_tokens_stands_while_its_share_is_the_first_choice(
    keep: float, most: int
) -> None:
    labels = torch.arange(8).unsqueeze(0)
    for wrong in range(9):
        out = F.one_hot(labels, V).double() * 3
        out[0, :wrong, V - 1] = 5
        margin = margin_in(sequences.scores(out, labels, keep))
        assert (margin < 0).item() == (wrong > most), (keep, wrong)


def test_the_margin_is_the_kth_smallest_of_the_tokens() -> None:
    out, labels = case(3)
    own = out.gather(2, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    rest = out.scatter(2, labels.clamp_min(0).unsqueeze(-1), -torch.inf).amax(-1)
    for keep in (1.0, 0.8, 0.5, 0.2):
        margin = margin_in(sequences.scores(out, labels, keep))
        for row, n in enumerate((5, 4, 3, 2, 1)):
            k = n - math.ceil(keep * n - 1e-6)
            wanted = (own - rest)[row, :n].sort().values[k]
            assert margin[row].item() == pytest.approx(wanted.item())
    assert margin_in(sequences.scores(out, labels))[5] == torch.inf


def test_a_tie_goes_to_the_token_that_comes_first() -> None:
    out = torch.zeros(2, 1, 4)
    out[:, :, 1] = out[:, :, 2] = 1
    labels = torch.tensor([[1], [2]])
    assert broken_in(sequences.scores(out, labels)).tolist() == [False, True]
    assert sequences.astray(out, labels).tolist() == [False, True]


def test_margins_have_a_gradient_at_the_place_that_decides_alone() -> None:
    out, labels = case(1)
    out.requires_grad_()
    (grad,) = torch.autograd.grad(margin_in(sequences.scores(out, labels))[:5].sum(), out)
    touched = (grad != 0).any(-1)
    assert touched[:5].sum(1).tolist() == [1] * 5
    assert grad.abs().sum((1, 2))[:5].tolist() == [2.0] * 5
    assert not touched[5].any()


def test_divergence_is_the_mean_of_the_tokens_and_hears_no_token_that_cannot_be() -> None:
    p, labels = case(1)
    q, _ = case(2)
    found = sequences.divergence(p, q, labels)
    for row, n in enumerate((5, 4, 3, 2, 1)):
        log = F.kl_div(
            q[row, :n].log_softmax(-1),
            p[row, :n].log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
        assert found[row].item() == pytest.approx(log.item())
    never = torch.full((B, U, 1), -torch.inf)
    more = torch.cat([p, never], 2).requires_grad_()
    again = sequences.divergence(more, torch.cat([q, never], 2), labels)
    torch.testing.assert_close(again, found)
    again.sum().backward()
    assert more.grad is not None
    assert more.grad.isfinite().all()


def test_answers_that_a_reader_remembers_are_read_as_at_first() -> None:
    reader = reader_of()
    examples = [Example(a, "the film", (a,)) for a in ("great", "dull plot", "great", "")]
    first = sequences.wanted(examples, reader, 8)
    assert "great" in reader.answered
    assert sequences.wanted(examples, reader, 8) == first
    assert (
        sequences.wanted([*examples[1:], Example("n", "the film", ("a plot",))], reader, 8)[:3]
        == (first[1:])
    )
    assert sequences.wanted(examples, reader, 2) == [ids[:2] for ids in first]
    assert sequences.wanted([Example("u", "the film")], reader, 8) == [[]]


def test_padding_behind_the_answer_changes_nothing() -> None:
    out, labels = case(4)
    longer = torch.cat([out, torch.randn(B, 3, V, dtype=torch.float64)], 1)
    wider = F.pad(labels, (0, 3), value=NONE)
    for ask in (sequences.loss, sequences.scores, sequences.astray):
        torch.testing.assert_close(ask(longer, wider), ask(out, labels))


def test_what_is_wanted_ends_with_the_end_and_is_cut_where_it_is_too_long() -> None:
    reader = reader_of()
    example = Example("0", "the film", ("great dull plot",))
    ids, unknown = sequences.wanted([example, Example("0", "the film")], reader, 9)
    assert unknown == []
    assert len(ids) == 4
    assert ids[-1] == reader.ending == reader.tokenizer.sep_token_id
    assert sequences.wanted([example], reader, 2) == [ids[:2]]
    assert sequences.spelled(ids, reader) == sequences.spelled(ids[:3], reader) == example.answer


def test_tokens_end_where_their_text_ends() -> None:
    reader = reader_of()
    ids = sequences.wanted([Example("0", "", ("great dull plot",))], reader, 9)[0]
    assert sequences.ends(ids, reader) == [5, 10, 15, 15]
    text = sequences.spelled(ids, reader)
    cut = [text[a:b].strip() for a, b in pairwise([0, *sequences.ends(ids, reader)])]
    assert cut == ["great", "dull", "plot", ""]


@pytest.mark.parametrize("longest", [0, 1, 3, 6])
def test_greedy_writes_the_first_choices_up_to_the_end(longest: int) -> None:
    dice = torch.Generator().manual_seed(0)
    table = torch.randn(longest + 1, 4, V, generator=dice)
    told: list[Tensor] = []

    def step(last: Tensor) -> Tensor:
        told.append(last)
        return table[len(told)]

    found = sequences.greedy(table[0], step, 7, longest)
    for row, ids in enumerate(found):
        whole = [int(table[i, row].argmax()) for i in range(longest)]
        end = whole.index(7) + 1 if 7 in whole else longest
        assert ids == whole[:end]
    assert len(told) == max(0, max(map(len, found)) - 1)


def test_a_reading_tells_each_token_of_the_reference_and_of_what_must_stand() -> None:
    reader = reader_of()
    rows = sequences.wanted([Example("0", "", ("great dull plot",))] * 2, reader, 9)
    labels = sequences.block(rows, NONE)
    V = len(reader.tokenizer)
    out = F.one_hot(labels, V).double() * 4
    film = reader.tokenizer.convert_tokens_to_ids("film")
    out[1, 1, film] = 9
    held = labels[:, :3].clone()
    held[:, 2] = reader.ending
    found = sequences.read(out, labels, out[:, :3], held, 1.0, reader)
    assert found.answers[0] == "great dull plot"  # where `held` wants its end, out has more to say
    assert found.broken.tolist() == [True, True]
    assert found.margin[0] == pytest.approx(4)
    assert found.margin[1] == pytest.approx(-5)
    np.testing.assert_allclose(found.parts["nats"].mean(1), found.loss)
    np.testing.assert_allclose(np.exp(-found.loss), found.score)
    assert found.parts["ends"].tolist() == [[5, 10, 15, 15]] * 2
    assert (found.parts["held_lead"] < 0).tolist() == [[False, False, True], [False, True, True]]
    assert found.parts["held_ends"].tolist() == [[5, 10, 10]] * 2


@pytest.mark.parametrize("kind", ["bert", "gpt2", "roberta"])
def test_a_reader_knows_how_answers_end(kind: str) -> None:
    tokenizer = word_tokenizer(kind)
    own = tokenizer.eos_token_id
    assert Reader(tokenizer, 8).ending == (tokenizer.sep_token_id if own is None else own)
    assert Reader(tokenizer, 8, ending=3).ending == 3
    assert Reader(tokenizer, 8).opening == ()
