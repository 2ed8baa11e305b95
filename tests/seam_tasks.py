"""Three thin tasks beside classification, with tiny models: what a task must say, and no more.

Spans of a text, an answer written by a decoder beside an encoder, and one that goes on where the text
ends. Random weights, word tokenizers, float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from tokenizers import processors
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForQuestionAnswering,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MarianConfig,
    MarianMTModel,
    T5Config,
    T5ForConditionalGeneration,
)
from victims import D, sizes_of, word_tokenizer

from advlab.model.victim import Victim
from advlab.records import Dataset, Example, Reading
from advlab.tasks import Batch, Reader, Tokens
from advlab.tasks.base import Column, Explained, broken_in, margin_in
from advlab.tasks.tokens import padded

SPANS, TRANSLATIONS, DIALOGUES = ("bert",), ("t5", "bart", "marian"), ("gpt2", "llama")
KINDS = (*SPANS, *TRANSLATIONS, *DIALOGUES)
LONGEST = 4  # tokens of an answer
NONE = -100  # where nothing is expected
LOST = -2  # an answer that the text does not have
PAIRS = (
    ("the film was good", "great dull plot"),
    ("i would not see the slow dull movie again but an actor was great", "we saw it"),
    ("poor plot", "fine"),
    ("we saw a very fine scene and the bad second movie", "never see the film"),
)


def examples_of(kind: str) -> list[Example]:
    """Texts of different length with an answer: a part of the text for spans, else words after it."""
    if kind not in SPANS:
        return [Example(str(i), text, (answer,)) for i, (text, answer) in enumerate(PAIRS)]
    parts = ("film was", "slow dull movie", "plot", "bad")
    return [
        Example(str(i), text, (part,), "what " * i + "was felt", text.index(part))
        for i, ((text, _), part) in enumerate(zip(PAIRS, parts, strict=True))
    ]


@dataclass(frozen=True)
class _Task:
    """What the three have in common: they say little to people."""

    auto: ClassVar[str] = ""
    named: ClassVar[bool] = False
    text: ClassVar[Column] = Column("Text", ("text",))
    beside: ClassVar[Column | None] = None
    reference: ClassVar[Column] = Column("Answer", ("answer",))
    explains: ClassVar[Mapping[str, tuple[str, str]]] = {"margin": ("margin", "over its rival")}

    def head(self, data: Dataset) -> tuple[str, ...]:
        return ()

    def chance(self, data: Dataset) -> float:
        return math.log(50)

    def scratch(
        self, size: str, data: Dataset, *, seed: int = 0, max_length: int = 128
    ) -> tuple[Any, Any]:
        raise NotImplementedError

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        return model.get_input_embeddings()(input_ids)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        raise NotImplementedError

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        def value(o: Tensor) -> Tensor:
            return margin_in(self.scores(o, batch.repeat(len(o))))

        return Explained("margin of the answer", value, "the answer")

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        return {"exact": float(answer in example.answers)}


@dataclass(frozen=True)
class SpanQA(_Task):
    """Out (B,T,2): start and end logits of the text's own tokens; the rivals are the best spans."""

    rivals: int = 5
    longest: int = 6

    name: ClassVar[str] = "spans"
    title: ClassVar[str] = "Spans"
    beside: ClassVar[Column | None] = Column("Question", ("question",))

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        rows = padded(tokens, reader.pad)
        T = rows.ids.shape[1]
        places = [_span(t, e) for t, e in zip(tokens, examples, strict=True)]
        kinds = [t.encoding.type_ids + [0] * (T - len(t)) for t in tokens]
        target = {
            "start": torch.tensor([start for start, _ in places]),
            "end": torch.tensor([end for _, end in places]),
            "kinds": torch.tensor(kinds),
        }
        return Batch(rows.ids, rows.mask, rows.segment == 0, rows.segment, target, tuple(tokens))

    def _inside(self, found: Any, batch: Batch) -> Tensor:
        out = torch.stack([found.start_logits, found.end_logits], -1)
        return out.masked_fill((batch.segment != 0).unsqueeze(-1), -1e4)

    def _rest(self, batch: Batch) -> dict[str, Tensor]:
        return {"attention_mask": batch.attention_mask, "token_type_ids": batch.target["kinds"]}

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        return self._inside(model(inputs_embeds=embeds, **self._rest(batch)), batch)

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        return self._inside(model(input_ids=batch.input_ids, **self._rest(batch)), batch)

    def probes(self, reader: Reader) -> Sequence[Example]:
        return examples_of("bert")[:3]

    def _spans(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,T·T) the score of each span, −∞ where it is none."""
        T = out.shape[1]
        spans = out[..., 0].unsqueeze(2) + out[..., 1].unsqueeze(1)
        near = torch.ones(T, T, dtype=torch.bool).triu().tril(self.longest - 1)
        inside = batch.segment == 0
        allowed = near & inside.unsqueeze(1) & inside.unsqueeze(2)
        return spans.masked_fill(~allowed, -torch.inf).flatten(1)

    def _reference(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,) the place of the reference among the spans; the model's own where none is known."""
        own = batch.target["start"] * out.shape[1] + batch.target["end"]
        best = self._spans(out.detach(), batch).argmax(1)
        return torch.where(batch.target["start"] < 0, best, own)

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        own, T = self._reference(out, batch), out.shape[1]
        start = F.cross_entropy(out[..., 0], own // T, reduction="none")
        return (start + F.cross_entropy(out[..., 1], own % T, reduction="none")) / 2

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        spans, own = self._spans(out, batch), self._reference(out, batch).unsqueeze(1)
        score = spans.gather(1, own)
        lost = batch.target["start"].unsqueeze(1) == LOST
        rest = spans.scatter(1, own, -torch.inf)
        rivals = rest.topk(min(self.rivals, rest.shape[1]), 1).values
        return torch.cat([score - 1e3 * lost, torch.where(lost, score, rivals)], 1)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        p, q = p.log_softmax(1), q.log_softmax(1)
        return (p.exp() * (p - q)).sum((1, 2)) / 2

    def _said(self, out: Tensor, batch: Batch) -> list[str]:
        T = out.shape[1]
        said = []
        for best, tokens in zip(
            self._spans(out, batch).argmax(1).tolist(), batch.tokens, strict=True
        ):
            said.append(tokens.text[tokens.spans[best // T][0] : tokens.spans[best % T][1]])
        return said

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        return self._said(self.forward(model, embeds, batch), batch)

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        chance = self._spans(out, batch).softmax(1)
        own = self._reference(out, batch).unsqueeze(1)
        standing = self.scores(held_out, held)
        return Reading(
            tuple(self._said(out, batch)),
            _np(chance.gather(1, own).squeeze(1)),
            _np(chance.amax(1)),
            _np(margin_in(self.scores(out, batch))),
            _np(self.loss(out, batch)),
            _np(margin_in(standing)),
            _np(broken_in(standing)),
            {
                "start": _np(out[..., 0].softmax(1)),  # (N,T)
                "end": _np(out[..., 1].softmax(1)),
            },
        )


def _span(tokens: Tokens, example: Example) -> tuple[int, int]:
    """The first and last token of the answer; −1 where none is known."""
    if example.answer is None:
        return -1, -1
    start = example.text.find(example.answer) if example.place is None else example.place
    end = start + len(example.answer)
    inside = [i for i, (s, e) in enumerate(tokens.spans) if s < e and s < end and e > start]
    return (inside[0], inside[-1]) if start >= 0 and inside else (LOST, LOST)


class _Sequence(_Task):
    """Out (B,U,V) under teacher forcing, target `labels` (B,U); the worst place decides."""

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        labels = batch.target["labels"]
        lost = F.cross_entropy(out.transpose(1, 2), labels, reduction="none", ignore_index=NONE)
        return lost.sum(1) / self._count(batch)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        labels = batch.target["labels"]
        own = labels.clamp_min(0).unsqueeze(-1)
        lead = out.scatter(2, own, -torch.inf).amax(-1) - out.gather(2, own).squeeze(-1)
        worst = lead.masked_fill(labels < 0, -torch.inf).amax(1)
        return torch.stack([torch.zeros_like(worst), worst], 1)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        p, q = p.log_softmax(-1), q.log_softmax(-1)
        apart = (p.exp() * (p - q)).sum(-1) * (batch.target["labels"] >= 0)
        return apart.sum(1) / self._count(batch)

    def _count(self, batch: Batch) -> Tensor:
        return (batch.target["labels"] >= 0).sum(1).clamp_min(1)

    def _said(self, out: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """What each place says, given what should stand before it."""
        best, labels = out.argmax(-1).tolist(), batch.target["labels"].tolist()
        return [
            _spelled([b for b, y in zip(row, known, strict=True) if y >= 0], reader)
            for row, known in zip(best, labels, strict=True)
        ]

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        labels, standing = batch.target["labels"], self.scores(held_out, held)
        log, own = out.log_softmax(-1), held_out.log_softmax(-1).amax(-1)
        sure = (own * (held.target["labels"] >= 0)).sum(1) / self._count(held)
        loss = self.loss(out, batch)
        places = log.gather(2, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1).exp()
        return Reading(
            tuple(self._said(held_out, held, reader)),
            _np((-loss).exp()),
            _np(sure.exp()),
            _np(margin_in(self.scores(out, batch))),
            _np(loss),
            _np(margin_in(standing)),
            _np(broken_in(standing)),
            {"places": _np(places * (labels >= 0))},  # (N,U)
        )

    def probes(self, reader: Reader) -> Sequence[Example]:
        return examples_of("t5")[:3]


def _end(reader: Reader) -> int:
    own = reader.tokenizer.eos_token_id
    return reader.tokenizer.sep_token_id if own is None else own


def _written(example: Example, reader: Reader) -> list[int]:
    """The ids that the model is to write, the end among them where there is room; [] unknown."""
    if example.answer is None:
        return []
    ids = reader.tokenizer(example.answer, add_special_tokens=False)["input_ids"]
    return [*ids, _end(reader)][:LONGEST]


def _spelled(ids: Sequence[int], reader: Reader) -> str:
    end = _end(reader)
    return reader.spell(ids[: ids.index(end)] if end in ids else ids)


def _filled(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    most = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (most - len(row))] for row in rows])


@dataclass(frozen=True)
class Translation(_Sequence):
    """An encoder and a decoder: a row is the source, then what the decoder has read."""

    scaled: bool = True  # whether `embed` scales where the model does so for ids alone

    name: ClassVar[str] = "translation"
    title: ClassVar[str] = "Translation"

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        rows = padded(tokens, reader.pad)
        wanted = [_written(e, reader) for e in examples]
        start = reader.tokenizer.cls_token_id
        read = _filled([[start, *y[:-1]] for y in wanted], reader.pad)
        mask = _filled([[1] * max(len(y), 1) for y in wanted], 0)
        segment = _filled([[-1, *[2] * (len(y) - 1)] for y in wanted], -1)
        target = {"mask": rows.mask, "labels": _filled([y or [NONE] for y in wanted], NONE)}
        segment = torch.cat([rows.segment, segment], 1)
        return Batch(
            torch.cat([rows.ids, read], 1),
            torch.cat([rows.mask, mask], 1),
            segment == 0,
            segment,
            target,
            tuple(tokens),
        )

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        layer = model.get_input_embeddings()
        embeds = layer(input_ids)
        alone = getattr(model.config, "scale_embedding", False) and not hasattr(
            layer, "embed_scale"
        )
        if not self.scaled or not alone:
            return embeds
        S = input_ids.shape[-1] if batch is None else batch.target["mask"].shape[1]
        source = torch.arange(input_ids.shape[-1], device=embeds.device) < S
        return embeds * torch.where(source, math.sqrt(embeds.shape[-1]), 1.0).unsqueeze(-1).to(
            embeds
        )

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        S = batch.target["mask"].shape[1]
        return model(
            inputs_embeds=embeds[:, :S],
            attention_mask=batch.target["mask"],
            decoder_inputs_embeds=embeds[:, S:],
            decoder_attention_mask=batch.attention_mask[:, S:],
            use_cache=False,
        ).logits

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        S = batch.target["mask"].shape[1]
        return model(
            input_ids=batch.input_ids[:, :S],
            attention_mask=batch.target["mask"],
            decoder_input_ids=batch.input_ids[:, S:],
            use_cache=False,
        ).logits

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        S, B = batch.target["mask"].shape[1], len(batch)
        read = batch.input_ids[:, S : S + 1]
        for _ in range(LONGEST):
            ids = torch.cat([batch.input_ids[:, :S], read], 1)
            more = self.embed(model, ids, batch)[:, S:]
            out = model(
                inputs_embeds=embeds[:, :S],
                attention_mask=batch.target["mask"],
                decoder_inputs_embeds=more,
                use_cache=False,
            ).logits
            read = torch.cat([read, out[:, -1].argmax(-1).reshape(B, 1)], 1)
        return [_spelled(row, reader) for row in read[:, 1:].tolist()]


@dataclass(frozen=True)
class Dialogue(_Sequence):
    """A decoder alone: a row is what was said, then the reply; each token foretells the next."""

    name: ClassVar[str] = "dialogue"
    title: ClassVar[str] = "Dialogue"

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        wanted = [_written(e, reader) for e in examples]
        pairs = list(zip(tokens, wanted, strict=True))
        segment = _filled([t.segment + [2] * len(y[:-1]) for t, y in pairs], -1)
        labels = _filled([[NONE] * (len(t) - 1) + (y or [NONE]) for t, y in pairs], NONE)
        return Batch(
            _filled([t.ids + y[:-1] for t, y in pairs], reader.pad),
            _filled([[1] * (len(t) + len(y[:-1])) for t, y in pairs], 0),
            segment == 0,
            segment,
            {"labels": labels},
            tuple(tokens),
        )

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        mask = batch.attention_mask
        return model(inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        mask = batch.attention_mask
        return model(input_ids=batch.input_ids, attention_mask=mask, use_cache=False).logits

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        said = []
        known = ((batch.segment != 2) & (batch.attention_mask > 0)).sum(1).tolist()
        for row, n in zip(embeds, known, strict=True):
            read, ids = row[:n].unsqueeze(0), []
            for _ in range(LONGEST):
                out = model(inputs_embeds=read, use_cache=False).logits
                ids.append(int(out[0, -1].argmax()))
                more = self.embed(model, torch.tensor([ids[-1:]], device=embeds.device))
                read = torch.cat([read, more], 1)
            said.append(_spelled(ids, reader))
        return said


def _np(column: Tensor) -> np.ndarray:
    return column.detach().cpu().numpy()


# ---- models -------------------------------------------------------------------------------------


def _tokenizer(kind: str) -> Any:
    if kind in DIALOGUES:
        return word_tokenizer(kind)
    made = word_tokenizer("roberta" if kind == "bart" else "bert")
    if kind in SPANS:
        specials = [("[CLS]", made.cls_token_id), ("[SEP]", made.sep_token_id)]
        made.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=specials
        )
    return made


def _model(kind: str, tokenizer: Any, dropout: float) -> Any:
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    }
    if kind in TRANSLATIONS:
        return _translator(kind, tokenizer, common, dropout)
    common |= sizes_of(kind, dropout) | {"initializer_range": 0.3}
    if kind == "bert":
        return BertForQuestionAnswering(BertConfig(**common))
    if kind == "gpt2":
        return GPT2LMHeadModel(GPT2Config(**common, bos_token_id=0, eos_token_id=0))
    return LlamaForCausalLM(LlamaConfig(**common))


def _translator(kind: str, tokenizer: Any, common: dict[str, Any], dropout: float) -> Any:
    common = common | {
        "d_model": D,
        "decoder_start_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    if kind == "t5":
        config = T5Config(
            **common,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            dropout_rate=dropout,
            initializer_factor=1.0,
        )
        return T5ForConditionalGeneration(config)
    common |= {
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_position_embeddings": 40,
        "dropout": dropout,
        "attention_dropout": 0.0,
        "init_std": 0.3,
        "scale_embedding": True,
        "bos_token_id": tokenizer.cls_token_id,
        "forced_eos_token_id": None,
    }
    if kind == "bart":
        return BartForConditionalGeneration(BartConfig(**common))
    return MarianMTModel(MarianConfig(**common, decoder_vocab_size=len(tokenizer)))


def make_seam(kind: str, *, dropout: float = 0.0, task: Any = None, seed: int = 0) -> Victim:
    """A new victim of a kind, in evaluation mode; it has passed the identity check."""
    tokenizer = _tokenizer(kind)
    if task is None:
        task = SpanQA() if kind in SPANS else Translation() if kind in TRANSLATIONS else Dialogue()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(kind, tokenizer, dropout)
    return Victim(model.double().eval(), tokenizer, task=task, name=kind, max_length=32)


@lru_cache
def shared_seam(kind: str) -> Victim:
    """The victim of a kind that all tests share: for reading only."""
    return make_seam(kind)


def own_answers(victim: Victim) -> list[Example]:
    """The examples with what the model itself answers: read right as they are."""
    examples = examples_of(victim.name)
    bare = [replace(e, answers=(), place=None) for e in examples]
    said = []
    for one in bare:
        batch = victim.encode([one])
        said += victim.answers(victim.embed(batch), batch)
    return [replace(e, answers=(a,)) for e, a in zip(bare, said, strict=True)]
