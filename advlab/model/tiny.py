"""Tiny transformers trained from scratch, each with a tokenizer learnt from its own training texts.

They are BERT classifiers of two layers, so everything that opens a Hugging Face folder opens them.
Word vectors have length 1: `ModelConfig.unit_norm` keeps them there while training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from advlab.errors import SettingError, unknown
from advlab.model.unseen import words_of
from advlab.model.victim import Victim
from advlab.records import Dataset
from advlab.tasks import Task
from advlab.tasks.scratch import learn_tokenizer


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


def tiny_victim(
    size: str, data: Dataset, *, seed: int = 0, max_length: int = 128, task: Task | None = None
) -> Victim:
    """A new model of `size` ("tiny" or "small") for this data, weights drawn from `seed`."""
    from transformers import BertConfig, BertForSequenceClassification

    if task is not None and hasattr(task, "scratch"):
        model, tokenizer = task.scratch(size, data, seed=seed, max_length=max_length)
        known = words_of(tokenizer, [e.text for e in data.train])
        return Victim(
            model,
            tokenizer,
            name=f"{size} ({data.name})",
            max_length=max_length,
            task=task,
            known=known,
        )
    if size not in SHAPES:
        raise SettingError(unknown("model size", size, SHAPES))
    shape = SHAPES[size]
    tokenizer = learn_tokenizer([e.text for e in data.train], shape.vocabulary)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.D,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.D,
        max_position_embeddings=max_length + 2,
        id2label=dict(enumerate(data.head)),
        label2id={n: i for i, n in enumerate(data.head)},
        pad_token_id=tokenizer.pad_token_id,
        # BERT's 0.02 suits a width of 768; at these widths it leaves the layers almost silent
        initializer_range=0.4 / shape.D**0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config)
    victim = Victim(
        model.eval(),
        tokenizer,
        head=data.head,
        name=f"{size} ({data.name})",
        max_length=max_length,
        task=task,
        known=words_of(tokenizer, [e.text for e in data.train]),
        check=False,
    )
    victim.normalise_table()
    # against word vectors of length 1, BERT's initial 0.02 would leave word order unheard
    torch.nn.init.normal_(
        model.bert.embeddings.position_embeddings.weight,
        std=0.8 / shape.D**0.5,
        generator=torch.Generator().manual_seed(seed),
    )
    victim.check_identity()
    return victim
