"""Tiny encoder–decoders of five architectures, with random weights, in float64; no downloads.

Weights are drawn wide, so that the logits of a mistake differ from the right ones by far more than
rounding. They write whole words alone, which are read again as they were written. mBART opens its
answers with the code of a language.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartForConditionalGeneration,
    PegasusConfig,
    PegasusForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from advlab.model.victim import Victim
from advlab.records import Example
from advlab.tasks.pieces import learn_pieces
from advlab.tasks.translation import Translation

KINDS = ("t5", "bart", "mbart", "marian", "pegasus")
D = 16
EXAMPLES = (
    Example("0", "the old man sees a dog", ("der alte mann sieht einen hund",)),
    Example("1", "she buys the small red house in the old town , and sings", ("sie kauft es",)),
    Example("2", "a dog", ("ein hund singt , und sie sieht das kleine rote haus",)),
    Example("3", "the house sings in town", ("das haus singt",)),
)
MODELS: dict[str, tuple[Any, Any]] = {
    "bart": (BartConfig, BartForConditionalGeneration),
    "mbart": (MBartConfig, MBartForConditionalGeneration),
    "marian": (MarianConfig, MarianMTModel),
    "pegasus": (PegasusConfig, PegasusForConditionalGeneration),
}


@lru_cache
def pieces() -> Any:
    """The tokenizer that all share, with a code of a language; for reading only."""
    texts = [t for e in EXAMPLES for t in (e.text, *e.answers)] * 2
    tokenizer = learn_pieces(texts, 300)
    tokenizer.add_special_tokens({"additional_special_tokens": ["de_DE"]})
    return tokenizer


def _model(kind: str, dropout: float) -> Any:
    tokenizer = pieces()
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "d_model": D,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.bos_token_id,
    }
    if kind == "t5":
        common |= {"d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": dropout}
        return T5ForConditionalGeneration(T5Config(**common, initializer_factor=2.0))
    sides = {f"{side}_layers": 2 for side in ("encoder", "decoder")}
    sides |= {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    sides |= {f"{side}_ffn_dim": 32 for side in ("encoder", "decoder")}
    common |= sides | {
        "max_position_embeddings": 48,
        "dropout": dropout,
        "attention_dropout": 0.0,
        "init_std": 0.3,
        "scale_embedding": True,
        "forced_eos_token_id": None,
    }
    config, model = MODELS[kind]
    return model(config(**common))


def make_translator(kind: str, *, dropout: float = 0.0, seed: int = 0, **settings: Any) -> Victim:
    """A new victim of a kind, in evaluation mode; it has passed the identity check."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(kind, dropout).double().eval()
    _keep_to_words(model, kind)
    if kind == "mbart":
        code = pieces().convert_tokens_to_ids("de_DE")
        model.generation_config.forced_bos_token_id = code
    task = Translation(longest=12, **settings)
    return Victim(model, pieces(), task=task, name=kind, max_length=40)


def _keep_to_words(model: Any, kind: str) -> None:
    entries = pieces().get_vocab().items()
    others = [i for t, i in entries if not (t.startswith("▁") and len(t) > 2) and t != "</s>"]
    with torch.no_grad():
        if kind == "t5":  # has no bias; a logit of 0 is below the best of many words
            model.shared.weight[others] = 0.0
        else:
            model.final_logits_bias[0, others] = -1e3


@lru_cache
def shared_translator(kind: str) -> Victim:
    """The victim of a kind that all tests share: for reading only."""
    return make_translator(kind)
