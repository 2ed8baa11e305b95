"""Tiny random readers of many architectures, and what they read."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from tokenizers import processors
from torch import Tensor
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    BartConfig,
    BartForQuestionAnswering,
    BertConfig,
    BertForQuestionAnswering,
    DebertaV2Config,
    DebertaV2ForQuestionAnswering,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    ElectraConfig,
    ElectraForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
    T5Config,
    T5ForQuestionAnswering,
    XLMConfig,
    XLMForQuestionAnswering,
    XLNetConfig,
    XLNetForQuestionAnswering,
    XLNetForQuestionAnsweringSimple,
)
from victims import D, sizes_of, word_tokenizer

from advlab.model.victim import Victim
from advlab.records import Example
from advlab.records.examples import NO_ANSWER
from advlab.tasks import build_task

ENCODERS = ("bert", "roberta", "deberta", "distilbert", "electra", "albert")
KINDS = (*ENCODERS, "t5", "bart", "xlnet")
TEXTS = (
    Example("0", "the film was good", ("film",), "what was good", 4),
    Example(
        "1",
        "i would not see the slow dull movie again but an actor was great",
        ("the slow dull movie", "slow movie"),
        "what is seen",
        16,
    ),
    Example("2", "poor plot", (NO_ANSWER,), "what seems fine again"),
    Example("3", "we saw a film and a good film", ("film",), "what", 9),
)


def tokenizer_of(kind: str) -> Any:
    """Words as tokens, a question before its text."""
    made = word_tokenizer("roberta" if kind in ("roberta", "bart") else "bert")
    cls, sep = made.cls_token, made.sep_token
    between = f"{sep} {sep}:1" if kind in ("roberta", "bart") else sep
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {between} $B:1 {sep}:1",
        special_tokens=[(cls, made.cls_token_id), (sep, made.sep_token_id)],
    )
    return made


def model_of(kind: str, tokenizer: Any) -> Any:
    common: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    wide = {"initializer_range": 0.3}
    small = sizes_of(kind, 0.0)
    if kind == "bert":
        return BertForQuestionAnswering(BertConfig(**common, **small, **wide))
    if kind == "roberta":
        config = RobertaConfig(
            **common, **small, **wide, bos_token_id=0, eos_token_id=2, type_vocab_size=1
        )
        return RobertaForQuestionAnswering(config)
    if kind == "deberta":
        config = DebertaV2Config(
            **common,
            **small,
            **wide,
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_biased_input=False,
            max_relative_positions=16,
        )
        return DebertaV2ForQuestionAnswering(config)
    if kind == "distilbert":
        return DistilBertForQuestionAnswering(
            DistilBertConfig(**common, **small, **wide, qa_dropout=0.0)
        )
    if kind == "electra":
        return ElectraForQuestionAnswering(
            ElectraConfig(**common, **small, **wide, embedding_size=12)
        )
    if kind == "albert":
        return AlbertForQuestionAnswering(
            AlbertConfig(**common, **small, **wide, embedding_size=12)
        )
    return _other(kind, common)


def _other(kind: str, common: dict[str, Any]) -> Any:
    if kind == "t5":
        config = T5Config(
            **common,
            d_model=D,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            dropout_rate=0.0,
            decoder_start_token_id=0,
            initializer_factor=1.0,
        )
        return T5ForQuestionAnswering(config)
    if kind == "bart":
        config = BartConfig(
            **common,
            d_model=D,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=40,
            dropout=0.0,
            init_std=0.3,
            scale_embedding=True,
            decoder_start_token_id=2,
            eos_token_id=2,
            bos_token_id=0,
        )
        return BartForQuestionAnswering(config)
    if kind == "xlm":
        return XLMForQuestionAnswering(XLMConfig(**common, emb_dim=D, n_layers=1, n_heads=2))
    config = XLNetConfig(**common, d_model=D, n_layer=2, n_head=2, d_inner=32, dropout=0.0)
    beams = XLNetForQuestionAnswering if kind == "xlnet beams" else XLNetForQuestionAnsweringSimple
    return beams(config)


def make_reader(kind: str, *, seed: int = 0, **settings: Any) -> Victim:
    tokenizer = tokenizer_of(kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_of(kind, tokenizer)
    task = build_task("qa", **settings)
    return Victim(model.double().eval(), tokenizer, task=task, name=kind, max_length=32)


@lru_cache
def shared(kind: str) -> Victim:
    """For reading only."""
    return make_reader(kind)


def asked(victim: Victim, **settings: Any) -> Victim:
    """The same model, asked otherwise."""
    twin = victim.view()
    twin.task = replace(victim.task, **settings)  # type: ignore[type-var]
    return twin


def own(victim: Victim, examples: tuple[Example, ...] = TEXTS) -> list[Example]:
    """The examples with what the model itself answers."""
    batch = victim.encode(examples)
    said = victim.answers(victim.embed(batch), batch)
    return [replace(e, answers=(a,), place=None) for e, a in zip(examples, said, strict=True)]


def output(victim: Victim, examples: Any) -> tuple[Tensor, Any]:
    batch = victim.encode(examples)
    with torch.no_grad():
        return victim.output(victim.embed(batch), batch), batch


def logits(victim: Victim, example: Example, *spans: tuple[int, int, float]) -> tuple[Tensor, Any]:
    """An output in which each span of words gets so much, half at its start and half at its end."""
    batch = victim.encode([example])
    first = int((batch.segment[0] == 0).nonzero()[0])
    out = torch.zeros(*batch.input_ids.shape, 2).double()
    for start, end, score in spans:
        out[0, first + start, 0] += score / 2
        out[0, first + end, 1] += score / 2
    allowed = (batch.segment == 0) | (torch.arange(out.shape[1]) == batch.target["null"][:, None])
    return out.masked_fill(~allowed.unsqueeze(-1), -torch.inf), batch
