"""A tokenizer's vocabulary: which entries may stand in a text, how they are shown and spelled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from unicodedata import category

import torch
from torch import Tensor

from advlab.records import Scale
from advlab.tasks.tokens import begins_word, mark_of

BROKEN = "�"  # what half of a character decodes to


class Vocabulary:
    """What a model's V rows stand for. Knows no weights, so views of a model share it."""

    def __init__(self, tokenizer: Any, V: int) -> None:
        self.tokenizer, self.V = tokenizer, V
        self.mark = mark_of(tokenizer)

    @cached_property
    def kinds(self) -> Tensor:
        """(V,) 0 where an entry may not stand in a text, 1 where it begins a word, 2 where it is a
        piece that joins the one before it.

        Special and unused entries, rows without a token, single bytes, halves of characters, blanks and
        control characters may not.
        """
        kinds = torch.zeros(self.V, dtype=torch.long)
        special = set(self.tokenizer.all_special_ids)
        for token, i in self.tokenizer.get_vocab().items():
            if i < self.V and i not in special and self._readable(token):
                kinds[i] = 1 if begins_word(token, self.mark) else 2
        return kinds

    def _readable(self, token: str) -> bool:
        if token.startswith("[unused") or (token.startswith("<0x") and token.endswith(">")):
            return False
        text = self._spelled(token)
        return text != "" and not any(c == BROKEN or category(c) == "Cc" for c in text)

    def _spelled(self, token: str) -> str:
        if self.mark == "##":
            return token.removeprefix("##")
        if not self.mark:
            return token
        return self.tokenizer.convert_tokens_to_string([token]).replace("▁", " ").strip()

    @cached_property
    def ordinary(self) -> Tensor:
        """(V,) bool: entries that text can hold."""
        return self.kinds > 0

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Entries as people read them; a joined word piece keeps its ##."""
        shown = []
        for token, i in zip(self.tokenizer.convert_ids_to_tokens(list(ids)), ids, strict=True):
            text = token if token is not None else f"<{i}>"
            if text[:1] in "ĠĊ▁" or not text.isascii():  # byte-level and SentencePiece marks
                text = self.tokenizer.decode([i]).strip() or repr(self.tokenizer.decode([i]))
            shown.append(text)
        return shown

    def spelling(self, i: int) -> str:
        """An entry as it is written within a text, without marks and blanks around it."""
        return self._spelled(self.tokenizer.convert_ids_to_tokens(i))


def measured_scale(rows: Tensor) -> Scale:
    """Mean length and median half nearest-neighbour distance of vocabulary rows (V,D).

    Above 4,096 rows the median is taken over an evenly spaced sample of that many.
    """
    rows = rows.float()
    sample = rows[:: -(-len(rows) // 4096)]
    nearest = []
    for chunk in sample.split(512):
        distance = torch.cdist(chunk, rows)
        # the two smallest: the row itself, at 0, and its nearest other
        nearest.append(distance.topk(2, largest=False).values[:, 1])
    return Scale(float(rows.norm(dim=1).mean()), float(torch.cat(nearest).median()) / 2)
