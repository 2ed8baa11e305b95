"""A text longer than a model can read, in overlapping windows, each behind the question.

Windows are gathered by index from one row of embeddings, so that a token has one δ however many
windows it stands in, and the gradients of all of them add up. What is said of a token is taken from the
window in which it has most context on both sides (as BERT's own reader for SQuAD does, Devlin et al.
2019, 1810.04805), less what that window says to "no answer": so the scores of different windows
compare, and "no answer" itself has 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.errors import SettingError
from advlab.language import _


@dataclass(frozen=True)
class Windows:
    """W windows of at most S tokens over a batch (B,T)."""

    owner: Tensor  # (W,) the row of the batch
    index: Tensor  # (W,S) places in that row; 0 where the mask is
    mask: Tensor  # (W,S) long
    null: Tensor  # (W,) the place of "no answer" in the window
    window: Tensor  # (B,T) by which window a token is judged
    place: Tensor  # (B,T) and where it stands there

    def gather(self, rows: Tensor) -> Tensor:
        """(B,T,…) -> (W,S,…)."""
        return rows[self.owner.unsqueeze(1), self.index]

    def scatter(self, logits: Tensor) -> Tensor:
        """(W,S,2) -> (B,T,2), each less its window's "no answer"."""
        each = torch.arange(len(self.null), device=logits.device)
        lead = logits - logits[each, self.null].unsqueeze(1)
        return lead[self.window, self.place]


def windows_of(segment: Tensor, mask: Tensor, null: Tensor, size: int, overlap: int) -> Windows:
    """The windows of a batch: segment and mask (B,T), null (B,).

    SettingError where a question leaves a window no room for more text than overlaps.
    """
    B, T = segment.shape
    owner: list[int] = []
    index: list[list[int]] = []
    window, place = [[0] * T for __ in range(B)], [[0] * T for __ in range(B)]
    for b, (parts, length) in enumerate(zip(segment.tolist(), mask.sum(1).tolist(), strict=True)):
        inside = [t for t in range(length) if parts[t] == 0]
        first, last = (inside[0], inside[-1] + 1) if inside else (length, length)
        before, after = [*range(first)], [*range(last, length)]
        room = size - len(before) - len(after)
        if room <= overlap and last - first > room:
            raise SettingError(
                _(
                    "expected windows with room for more than {overlap} tokens of the text, "
                    "got {room} beside a question of {n_before}; make the window larger or the "
                    "overlap smaller",
                    overlap=overlap,
                    room=room,
                    n_before=len(before),
                )
            )
        best = [-1.0] * T
        for start in range(first, max(last - overlap, first + 1), max(room - overlap, 1)):
            end = min(start + room, last)
            row = [*before, *range(start, end), *after]
            for i, t in enumerate(row):
                context = min(t - start, end - 1 - t) + 0.01 * (end - start)
                if context > best[t] or (parts[t] != 0 and best[t] < 0):
                    best[t], window[b][t], place[b][t] = max(context, 0.0), len(index), i
            owner.append(b)
            index.append(row)
    most = max(map(len, index))
    ids = torch.tensor([row + [0] * (most - len(row)) for row in index])
    held = torch.tensor([[1] * len(row) + [0] * (most - len(row)) for row in index])
    nulls = [row.index(int(null[b])) for b, row in zip(owner, index, strict=True)]
    found = (
        torch.tensor(owner),
        ids,
        held,
        torch.tensor(nulls),
        torch.tensor(window),
        torch.tensor(place),
    )
    return Windows(*(t.to(segment.device) for t in found))
