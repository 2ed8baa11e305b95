"""Which words of a sentence did a model never see in training, and as what does it read them?

A model trained from scratch keeps the words of its training texts in `words.txt` beside its weights. Of
a pretrained model nobody knows them; only what its tokenizer cannot spell is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from advlab.language import _, listing
from advlab.records.script import spoken

FILE = "words.txt"
MOST = 12  # words that a sentence names


class Reader(Protocol):
    """What is asked of a victim."""

    tokenizer: Any
    known: frozenset[str] | None  # the words of its training texts


@dataclass(frozen=True)
class Unseen:
    """A word, in the tokenizer's spelling, and the tokens that the model reads in its place."""

    word: str
    tokens: tuple[str, ...]


def words_of(tokenizer: Any, texts: Iterable[str]) -> frozenset[str]:
    """The words of `texts` as the tokenizer cuts them before it looks for pieces; no punctuation."""
    return frozenset(word for text in texts for word in _cut(tokenizer, text))


def unseen(victim: Reader, texts: Iterable[str]) -> tuple[Unseen, ...]:
    """The words of `texts` that were in no training text, each once, in order.

    Where the training texts are not known: those that become the unknown token.
    """
    tokenizer, known = victim.tokenizer, victim.known
    words = dict.fromkeys(word for text in texts for word in _cut(tokenizer, text))
    read = {word: _read(tokenizer, word) for word in words if word not in (known or ())}
    return tuple(
        Unseen(word, tokens)
        for word, tokens in read.items()
        if known is not None or tokens == (tokenizer.unk_token,)
    )


def told(found: Sequence[Unseen]) -> str:
    """What `unseen` found, for people: “flibber, zorg — read as [UNK]”; empty where it is nothing."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in found[:MOST]:
        groups.setdefault(one.tokens, []).append(one.word)
    parts = [
        _("{words} — read as {read}", words=listing(words), read=" ".join(read))
        for read, words in groups.items()
    ]
    more = [_("and {n_found} more", n_found=len(found) - MOST)] if len(found) > MOST else []
    return _("; ").join(parts + more)


def write_words(folder: Path, words: frozenset[str] | None) -> None:
    """Keep them beside the weights, one a line; nothing where they are not known."""
    if words is not None:
        (folder / FILE).write_text("".join(f"{w}\n" for w in sorted(words)), encoding="utf-8")


def read_words(folder: Path) -> frozenset[str] | None:
    """What `write_words` wrote; None where it wrote nothing, as in folders of other tools."""
    file = folder / FILE
    if not file.is_file():
        return None
    return frozenset(file.read_text(encoding="utf-8", errors="replace").split("\n")) - {""}


def _read(tokenizer: Any, word: str) -> tuple[str, ...]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tuple(tokenizer.tokenize(word))
    # asked beside others: unlike the tokenizer's own methods, this changes nothing in it
    return tuple(backend.encode(word, add_special_tokens=False).tokens)


def _cut(tokenizer: Any, text: str) -> list[str]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or "BertPreTokenizer" not in str(backend.pre_tokenizer):
        if "Lowercase" in str(getattr(backend, "normalizer", None)):
            text = text.lower()
        return spoken(text)  # other kinds cut where their pieces end, not their words
    plain = backend.normalizer.normalize_str(text) if backend.normalizer else text
    words = [word for word, __ in backend.pre_tokenizer.pre_tokenize_str(plain)]
    return [word for word in words if any(c.isalnum() for c in word)]
