"""GCG: words are put behind a text until the model gives an answer of one's choice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from advlab.attacks.text.judge import Judge
from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.rewriting import Rewriting
from advlab.settings import setting

TRIES = 200  # random suffixes among which a first one is looked for that is read as it is written


@dataclass(frozen=True)
class GCG:
    """Greedy coordinate gradient: a suffix of tokens for a wanted answer (Zou et al. 2023, 2307.15043).

    Each step takes the gradient of the answer's loss with respect to the one-hot tokens of the suffix,
    draws `tries` single exchanges among the `top` most promising tokens of each place, asks the model
    about all of them and goes on from the best, even where that is worse; the best text of all is kept.
    Departures: a text that is read otherwise than its tokens were chosen is never asked about (the
    paper's code drops some kinds of these); the first suffix is drawn at random, so that any vocabulary
    will do; it ends once the answer is given; sizes are for small models, where the paper has 20
    tokens, 500 steps, 512 tries among 256.
    """

    title: ClassVar[str] = N_("GCG suffix")
    gist: ClassVar[str] = N_("words behind the text, exchanged one by one")

    length: int = setting(8, "Tokens of the suffix", unit="tokens", low=1, high=100)
    steps: int = setting(50, "Exchanges", low=0, high=1000)
    tries: int = setting(64, "Exchanges tried with the model at each step", low=1, high=1024)
    top: int = setting(64, "Tokens of each place that the gradient puts forward", low=1, high=1024)

    def __call__(
        self, judge: Judge, example: Example, generator: torch.Generator | None = None
    ) -> Rewriting:
        """Attack one example, whose answer is the one that is wanted.

        SettingError without an answer, or where no suffix of this length can be read.
        """
        if not example.answers:
            raise SettingError(_("expected an answer that is wanted, got none; give one"))
        plain = judge.tokens(example)
        own = Suffixes(
            judge, example, [i for i, w in zip(plain.ids, plain.written, strict=True) if w]
        )
        with judge.victim.analysing():
            before = judge.answer(example)
            ids = own.first(self.length, generator)
            best, (loss, met) = ids, own.ask([ids])[0]
            losses = [loss]
            for _step in range(self.steps):
                if met:
                    break
                tried = [
                    one for one in self.exchanges(own, ids, generator) if own.read(one) is not None
                ]
                if not tried:  # all of them are read otherwise: draw anew
                    losses.append(loss)
                    continue
                asked = own.ask(tried)
                k = min(range(len(tried)), key=lambda i: (not asked[i][1], asked[i][0]))
                ids = tried[k]
                if asked[k][0] <= loss or asked[k][1]:
                    best, (loss, met) = ids, asked[k]
                losses.append(min(loss, losses[-1]))
            found = own.text(best)
            return Rewriting(
                found.text,
                found.text[len(example.text) :].strip(),
                before,
                judge.answer(found),
                example.answers[0],
                met,
                tuple(losses),
                judge.queries,
            )

    def exchanges(
        self, own: Suffixes, ids: list[int], generator: torch.Generator | None
    ) -> list[list[int]]:
        """`tries` suffixes that differ from this one in one place, each once."""
        ranked = promising(own.gradient(ids), own.table, own.allowed, torch.tensor(ids), self.top)
        L, k = ranked.shape
        places = torch.randint(L, (self.tries,), generator=generator).tolist()
        ranks = torch.randint(k, (self.tries,), generator=generator).tolist()
        found = dict.fromkeys(
            (*ids[:i], int(ranked[i, r]), *ids[i + 1 :])
            for i, r in zip(places, ranks, strict=True)
            if ranked[i, r] >= 0
        )
        return [list(one) for one in found]


def promising(grad: Tensor, table: Tensor, allowed: Tensor, ids: Tensor, top: int) -> Tensor:
    """(L,top) tokens in whose direction the loss falls most, the steepest first; −1 behind the last.

    grad (L,D) at the embeddings of the tokens ids (L,); by the chain rule the gradient of one-hot
    tokens is grad · table.T, table (V,D). allowed (V,) bool; a token is never its own exchange.
    """
    fall = -(grad @ table.T).masked_fill(~allowed, torch.inf)
    fall = fall.scatter(1, ids.unsqueeze(1).to(fall.device), -torch.inf)
    found = fall.topk(min(top, fall.shape[1]), dim=1)
    return found.indices.masked_fill(found.values == -torch.inf, -1)


class Suffixes:
    """A text with suffixes behind it: how they are written, read and judged."""

    def __init__(self, judge: Judge, example: Example, own: list[int]) -> None:
        self.judge, self.example, self.own = judge, example, own
        victim = judge.victim
        self.table, self.allowed, self.spell = victim.table, victim.ordinary, victim.reader.spell

    def text(self, ids: list[int]) -> Example:
        """The example with a suffix."""
        return replace(self.example, text=f"{self.example.text} {self.spell(ids).strip()}")

    def read(self, ids: list[int]) -> list[int] | None:
        """The places of a suffix's tokens in what the model reads; None unless it reads just these."""
        tokens = self.judge.tokens(self.text(ids))
        written = [i for i, own in enumerate(tokens.written) if own]
        if [tokens.ids[i] for i in written] != [*self.own, *ids]:
            return None
        return written[len(self.own) :]

    def ask(self, suffixes: list[list[int]]) -> list[tuple[float, bool]]:
        """The wanted answer's loss, and whether it is given, of each."""
        verdict = self.judge.ask([self.text(ids) for ids in suffixes])
        return list(zip(verdict.loss.tolist(), verdict.met.tolist(), strict=True))

    def gradient(self, ids: list[int]) -> Tensor:
        """(L,D) at the suffix's own embeddings."""
        places = self.read(ids)
        assert places is not None
        return self.judge.gradient(self.text(ids))[places]

    def first(self, length: int, generator: torch.Generator | None) -> list[int]:
        """A random suffix that is read as it is written; SettingError where none is found."""
        ordinary = self.allowed.nonzero().flatten().tolist()
        for _try in range(TRIES):
            drawn = torch.randint(len(ordinary), (length,), generator=generator).tolist()
            ids = [ordinary[i] for i in drawn]
            if self.read(ids) is not None:
                return ids
            # words of one token each are read as they are written almost everywhere
            word = ids[0]
            if self.read([word] * length) is not None:
                return [word] * length
        raise SettingError(
            _(
                "expected a text with room for {length} tokens behind it, got one whose suffixes are "
                "cut or read otherwise; take a shorter text or suffix",
                length=length,
            )
        )
