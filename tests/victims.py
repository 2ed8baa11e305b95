"""Tiny classifiers of many architectures, with random weights and word tokenizers; no downloads.

Weights are drawn wide, so that the logits of a mistake differ from the right ones by far more than
rounding. In float64, where one wants to see that far.
"""

from __future__ import annotations

import csv
import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from advlab.model.victim import Victim
from advlab.records import AttackRecord, Example, Reading

KINDS = ("bert", "roberta", "distilbert", "deberta", "electra", "gpt2", "llama")
DECODERS = ("gpt2", "llama")
D = 16
_TEXT = """
the a film movie plot actor scene was is felt seems good bad great dull fine poor slow quick not never
but and very quite i we saw see would again first second longer sentence to be padded against short
"""
WORDS = _TEXT.split()
TEXTS = (
    "the film was good",
    "i would not see the slow dull movie again but the actor was great",
    "poor plot",
    "we saw a very fine scene and a bad second scene",
)
LABELS = ("no", "yes", "maybe")

_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def word_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A word-level fast tokenizer with the special tokens and the template of its architecture."""
    specials, template, names = {
        "roberta": (_ROBERTA, "<s> $A </s>", ("<unk>", "<pad>", "<s>", "</s>")),
        "gpt2": (("<|endoftext|>",), "", ("<|endoftext|>", None, None, None)),
        "llama": (("<unk>", "<s>", "</s>"), "<s> $A", ("<unk>", None, None, None)),
    }.get(kind, (_BERT, "[CLS] $A [SEP]", ("[UNK]", "[PAD]", "[CLS]", "[SEP]")))
    vocab = {w: i for i, w in enumerate((*specials, *WORDS))}
    unk, pad, cls, sep = names
    backend = Tokenizer(models.WordLevel(vocab, unk_token=unk))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template:
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(s, vocab[s]) for s in specials if s in template]
        )
    roles: dict[str, Any] = {"unk_token": unk}
    if pad:
        roles |= {"pad_token": pad, "cls_token": cls, "sep_token": sep, "mask_token": specials[-1]}
    else:
        roles |= {"eos_token": specials[-1], "bos_token": specials[min(1, len(specials) - 1)]}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **roles)


SUBWORDS = ("wordpiece", "bytes", "unigram", "llama")
SENTENCES = (
    *TEXTS,
    "the acting was wonderful, and the plotting was not",
    "an unwatchable film; the worst thing about it is its length!",
    "he was acting as if he had never acted before",
    "the longest scenes are the slowest scenes of the whole film",
    "i am watching it again, and again, and again...",
    "a schöne film for grün and blue evenings",
    "the über-director makes müde films über nothing",
    "a café scene, naïve and slow, in a naïve film",
    "great 😀 film 😁 and great acting 😂",
    "so dull 😴 that i slept 😴 through the scenes 🎬 and the credits 🎬",
    "it's not what you'd call well-made, don't watch it",
    "watch it, watching it is what watchers do",
    "slow, slower, slowest; dull, duller, dullest; long, longer, longest",
    "wonderfully acted, beautifully filmed, painfully plotted",
    "the film has 2 plots and 10 actors",
)


@lru_cache
def subword_tokenizer(kind: str, framed: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer learnt from `SENTENCES`, with the marks and special tokens of its kind.

    wordpiece as BERT's, bytes as GPT-2's (`framed`: with the special tokens of RoBERTa), unigram as
    T5's, llama with ▁, one word for the whole text and bytes for unknown characters. Shared by all
    tests: for reading only.
    """
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        specials, template = (*_BERT, "[unused0]"), "[CLS] $A [SEP]"
        trainer: Any = trainers.WordPieceTrainer(
            vocab_size=260, special_tokens=list(specials), show_progress=False
        )
        roles = {"unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
        roles |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    elif kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        specials, template = (_ROBERTA, "") if framed else (("<|endoftext|>",), "")
        trainer = trainers.BpeTrainer(
            vocab_size=430,
            special_tokens=list(specials),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        roles = dict.fromkeys(("unk_token", "bos_token", "eos_token"), specials[0])
        if framed:
            roles = {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
            roles |= {"bos_token": "<s>", "eos_token": "</s>"}
            roles |= {"cls_token": "<s>", "sep_token": "</s>"}
    else:
        unigram = kind == "unigram"
        made = Tokenizer(models.Unigram() if unigram else models.BPE(unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        if unigram:
            specials, template = ("<pad>", "</s>", "<unk>"), "$A </s>"
            roles = {"unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "</s>"}
            trainer = trainers.UnigramTrainer(
                vocab_size=260,
                special_tokens=list(specials),
                unk_token="<unk>",
                show_progress=False,
            )
        else:
            specials, template = ("<unk>", "<s>", "</s>"), "<s> $A"
            roles = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
            trainer = trainers.BpeTrainer(
                vocab_size=520,
                special_tokens=[*specials, *(f"<0x{i:02X}>" for i in range(256))],
                show_progress=False,
            )
    made.train_from_iterator(SENTENCES, trainer)
    if kind == "llama":  # learnt word by word, and then used on whole texts
        state = json.loads(made.to_str())
        state["model"] |= {"byte_fallback": True, "fuse_unk": True}
        state["added_tokens"] = state["added_tokens"][: len(specials)]  # a byte is no special token
        made = Tokenizer.from_str(json.dumps(state))
        made.pre_tokenizer = None  # type: ignore[assignment]
        made.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        made.decoder = decoders.Sequence(
            [
                decoders.Replace("▁", " "),
                decoders.ByteFallback(),
                decoders.Fuse(),
                decoders.Strip(" ", 1, 0),
            ]
        )
    if framed:
        made.post_processor = processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
        )
    elif kind == "bytes":
        made.post_processor = processors.ByteLevel(trim_offsets=False)
    if template:
        made.post_processor = processors.TemplateProcessing(
            single=template,
            special_tokens=[(s, made.token_to_id(s)) for s in specials if s in template],
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, **roles)


def sizes_of(kind: str, dropout: float) -> dict[str, Any]:
    """What a configuration is told of its size: two layers, two heads, D=16, 40 positions."""
    if kind == "distilbert":
        return {
            "dim": D,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 32,
            "max_position_embeddings": 40,
            "dropout": dropout,
            "attention_dropout": dropout,
        }
    if kind == "gpt2":
        return {
            "n_embd": D,
            "n_layer": 2,
            "n_head": 2,
            "n_positions": 40,
            "resid_pdrop": dropout,
            "embd_pdrop": dropout,
            "attn_pdrop": dropout,
        }
    shared = {
        "hidden_size": D,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 40,
    }
    if kind == "llama":
        return shared | {"num_key_value_heads": 1, "attention_dropout": dropout}
    return shared | {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}


def tiny_model(kind: str, tokenizer: Any, *, labels: int = 3, dropout: float = 0.0) -> Any:
    """A classifier of the sizes above, weights from torch's global dice."""
    common: dict[str, Any] = sizes_of(kind, dropout) | {
        "vocab_size": len(tokenizer),
        "num_labels": labels,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if kind == "bert":
        return BertForSequenceClassification(BertConfig(**common))
    if kind == "roberta":
        return RobertaForSequenceClassification(
            RobertaConfig(**common, bos_token_id=0, eos_token_id=2)
        )
    if kind == "distilbert":
        config = DistilBertConfig(**common, seq_classif_dropout=dropout)
        return DistilBertForSequenceClassification(config)
    if kind == "deberta":
        config = DebertaV2Config(
            **common,
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_biased_input=False,
            max_relative_positions=16,
            pooler_dropout=dropout,
        )
        return DebertaV2ForSequenceClassification(config)
    if kind == "electra":  # an embedding width below the hidden one, as the small ELECTRA has
        return ElectraForSequenceClassification(ElectraConfig(**common, embedding_size=12))
    if kind == "gpt2":
        config = GPT2Config(**common, bos_token_id=0, eos_token_id=0)
        return GPT2ForSequenceClassification(config)
    if kind == "llama":
        return LlamaForSequenceClassification(LlamaConfig(**common))
    raise ValueError(f"expected one of {KINDS}, got {kind!r}")


def make_victim(
    kind: str = "bert",
    *,
    labels: int = 3,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    tokenizer: Any = None,
) -> Victim:
    """A new victim in evaluation mode; it has passed the identity check. Words are its tokens."""
    tokenizer = tokenizer or word_tokenizer(kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = tiny_model(kind, tokenizer, labels=labels, dropout=dropout)
    return Victim(model.to(dtype).eval(), tokenizer, head=LABELS[:labels], name=kind, max_length=32)


@lru_cache
def shared_victim(kind: str) -> Victim:
    """The float64 victim of a kind that all tests share: for reading only."""
    return make_victim(kind)


def labelled(victim: Victim, texts: tuple[str, ...] = TEXTS) -> Any:
    """The texts as a batch whose labels are those that the model gives."""
    batch = victim.encode(texts)
    with torch.no_grad():
        return batch.with_target(labels=victim.output(victim.embed(batch), batch).argmax(-1))


def scores_of(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,C) logits with the label's in the first column and the others after it, in their order."""
    rows = [
        torch.cat([row[label : label + 1], row[:label], row[label + 1 :]])
        for row, label in zip(logits, labels.tolist(), strict=True)
    ]
    return torch.stack(rows)


def write_reviews(path: Path, n: int = 240, seed: int = 0) -> Path:
    """A CSV of `n` distinct two-class texts, separable by one word, of different lengths."""
    dice = random.Random(seed)
    signs = {"positive": ("good", "great", "fine"), "negative": ("bad", "dull", "poor")}
    filler = [w for w in WORDS if w not in {*signs["positive"], *signs["negative"], "not", "never"}]
    rows: dict[str, str] = {}
    while len(rows) < n:
        label = ("positive", "negative")[len(rows) % 2]
        words = dice.choices(filler, k=dice.randint(2, 12))
        words.insert(dice.randrange(len(words) + 1), dice.choice(signs[label]))
        rows.setdefault(" ".join(words), label)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(rows.items())
    return path


def examples_for(victim: Victim, n: int = 24) -> list[Example]:
    """Texts of different lengths; three of four carry the model's own label, the rest another."""
    dice = torch.Generator().manual_seed(0)
    made = []
    for i in range(n):
        length = int(torch.randint(2, 14, (), generator=dice))
        words = torch.randint(0, len(WORDS), (length,), generator=dice)
        text = " ".join(WORDS[w] for w in words)
        label = int(labelled(victim, (text,)).target["labels"])
        made.append(Example(str(i), text, (LABELS[label if i % 4 else (label + 1) % 3],)))
    return made


GOOD, BAD = ("good", "great", "fine"), ("bad", "dull", "poor")


def taught(seed: int) -> tuple[Victim, list[Example]]:
    """A tiny model that has learnt which adjectives are kind, and texts to try it on."""
    victim = make_victim("bert", seed=seed, dropout=0.1, dtype=torch.float32)
    texts = [
        Example(f"{i}{word}", f"{start} {word} {end}", (LABELS[word in GOOD],))
        for i, (start, end) in enumerate(
            (("the film was", ""), ("we saw a", "scene"), ("a very", "actor"), ("i felt", "again"))
        )
        for word in (*GOOD, *BAD)
    ]
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(victim.model.parameters(), lr=3e-3)
    victim.model.train()
    batch = victim.encode(texts)
    for _ in range(150):
        optimizer.zero_grad()
        victim.objective(batch)(victim.embed(batch)).mean().backward()
        optimizer.step()
    victim.model.eval().requires_grad_(False)
    victim.forget()
    victim._scale = victim.measure_scale()
    return victim, texts


class FromEmbeddings(nn.Module):
    """A classifier of embeddings (B,T,D); the attention mask may ride along as channel D+1."""

    def __init__(self, model: Any, mask_channel: bool = False) -> None:
        super().__init__()
        self.model, self.mask_channel = model, mask_channel

    def forward(self, x: Tensor) -> Tensor:
        x = x.double()
        if not self.mask_channel:
            return self.model(inputs_embeds=x).logits
        return self.model(
            inputs_embeds=x[..., :-1], attention_mask=x[..., -1].round().long()
        ).logits


def chances(reading: Reading) -> np.ndarray:
    """(N,C) the probability of each class in a reading."""
    return np.stack(list(reading.parts.values()), -1)


def label_of(record: AttackRecord) -> int:
    """The place of the reference among the classes."""
    return list(record.clean.parts).index(record.reference)


def gradients(victim: Victim, batch: Any, method: Any, **more: Any) -> list[Tensor]:
    """What a training method leaves in `.grad`, from the same random numbers at each call."""
    from advlab.training.methods import Step

    victim.model.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    method.backward(victim, batch, Step(generator=torch.Generator().manual_seed(1), **more))
    return [
        torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in victim.model.parameters()
    ]
