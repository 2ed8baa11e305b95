"""A small translator from scratch: a BART of two layers a side, with pieces learnt from its own texts.

One vocabulary serves both languages. Frequent words stay whole, rare ones are cut into pieces, and what
is written can be spelled again letter by letter, blanks included.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from advlab.errors import DataError, SettingError, unknown
from advlab.language import _
from advlab.records import Dataset
from advlab.tasks.scratch import unit_rows

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<s>", "</s>"
SPECIALS = (PAD, UNKNOWN, START, END)


@dataclass(frozen=True)
class Shape:
    """Size of a small translator. The parameter count depends on the vocabulary that is found."""

    D: int
    vocabulary: int = 2500  # at most this many tokens
    layers: int = 2  # in the encoder, and as many in the decoder
    heads: int = 4


SHAPES: dict[str, Shape] = {
    "tiny": Shape(D=64),  # 0.25 M parameters for normal-forms
    "small": Shape(D=128),  # 1.3 M at a full vocabulary
}


def learn_pieces(texts: Sequence[str], vocabulary: int, *, lower: bool = True) -> Any:
    """A tokenizer that cuts words into the longest pieces it knows, “▁” where a word begins.

    The pieces are those of byte-pair merges (Sennrich et al. 2016, 1508.07909) that are really used in
    `texts`; merges alone would fill the vocabulary with steps on the way to whole words.
    """
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    normalizer = normalizers.Sequence([*steps, normalizers.Lowercase()] if lower else steps)
    marks = pre_tokenizers.Metaspace(prepend_scheme="always")
    # punctuation stands alone, and so does each sign that writes a word or a part of it by itself
    han = pre_tokenizers.Split(Regex(r"[\u3400-\u9fff]"), "isolated")
    signs = pre_tokenizers.Split(Regex(r"▁?[^\w▁]"), "isolated")
    splitter = pre_tokenizers.Sequence([marks, signs, han])
    learner = Tokenizer(models.BPE(unk_token=UNKNOWN))
    learner.normalizer, learner.pre_tokenizer = normalizer, splitter
    letters = sorted({"▁", *string.ascii_letters, *string.digits, *string.punctuation})
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            min_frequency=2,
            special_tokens=list(SPECIALS),
            initial_alphabet=letters,
            show_progress=False,
        ),
    )
    used = Counter(token for found in learner.encode_batch(list(texts)) for token in found.tokens)
    known = learner.get_vocab()
    kept = [t for t, n in used.items() if len(t) > 1 and n > 1 and t in known and t not in SPECIALS]
    single = [t for t in known if len(t) == 1]
    vocab = {t: i for i, t in enumerate([*SPECIALS, *sorted(single), *sorted(kept)])}

    whole = Tokenizer(
        models.WordPiece(
            vocab, unk_token=UNKNOWN, continuing_subword_prefix="", max_input_chars_per_word=200
        )
    )
    whole.normalizer, whole.pre_tokenizer = normalizer, splitter
    whole.decoder = decoders.Metaspace(prepend_scheme="always")
    whole.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, vocab[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )


def tiny_translator(
    size: str, data: Dataset, *, seed: int = 0, max_length: int = 128
) -> tuple[Any, Any]:
    """A new model of `size` ("tiny" or "small") for this data, and its tokenizer.

    Where all sources are in lower case, capitals mean something in the answers and are kept; texts that
    have them on both sides are read and written in lower case, since a small model has no examples to
    spare for them.
    """
    from transformers import BartConfig, BartForConditionalGeneration

    if size not in SHAPES:
        raise SettingError(unknown(_("model size"), size, SHAPES))
    shape = SHAPES[size]
    texts = [text for e in data.train for text in (e.text, *e.answers[:1])]
    if not any(e.answers for e in data.train):
        raise DataError(_("expected translations to learn from, got sources alone; give both"))
    lower = any(e.text != e.text.lower() for e in data.train)
    tokenizer = learn_pieces(texts, shape.vocabulary, lower=lower)
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=shape.D,
        encoder_layers=shape.layers,
        decoder_layers=shape.layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.D,
        decoder_ffn_dim=4 * shape.D,
        max_position_embeddings=max_length + 2,
        dropout=0.1,
        # BART's 0.02 suits a width of 1,024; at these widths it leaves the layers almost silent
        init_std=0.4 / shape.D**0.5,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = BartForConditionalGeneration(config)
    unit_rows(model.get_input_embeddings())
    return model.eval(), tokenizer
