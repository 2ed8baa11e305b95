"""A model's tokenizer: opened from its folder, and checked against the model that it feeds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from advlab.errors import ModelError
from advlab.language import _

UNLIMITED = 10**9  # more tokens than any model reads: tokenizers without a limit say 10³⁰


def open_tokenizer(folder: str) -> Any:
    """The fast tokenizer of a folder, and of nowhere else."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            _(
                "expected a fast tokenizer in {name}, got {kind}; save one with "
                "tokenizer.json (AutoTokenizer.from_pretrained(…, use_fast=True))",
                name=Path(folder).name,
                kind=type(tokenizer).__name__,
            )
        )
    return tokenizer


def check_tokenizer(tokenizer: Any, rows: int, name: str) -> None:
    """ModelError unless every token has a row in an embedding table of `rows`.

    Right afterwards: padding on the right, with a token for it.
    """
    vocabulary = tokenizer.get_vocab()
    special = set(tokenizer.all_special_tokens)
    if not set(vocabulary) - special:
        raise ModelError(
            _(
                "{name}: expected a tokenizer that knows words, got one of {n_vocabulary} "
                "special tokens; save the tokenizer beside the weights "
                "(tokenizer.save_pretrained)",
                name=name,
                n_vocabulary=len(vocabulary),
            )
        )
    beyond = sorted((i, token) for token, i in vocabulary.items() if i >= rows)
    if beyond:
        number, token = beyond[-1]
        raise ModelError(
            _(
                "{name}: expected tokens below {rows:,}, as its embedding table has rows, but "
                "{count:,} of the tokenizer's are beyond them, up to {token!r} at {number:,}; "
                "give the tokenizer that belongs to these weights",
                name=name,
                rows=rows,
                count=len(beyond),
                token=token,
                number=number,
            )
        )
    if tokenizer.pad_token is None:  # as in GPT-2 and Llama; the mask hides what stands there
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise ModelError(
            _(
                "{name}: expected a tokenizer with a padding token (or an end or unknown "
                "token to pad with), got none; set tokenizer.pad_token and save it again",
                name=name,
            )
        )
    tokenizer.padding_side = tokenizer.truncation_side = "right"


def most_tokens(config: Any, tokenizer: Any) -> int | None:
    """How many tokens of a text the model can read: by its positions and its tokenizer; None: any.

    RoBERTa kinds start counting after the padding index, which costs two positions; so two are left
    free everywhere. A number of −1 (XLNet) means no limit.
    """
    positions = getattr(config, "max_position_embeddings", None)
    own = getattr(tokenizer, "model_max_length", None)
    limits = []
    if isinstance(positions, int) and positions > 0:
        limits.append(max(positions - 2, 4))
    if isinstance(own, int | float) and math.isfinite(own) and 0 < own < UNLIMITED:
        limits.append(int(own))
    return min(limits, default=None)


def ends_of(model: Any) -> dict[str, Any]:
    """`opening` and `ending` of what a model writes, as its configurations say.

    What a decoder has read before its first token, the code of a language among it; and the end.
    """
    places = (getattr(model, "generation_config", None), model.config)

    def said(name: str) -> int | None:
        found = (getattr(place, name, None) for place in places)
        values = [v[0] if isinstance(v, list | tuple) and v else v for v in found]
        return next((v for v in values if isinstance(v, int)), None)

    opening = []
    if getattr(model.config, "is_encoder_decoder", False):
        opening = [said("decoder_start_token_id"), said("forced_bos_token_id")]
    return {"opening": [i for i in opening if i is not None], "ending": said("eos_token_id")}
