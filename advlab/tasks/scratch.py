"""What tiny models from scratch share: their sizes, and a tokenizer learnt from the training texts.

Their word vectors have length 1: `ModelConfig.unit_norm` keeps them there while training.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from advlab.errors import SettingError, unknown
from advlab.language import _
from advlab.records.script import SIGNS, has_han


@dataclass(frozen=True)
class Shape:
    """Size of a tiny transformer. The parameter count depends on the vocabulary that is found."""

    vocabulary: int  # at most this many tokens
    D: int
    layers: int = 2
    heads: int = 4


SHAPES: dict[str, Shape] = {
    "tiny": Shape(vocabulary=7000, D=64),  # 0.55 M parameters at a full vocabulary
    "small": Shape(vocabulary=7000, D=128),  # 1.3 M
}
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learn_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A lower-casing tokenizer (BERT's layout) in which frequent words stay whole.

    A seventh of the vocabulary is word pieces learnt from `texts` (WordPiece), for rare words; the
    rest are the most frequent words that occur at least twice. Plain WordPiece spends many entries
    on intermediate merges and cuts words that a reader would rather see whole. A Chinese character is
    a word.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import WordPieceTrainer
    from transformers import BertTokenizer

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer, learner.pre_tokenizer = normalizer, splitter
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(
            word for word, __ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
        )
    # The trainer numbers inner characters as a randomly seeded hash map yields them, and breaks ties
    # by number: two trainings on the same texts would differ. Named first, they have fixed numbers.
    # so that no plain text of a user becomes [UNK] for want of a sign; among Chinese texts names of
    # other letters are few, and would not teach their signs
    letters = string.digits + string.ascii_lowercase
    chinese = any(map(has_han, counts))
    alphabet = letters + string.punctuation + (SIGNS if chinese else "")
    inside = {c for word in counts for c in word[1:]} | set(letters if chinese else "")
    inner = ["##" + c for c in sorted(inside)]
    learner.train_from_iterator(
        texts,
        WordPieceTrainer(
            vocab_size=vocabulary // 7,
            min_frequency=2,
            special_tokens=[*SPECIALS, *inner],
            show_progress=False,
            initial_alphabet=list(alphabet),
        ),
    )
    pieces = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    vocab = {token: i for i, (token, __) in enumerate(pieces)}
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count < 2 or len(vocab) >= vocabulary:
            break
        vocab.setdefault(word, len(vocab))

    whole = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    whole.normalizer, whole.pre_tokenizer = normalizer, splitter
    whole.decoder = decoders.WordPiece()
    whole.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, vocab[t]) for t in ("[CLS]", "[SEP]")],
    )
    return BertTokenizer(tokenizer_object=whole, do_lower_case=True)


def shape_of(size: str) -> Shape:
    """The shape called `size`; SettingError names the choices."""
    if size not in SHAPES:
        raise SettingError(unknown(_("model size"), size, SHAPES))
    return SHAPES[size]


def unit_rows(embeddings: nn.Embedding) -> None:
    """Every non-zero row to length 1, in place."""
    weight = embeddings.weight.data
    weight.div_(weight.norm(dim=1, keepdim=True).clamp_min(1e-6))
