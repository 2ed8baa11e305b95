"""An answer that is written token by token: what translation and dialogue share.

Teacher forcing gives (B,U,V) logits for U places, at each of which the model has read what the answer
should be so far; `labels` (B,U) are the tokens wanted there, NONE where nothing is. The loss is a mean
over an example's own tokens, in nats, so examples of any length weigh alike.

An answer stands while enough of its tokens are the model's first choice there (`keep`). If all must be,
the answer stands exactly as long as greedy decoding writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.reading import Reading
from advlab.tasks.base import Batch, Explained, broken_in, margin_in
from advlab.tasks.tokens import Reader

NONE = -100  # a place where nothing is wanted
ANSWERS = 20_000  # whose ids a reader remembers: each epoch asks for the same

# ---- numbers ------------------------------------------------------------------------------------


def count(labels: Tensor) -> Tensor:
    """(B,U) -> (B,) how many tokens are wanted, at least 1."""
    return (labels != NONE).sum(1).clamp_min(1)


def nats(out: Tensor, labels: Tensor) -> Tensor:
    """(B,U,V) -> (B,U) −log p of each wanted token, 0 where nothing is wanted."""
    flat = F.cross_entropy(  # rows side by side: (B,V,U), as it would be, takes twice the time
        out.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=NONE
    )
    return flat.reshape(labels.shape)


def loss(out: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """(B,U,V) -> (B,) mean nats of an example's own tokens.

    `smoothing` is the share of each label that is spread over all tokens that can be written (Szegedy
    et al. 2016, 1512.00567); a logit of −∞, at all places alike, marks one that cannot.
    """
    if not smoothing:
        return nats(out, labels).sum(1) / count(labels)
    lost = _Smoothed.apply(out.flatten(0, 1), labels.flatten(), smoothing)
    return lost.reshape(labels.shape).sum(1) / count(labels)


class _Smoothed(torch.autograd.Function):
    """−(1 − s)·log p of the wanted token − s·mean log p of all that can be written: (N,V) -> (N,).

    With its gradient by hand, since a graph of these steps would read and write the logits of a batch
    four times more often.
    """

    @staticmethod
    def forward(ctx: Any, out: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        log = out.log_softmax(-1)
        never = (out[:1] == -torch.inf).any(0).nonzero().flatten()
        log.index_fill_(1, never, 0)
        there = labels != NONE
        own = log.gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1)
        ctx.save_for_backward(log, labels, never)
        ctx.smoothing = smoothing
        every = log.sum(1) / (log.shape[1] - len(never))
        return -((1 - smoothing) * own + smoothing * every) * there

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        log, labels, never = ctx.saved_tensors
        grad = log.exp().sub_(ctx.smoothing / (log.shape[1] - len(never)))
        own = torch.full_like(labels, ctx.smoothing - 1, dtype=grad.dtype)
        grad.scatter_add_(1, labels.clamp_min(0).unsqueeze(1), own.unsqueeze(1))
        grad.index_fill_(1, never, 0)
        return grad.mul_((grads[0] * (labels != NONE)).unsqueeze(1)), None, None


def duels(out: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(B,U,V) -> the logit of each wanted token and that of its best rival, both (B,U).

    A rival that ties with it and comes first in the vocabulary is what greedy decoding takes: it leads
    by a bit.
    """
    places = labels.clamp_min(0).unsqueeze(-1)
    own = out.gather(2, places).squeeze(-1)
    rival, which = out.scatter(2, places, -torch.inf).max(-1)
    tied = (rival == own) & (which < places.squeeze(-1))
    above = torch.nextafter(rival.detach(), torch.full_like(rival, torch.inf))
    return own, torch.where(tied, rival + (above - rival).detach(), rival)


def scores(out: Tensor, labels: Tensor, keep: float = 1.0) -> Tensor:
    """(B,U,V) -> (B,2) the logits of a wanted token and of its best rival, at the place that decides.

    It is the place of the k-th smallest margin of n: where that is below 0, fewer than `keep` · n
    tokens are the first choice. An example of which nothing is wanted cannot be broken.
    """
    own, rival = duels(out, labels)
    wanted = labels != NONE
    margins = (own - rival).detach().masked_fill(~wanted, torch.inf)
    n = wanted.sum(1)
    k = n - (keep * n - 1e-6).ceil().clamp_min(1).long()  # from 0
    place = margins.argsort(1).gather(1, k.clamp_min(0).unsqueeze(1))
    pair = torch.cat([own.gather(1, place), rival.gather(1, place)], 1)
    nothing = pair.new_tensor([0.0, -torch.inf]).expand_as(pair)
    return torch.where((n > 0).unsqueeze(1), pair, nothing)


def divergence(p: Tensor, q: Tensor, labels: Tensor) -> Tensor:
    """KL(p‖q) of two outputs (B,U,V), mean over an example's own tokens: (B,)."""
    p, q = p.log_softmax(-1), q.log_softmax(-1)
    apart = (p.exp() * (p - q).masked_fill(~p.isfinite(), 0)).sum(-1)
    return (apart * (labels != NONE)).sum(1) / count(labels)


def astray(out: Tensor, labels: Tensor) -> Tensor:
    """(B,U,V) -> (B,) bool: greedy decoding writes something else, or nobody says what is wanted."""
    there = labels != NONE
    return ((out.argmax(-1) != labels) & there).any(1) | ~there.any(1)


def likest_others(labels: Tensor) -> list[int | None]:
    """(B,U) -> for each example the place of another whose answer differs, in as few tokens as can be.

    Tokens are compared place by place; the first of several is taken. None where all are alike.
    """
    alike = labels.unsqueeze(1) == labels.unsqueeze(0)  # (B,B,U)
    shared = (alike & (labels != NONE)).sum(2).masked_fill(alike.all(2), -1)
    best = shared.max(1)
    return [
        None if most < 0 else place
        for most, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def mistaken(labels: Tensor) -> tuple[list[list[int]], Callable[[Tensor], Tensor]]:
    """(B,U) -> each example's wrong answer, its likest other's; [] where there is none.

    And what leaves of that answer's own labels (B,U') those that differ from the right ones.
    """
    rows = [[i for i in row if i != NONE] for row in labels.tolist()]
    wrong = [[] if place is None else rows[place] for place in likest_others(labels)]

    def differing(found: Tensor) -> Tensor:
        U = min(found.shape[1], labels.shape[1])
        same = found.clone()
        same[:, :U] = torch.where(found[:, :U] == labels[:, :U], NONE, found[:, :U])
        return same

    return wrong, differing


# ---- tokens and texts ---------------------------------------------------------------------------


def wanted(examples: Sequence[Example], reader: Reader, longest: int) -> list[list[int]]:
    """The ids of each first answer with the end, cut after `longest`; [] where no answer is known."""
    texts = [e.answer or "" for e in examples]
    known = reader.answered
    if not known.keys() >= set(texts):
        if len(known) > ANSWERS:
            known.clear()
        # as the tokenizer writes targets: those of many languages are told apart
        more = {"add_special_tokens": False, "verbose": False}  # `cut_short` says what is cut
        found = reader.tokenizer(text_target=texts, **more)["input_ids"]
        known.update(zip(texts, found, strict=True))
    return [
        [*known[text], reader.ending][:longest] if e.answers else []
        for text, e in zip(texts, examples, strict=True)
    ]


def cut_short(lengths: Sequence[int], longest: int) -> str:
    """A sentence on how many answers, of so many tokens with their end, are longer than `longest`."""
    cut = sum(n > longest for n in lengths)
    if not cut:
        return ""
    return _(
        "{cut:,} of {n:,} known answers are longer than {longest} tokens: what stands behind is "
        "neither learnt nor asked for",
        cut=cut,
        n=len(lengths),
        longest=longest,
    )


def block(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Rows of different length as one (B,most), filled up on the right."""
    most = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[fill] * (most - len(row))] for row in rows], dtype=torch.long)


def spelled(ids: Sequence[int], reader: Reader) -> str:
    """Written ids as the text that they spell: up to the end, without special tokens."""
    ids = list(ids)
    if reader.ending in ids:
        ids = ids[: ids.index(reader.ending)]
    plain = [i for i in ids if i not in reader.marks]
    return reader.tokenizer.decode(plain, clean_up_tokenization_spaces=False).strip()


def ends(ids: Sequence[int], reader: Reader) -> list[int]:
    """Where each of the ids ends in the text that they spell, in characters; never falling."""
    whole = len(spelled(ids, reader))
    found = [min(len(spelled(ids[: i + 1], reader)), whole) for i in range(len(ids))]
    return list(accumulate(found, max))


def greedy(
    first: Tensor, step: Callable[[Tensor], Tensor], ending: int, longest: int
) -> list[list[int]]:
    """The likeliest token after each other, up to the end or `longest` of them.

    `first` (B,V) are the logits of the first token; `step` is given the last token of each row (B,1)
    and gives those of the next.
    """
    rows, logits = [], first
    over = torch.zeros(len(first), dtype=torch.bool, device=first.device)
    for __ in range(longest):
        rows.append(logits.argmax(-1))
        over |= rows[-1] == ending
        if over.all() or len(rows) == longest:
            break
        logits = step(rows[-1].unsqueeze(1))
    table = torch.stack(rows, 1).tolist() if rows else [[] for __ in range(len(first))]
    return [row[: row.index(ending) + 1] if ending in row else row for row in table]


# ---- what is explained --------------------------------------------------------------------------


# kind -> its title and meaning, of one written token
EXPLAINED = {
    "margin": (N_("token margin"), N_("the logit of a written token minus that of a foil")),
    "token": (N_("written token"), N_("the log-probability of one token, behind those before it")),
}


def explained(
    kind: str,
    out: Tensor,
    batch: Batch,
    reader: Reader,
    *,
    of: str | int | None = None,
    against: str | int | None = None,
) -> Explained:
    """One wanted token of the only example, or (kind “margin”) that token against a foil.

    `of` is the token's place from 0 or its text, left open the one that is nearest to change;
    `against` a foil's text, left open its best rival. Both are fixed here by `out` (1,U,V) of the clean
    text, so that clean and perturbed texts explain one number.
    """
    labels = batch.target["labels"][:1]
    place = place_of(out, labels, of, reader)
    token = int(labels[0, place])
    word = shown(token, reader)
    if kind == "token":
        return Explained(
            _("log-probability of “{word}”", word=word),
            lambda o: o[:, place].log_softmax(-1)[:, token],
            word,
        )
    foil = foil_of(out[0, place], token, against, reader)
    return Explained(
        _("logit of “{word}” − logit of “{foil}”", word=word, foil=shown(foil, reader)),
        lambda o: o[:, place, token] - o[:, place, foil],
        word,
    )


def shown(token: int, reader: Reader) -> str:
    """One written token, as people read it: a blank or half a sign in quotes."""
    text = reader.tokenizer.decode([token])
    return _("end") if token == reader.ending else text.strip() or repr(text)


def place_of(out: Tensor, labels: Tensor, of: str | int | None, reader: Reader) -> int:
    """The place of one wanted token of the only example: by its number, its text, or nearest to change.

    SettingError where there is none such.
    """
    there = (labels[0] != NONE).nonzero().flatten().tolist()
    words = [shown(int(labels[0, i]), reader) for i in there]
    if of is None and there:
        own, rival = duels(out[:1], labels[:1])
        return there[int((own - rival)[0, there].argmin())]
    if isinstance(of, int) and 0 <= of < len(there):
        return there[of]
    if of in words:
        return there[words.index(str(of))]
    raise SettingError(
        _(
            "expected one of the answer's tokens ({words}; or 0 to {n_words}), got "
            "{of!r}; choose one of them",
            words=" ".join(words),
            n_words=len(words) - 1,
            of=of,
        )
    )


def foil_of(logits: Tensor, token: int, against: str | int | None, reader: Reader) -> int:
    """What a token is compared with at its place, logits (V,): another's first token, else its rival.

    SettingError where it is the token itself, or nothing.
    """
    if against is None:
        return int(
            logits.index_fill(0, torch.tensor(token, device=logits.device), -torch.inf).argmax()
        )
    ids = reader.tokenizer(text_target=str(against), add_special_tokens=False)["input_ids"]
    if not ids or ids[0] == token:
        raise SettingError(
            _(
                "expected another token than “{token}”, got {against!r}; choose another",
                token=shown(token, reader),
                against=against,
            )
        )
    return ids[0]


# ---- people -------------------------------------------------------------------------------------


def read(
    out: Tensor, labels: Tensor, held_out: Tensor, held: Tensor, keep: float, reader: Reader
) -> Reading:
    """N versions, of labels (N,U) and of what must stand (N,U').

    `answers` are what must stand, where it is not `astray`; elsewhere the first choices behind its
    words, true up to the first that differs: the victim then lets the model write.
    `parts`: nats (N,U) of the reference's tokens, ends (N,U) where they end in its text; held_nats,
    held_ends and held_lead (N,U') of the answer that must stand, the last over its best rival, below 0
    where greedy decoding leaves it. All are 0 beyond the last token.
    """
    standing = scores(held_out, held, keep)
    attacked = loss(out, labels)
    own, rival = duels(held_out, held)
    choice = held_out.argmax(-1).masked_fill(held == NONE, reader.ending)
    sure = held_out.log_softmax(-1).amax(-1).masked_fill(held == NONE, 0).sum(1) / count(held)
    said = {row: spelled(row, reader) for row in map(tuple, choice.tolist())}
    return Reading(
        tuple(said[row] for row in map(tuple, choice.tolist())),
        _np((-attacked).exp()),
        _np(sure.exp()),
        _np(margin_in(scores(out, labels, keep))),
        _np(attacked),
        _np(margin_in(standing)),
        _np(broken_in(standing)),
        {
            "nats": _np(nats(out, labels)),
            "ends": _ends(labels, reader),
            "held_nats": _np(nats(held_out, held)),
            "held_ends": _ends(held, reader),
            "held_lead": _np((own - rival).masked_fill(held == NONE, 0)),
        },
    )


def _ends(labels: Tensor, reader: Reader) -> np.ndarray:
    """(N,U), 0 where nothing is wanted; many rows are of one text."""
    found = {row: _ends_of(row, reader) for row in set(map(tuple, labels.tolist()))}
    return np.array([found[row] for row in map(tuple, labels.tolist())]).reshape(labels.shape)


def _ends_of(labels: Sequence[int], reader: Reader) -> list[int]:
    told = iter(ends([i for i in labels if i != NONE], reader))
    return [0 if i == NONE else next(told) for i in labels]


def _np(column: Tensor) -> np.ndarray:
    return column.detach().cpu().numpy()
