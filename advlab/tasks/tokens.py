"""One text as a tokenizer sees it, made once: ids, places in the text, words, what is special.

Right for word pieces (BERT), byte-level BPE (GPT-2, RoBERTa, Llama 3) and Unigram or BPE with ▁ (T5,
DeBERTa, Llama 2): which token begins a word is read from the mark that each kind puts on its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from advlab.language import N_
from advlab.records import Example
from advlab.records.script import joined

NOWHERE = (0, 0)  # the span of a token that does not stand in the text


def mark_of(tokenizer: Any) -> str:
    """How a tokenizer marks its tokens: “##” on pieces that join, “Ġ” or “▁” on those that begin a
    word, “” where every token is a word."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "##"
    decoder, splitter = str(backend.decoder), str(backend.pre_tokenizer)
    if "ByteLevel" in decoder or "ByteLevel" in splitter:
        return "Ġ"
    if "▁" in decoder or "Metaspace" in decoder or "Metaspace" in splitter:
        return "▁"
    if "WordPiece" in decoder or type(backend.model).__name__ == "WordPiece":
        return "##"
    return ""


def begins_word(token: str, mark: str) -> bool:
    """Whether a vocabulary entry begins a word."""
    return not token.startswith("##") if mark == "##" else token.startswith(mark)


@dataclass(frozen=True)
class Tokens:
    """A text's T tokens and W words. `beside` is read before the text and has no spans in it."""

    text: str
    encoding: Any  # of the tokenizers library
    marks: frozenset[int]  # ids that are special wherever they stand
    mark: str  # as `mark_of` tells it
    paired: bool = False  # something stands beside
    whole: int = 0  # how many tokens the uncut text has; 0: not asked

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cut(self) -> bool:
        """Whether the text goes on behind the last token."""
        return bool(self.encoding.overflowing)

    @cached_property
    def ids(self) -> list[int]:
        """T."""
        return self.encoding.ids

    @cached_property
    def segment(self) -> list[int]:
        """T: 0 the text, 1 beside it, −1 special.

        A user who types “[SEP]” gets the special token, which the tokenizer's own mask does not mark;
        an unknown word is still a word.
        """
        own = 1 if self.paired else 0
        return [
            -1 if special or token in self.marks else 0 if sequence == own else 1
            for token, special, sequence in zip(
                self.ids, self.encoding.special_tokens_mask, self.encoding.sequence_ids, strict=True
            )
        ]

    @cached_property
    def written(self) -> list[bool]:
        """T: stands in the text; False for what the tokenizer puts around it and for what is beside."""
        own = 1 if self.paired else 0
        return [
            not special and sequence == own
            for special, sequence in zip(
                self.encoding.special_tokens_mask, self.encoding.sequence_ids, strict=True
            )
        ]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """T: where each token stands in the text, in characters, without the blank before it."""
        found = []
        for (start, end), here in zip(self.encoding.offsets, self.written, strict=True):
            while here and start < end and self.text[start].isspace():
                start += 1
            found.append((start, end) if here else NOWHERE)
        return found

    @cached_property
    def word_of(self) -> list[int]:
        """T: the word that each token is part of, −1 for special tokens and what is beside.

        Blanks that are tokens of their own belong to the word behind them, at the end to the last.
        """
        found, word, last, blank, done = [], -1, None, False, 0
        for number, here, (start, end) in zip(
            self.encoding.word_ids, self.written, self.spans, strict=True
        ):
            if not here or number is None:
                found.append(-1)
                last = None
                continue
            # some tokenizers call the whole text one word: then the blanks tell
            fresh = any(c.isspace() for c in self.text[done:start])
            if (number != last or fresh) and not blank:
                word, blank = word + 1, True
            blank = blank and start == end  # nothing of this word has come yet
            found.append(word)
            last, done = number, end
        if blank and word > 0:
            found = [word - 1 if w == word else w for w in found]
        return found

    @cached_property
    def words(self) -> tuple[str, ...]:
        """W."""
        places: dict[int, list[int]] = {}
        for word, (start, end) in zip(self.word_of, self.spans, strict=True):
            if word >= 0:
                span = places.setdefault(word, [start, end])
                if span[0] == span[1]:  # blanks before the word
                    span[:] = start, end
                elif start < end:
                    span[:] = min(span[0], start), max(span[1], end)
        return tuple(self.text[start:end] for start, end in places.values())

    def replaced(self, token: int, piece: str) -> str:
        """The text with one token written as `piece`; the rest of it stays letter by letter."""
        start, end = self.spans[token]
        return self.text[:start] + piece + self.text[end:]

    def rewritten(self, example: Example, token: int, piece: str) -> Example:
        """The example that these tokens are of, with one token written as `piece`.

        In its text or beside it, wherever the token stands. The known answer's place moves along; where
        the answer itself is written otherwise now, that is the known one.
        """
        if self.segment[token] == 1:
            start, end = self.encoding.offsets[token]
            while start < end and example.beside[start].isspace():
                start += 1
            return replace(example, beside=example.beside[:start] + piece + example.beside[end:])
        text, (start, end) = self.replaced(token, piece), self.spans[token]
        if example.place is None or example.answer is None:
            return replace(example, text=text)
        longer, last = len(text) - len(example.text), example.place + len(example.answer)
        if end <= example.place:
            return replace(example, text=text, place=example.place + longer)
        if start >= last:
            return replace(example, text=text)
        here = min(start, example.place)
        return replace(example, text=text, place=here, answers=(text[here : last + longer],))


@dataclass(frozen=True)
class Rows:
    """Several texts as padded tensors (B,T)."""

    ids: Tensor
    mask: Tensor  # long: 1 where there is a token
    segment: Tensor  # long


def padded(tokens: Sequence[Tokens], pad: int) -> Rows:
    """Texts of different length as one block, filled up on the right."""
    T = max(map(len, tokens), default=0)
    return Rows(
        torch.tensor([t.ids + [pad] * (T - len(t)) for t in tokens]),
        torch.tensor([[1] * len(t) + [0] * (T - len(t)) for t in tokens]),
        torch.tensor([t.segment + [-1] * (T - len(t)) for t in tokens]),
    )


class Reader:
    """How a model reads and answers: its tokenizer, its limit, the answers that its head knows.

    A model that writes has read `opening` before its first token, where it has a decoder of its own,
    and writes `ending` after its last; −1 where its tokenizer has no such token.
    """

    left_out: ClassVar[str] = N_("what stands behind is not read")  # of a text that is too long

    def __init__(
        self,
        tokenizer: Any,
        max_length: int,
        head: Sequence[str] = (),
        *,
        opening: Sequence[int] = (),
        ending: int | None = None,
    ) -> None:
        self.tokenizer, self.max_length, self.head = tokenizer, max_length, tuple(head)
        own = (ending, tokenizer.eos_token_id, tokenizer.sep_token_id)
        self.opening = tuple(opening)
        self.ending: int = next((i for i in own if i is not None), -1)
        self.mark = mark_of(tokenizer)
        # an unknown word is a word, even where the tokenizer counts it among its special ones; of
        # bytes none is unknown, and GPT-2 calls its end of text so
        unknown = () if self.mark == "Ġ" else (tokenizer.unk_token_id,)
        self.marks = frozenset(tokenizer.all_special_ids).difference(unknown)
        self.pad: int = tokenizer.pad_token_id
        self.answered: dict[str, list[int]] = {}  # ids of answers that were asked for before

    def tokens_of(self, examples: Sequence[Example]) -> list[Tokens]:
        """The tokens of many examples, cut at the model's limit."""
        paired = any(e.beside for e in examples)
        texts = [e.text for e in examples]
        found = self.tokenizer(
            *([[e.beside for e in examples], texts] if paired else [texts]),
            truncation="only_second" if paired else True,
            max_length=self.max_length,
        )
        return [
            Tokens(text, encoding, self.marks, self.mark, paired)
            for text, encoding in zip(texts, found.encodings, strict=True)
        ]

    def tokens(self, example: Example) -> Tokens:
        """The tokens of one example, with the number that the uncut text would have."""
        paired = bool(example.beside)
        found = self.tokenizer(
            *([example.beside, example.text] if paired else [example.text]),
            truncation="only_second" if paired else True,
            max_length=self.max_length,
            return_overflowing_tokens=True,
        )
        first, *rest = found.encodings
        more = sum(len(e.ids) - sum(e.special_tokens_mask) for e in rest)
        beside = sum(s == 0 for s in first.sequence_ids) if paired else 0
        whole = len(first.ids) + more - len(rest) * beside
        return Tokens(example.text, first, self.marks, self.mark, paired, whole)

    def spell(self, ids: Sequence[int]) -> str:
        """Ids as the text that they spell."""
        text = self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=True)
        # word pieces are told apart by blanks, which Chinese has none of; other kinds keep their own
        return joined(text) if self.mark == "##" else text

    def retold(self, tokens: Tokens, ids: Sequence[int]) -> str:
        """The text that other `ids` (T) spell in the places of its tokens."""
        return self.spell([i for i, own in zip(ids, tokens.written, strict=False) if own])
