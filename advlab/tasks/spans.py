"""Spans of a text: which tokens an answer is, which spans say the same, and what each span scores.

A span is a number: 0 is no span at all (no answer), 1 + i·L + l is the one of l + 1 tokens from token i
on, where L is the length of the longest. So a number does not depend on the padding of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.records.examples import NO_ANSWER, Example
from advlab.tasks.squad import normalised, places_of
from advlab.tasks.tokens import Tokens

NOTHING = 0  # the number of no span
# instead of the first token of a reference
UNKNOWN = -1  # no answer is known
LOST = -2  # the text, as it is read, does not have it
ANYWHERE = -3  # it is one of the spans that say the same, nobody says which


@dataclass(frozen=True)
class Known:
    """Where the known answers of an example are among its tokens."""

    start: int  # the first token of the reference, or one of the signs above
    end: int
    same: tuple[int, ...]  # the spans that say the same as a known answer, by number


def bare(answer: str) -> str:
    """What an answer says: nothing, where it says that there is none."""
    return "" if answer == NO_ANSWER else answer


def known_in(tokens: Tokens, example: Example, null: int, longest: int) -> Known:
    """The known answers among the tokens; `null` is the token that stands for no answer.

    DataError never: what the text does not have is LOST, since a text may have been cut or rewritten.
    """
    if not example.answers:
        return Known(UNKNOWN, UNKNOWN, ())
    answers = [bare(answer) for answer in example.answers]
    said = [answer for answer in answers if normalised(answer)] or [""]
    same = sorted({n for answer in dict.fromkeys(said) for n in same_as(tokens, answer, longest)})
    first = answers[0]
    if not normalised(first):
        return Known(null, null, tuple(same))
    if example.place is not None and example.text == tokens.text:
        covered = covering(tokens, example.place, example.place + len(first))
        if covered is None:
            sign = ANYWHERE if same else LOST
            return Known(sign, sign, tuple(same))
        own = normalised(tokens.text[tokens.spans[covered[0]][0] : tokens.spans[covered[1]][1]])
        if covered[1] - covered[0] < longest and own in map(normalised, said):
            same = sorted({*same, number(*covered, longest)})
        return Known(*covered, tuple(same))
    sign = ANYWHERE if same else LOST
    return Known(sign, sign, tuple(same))


def covering(tokens: Tokens, start: int, end: int) -> tuple[int, int] | None:
    """The first and the last token that share a character with a stretch; None where it is cut."""
    inside = [
        i
        for i, ((s, e), part) in enumerate(zip(tokens.spans, tokens.segment, strict=True))
        if part == 0 and s < end and e > start
    ]
    if not inside or tokens.text[tokens.spans[inside[-1]][1] : end].strip():
        return None
    return inside[0], inside[-1]


def same_as(tokens: Tokens, answer: str, longest: int) -> Iterator[int]:
    """The spans whose text is the answer after normalisation, by number; no span, where it is empty."""
    wanted, text, spans = normalised(answer), tokens.text, tokens.spans
    inside = [part == 0 for part in tokens.segment]

    def silent(i: int) -> bool:
        return 0 <= i < len(inside) and inside[i] and not normalised(text[slice(*spans[i])])

    if not wanted:
        yield NOTHING
        for i in filter(silent, range(len(inside))):
            j = i
            while silent(j) and j - i < longest and not normalised(text[spans[i][0] : spans[j][1]]):
                yield number(i, j, longest)
                j += 1
        return
    for start, end in places_of(text, answer):
        covered = covering(tokens, start, end)
        if covered is None:
            continue
        low, high = covered
        while silent(low - 1):
            low -= 1
        while silent(high + 1):
            high += 1
        for i in range(low, covered[0] + 1):
            for j in range(covered[1], min(high + 1, i + longest)):
                if normalised(text[spans[i][0] : spans[j][1]]) == wanted:
                    yield number(i, j, longest)


def number(start: int, end: int, longest: int) -> int:
    """The number of a span, by its first and its last token."""
    return 1 + start * longest + end - start


def ends_of(numbers: Tensor, null: Tensor, longest: int) -> tuple[Tensor, Tensor]:
    """(B,) numbers -> (B,) first and last tokens; those of no span are `null` (B,)."""
    start = (numbers - 1) // longest
    end = start + (numbers - 1) % longest
    none = numbers == NOTHING
    return torch.where(none, null, start), torch.where(none, null, end)


def span_scores(
    out: Tensor, inside: Tensor, null: Tensor, longest: int, threshold: float
) -> Tensor:
    """(B,T,2) logits of starts and ends -> (B,1+T·L) the score of every span, −∞ where it is none.

    `inside` (B,T) says which tokens an answer may have; no answer must lead by `threshold`.
    """
    start, end = out.masked_fill(~inside.unsqueeze(-1), -torch.inf).unbind(-1)
    ends = F.pad(end, (0, longest - 1), value=-torch.inf).unfold(1, longest, 1)  # (B,T,L)
    spans = (start.unsqueeze(2) + ends).flatten(1)
    nothing = out.gather(1, null.reshape(-1, 1, 1).expand(-1, 1, 2)).sum(2) - threshold  # (B,1)
    return torch.cat([nothing, spans], 1)


def marked(same: Tensor, size: int) -> Tensor:
    """(B,M) numbers, −1 for none -> (B,size) bool: which of all spans these are."""
    places = torch.where(same >= 0, same, size)
    found = torch.zeros(len(same), size + 1, dtype=torch.bool, device=same.device)
    return found.scatter(1, places, True)[:, :size]


def filled_up(rows: Sequence[Sequence[int]], fill: int = -1) -> Tensor:
    """Rows of different length as one (B,M), M at least 1."""
    most = max(1, *map(len, rows)) if rows else 1
    return torch.tensor([[*row, *[fill] * (most - len(row))] for row in rows])
