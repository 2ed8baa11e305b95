"""Extractive question answering: the answer is a span of the text, or there is none.

The output is (B,T,2): the logits of each token as the first and as the last of the answer, −∞ where
no answer can be: on padding, special tokens and the question. The text's first special token
(BERT's [CLS]) stands for "no answer". Heads of transformers score padding like any other token, and
average their loss over the batch, so both are done here. Answers are compared as SQuAD compares
them: one is broken when another text, after normalisation, scores higher.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from advlab.language import N_, _
from advlab.records import Dataset, Example
from advlab.records.examples import NO_ANSWER
from advlab.records.reading import Reading
from advlab.settings import check, setting
from advlab.tasks import quoted, span_start, squad
from advlab.tasks.base import Batch, Column, Explained, broken_in, margin_in
from advlab.tasks.quoted import Said
from advlab.tasks.scratch import learn_tokenizer, shape_of
from advlab.tasks.span_explained import EXPLAINED, explained
from advlab.tasks.span_head import allowed, read_text
from advlab.tasks.spans import (
    ANYWHERE,
    LOST,
    UNKNOWN,
    bare,
    ends_of,
    filled_up,
    known_in,
    marked,
    span_scores,
)
from advlab.tasks.tokens import Reader, Tokens, padded

BEHIND = 1e3  # logits: how far an answer that the text does not have stands behind the best one
SENTENCE = re.compile(r"[.!?。！？]+(?=\s|$)")


@dataclass(frozen=True)
class QuestionAnswering:
    """Cross-entropy of the answer's first and last token, averaged: ½(CE start + CE end).

    Targets, one an example: `start`, `end` the reference's tokens or a sign (see `spans`), `null` the
    token of "no answer", `same` (B,M) the spans that say the same as a known answer, `kinds` (B,T) the
    types of tokens.
    """

    where: Literal["context", "question", "both"] = setting(
        "context",
        "Which words may be perturbed: of the text, of the question, or both",
        label="δ on",
    )
    threshold: float = setting(
        0.0, "By how much “no answer” must lead the best span to be given", unit="logits"
    )
    longest: int = setting(30, "Longer answers are not given", unit="tokens", low=1, high=512)
    smoothing: float = setting(
        0.0, "Share of each target spread over all places, in training only", low=0.0, high=0.9
    )
    rivals: int = setting(8, "So many best other spans are the rivals", low=1, high=100)
    window: int = setting(
        0,
        "Texts longer than this are read in overlapping windows, one δ a token; 0: in one piece, cut "
        "where the model reads no further",
        unit="tokens",
        low=0,
    )
    overlap: int = setting(64, "By how much windows overlap", unit="tokens", low=0)

    name: ClassVar[str] = "qa"
    title: ClassVar[str] = N_("Question answering")
    auto: ClassVar[str] = "AutoModelForQuestionAnswering"
    named: ClassVar[bool] = False
    text: ClassVar[Column] = Column(
        N_("Text"), ("context", "text", "passage", "paragraph", "review")
    )
    beside: ClassVar[Column | None] = Column(N_("Question"), ("question", "query"))
    reference: ClassVar[Column] = Column(N_("Answer"), ("answer", "answers", "answer_text"))
    explains: ClassVar[Mapping[str, tuple[str, str]]] = EXPLAINED

    def __post_init__(self) -> None:
        check(self)

    def head(self, data: Dataset) -> tuple[str, ...]:
        """None: a span needs no names."""
        return ()

    def chance(self, data: Dataset) -> float:
        """The loss of one who knows what kind of words is asked for, and not in which sentence.

        That is where training stays for a while, so nothing is learnt that an attack could break before
        the loss is below it.
        """
        counts = [len(SENTENCE.findall(e.text)) for e in data.train[:1000]]
        return sum(math.log(max(n, 2)) for n in counts) / max(len(counts), 1)

    def scratch(
        self, size: str, data: Dataset, *, seed: int = 0, max_length: int = 128
    ) -> tuple[Any, Any]:
        """A BERT of three layers with a start of its own, and a tokenizer of texts and questions."""
        shape = shape_of(size)
        texts = [text for e in data.train for text in (e.text, e.beside)]
        tokenizer = learn_tokenizer(texts, shape.vocabulary)
        return span_start.reader(shape, tokenizer, seed=seed, max_length=max_length), tokenizer

    # ---- tensors --------------------------------------------------------------------------------

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        """Texts, each behind its question, as a padded batch."""
        rows = padded(tokens, reader.pad)
        T = rows.ids.shape[1]
        nulls = [_null(t, reader) for t in tokens]
        known = [
            known_in(t, e, null, self.longest)
            for t, e, null in zip(tokens, examples, nulls, strict=True)
        ]
        target = {
            "start": torch.tensor([k.start for k in known]),
            "end": torch.tensor([k.end for k in known]),
            "null": torch.tensor(nulls),
            "same": filled_up([k.same for k in known]),
            "kinds": torch.tensor([t.encoding.type_ids + [0] * (T - len(t)) for t in tokens]),
        }
        free = {"context": rows.segment == 0, "question": rows.segment == 1}
        free["both"] = free["context"] | free["question"]
        return Batch(rows.ids, rows.mask, free[self.where], rows.segment, target, tuple(tokens))

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        """(B,T) -> (B,T,D): what the embedding layer really gives, scaling included."""
        return model.get_input_embeddings()(input_ids)

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,T,2), −∞ where no answer can be."""
        return read_text(model, batch, self.window, self.overlap, inputs_embeds=embeds)

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        """(1,T,2) of one unpadded text."""
        ids = batch.input_ids
        return read_text(model, batch, self.window, self.overlap, input_ids=ids)

    def shortened(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> str:
        """How many known answers can never be given: too long, or not in the text as it is read."""
        lost = 0
        for one, example in zip(tokens, examples, strict=True):
            known = known_in(one, example, _null(one, reader), self.longest)
            lost += known.start != UNKNOWN and not known.same
        if not lost:
            return ""
        return _(
            "{lost:,} of {n:,} known answers can not be given: they are longer than {longest} tokens, "
            "or not in what is read of their texts",
            lost=lost,
            n=len(examples),
            longest=self.longest,
        )

    def probes(self, reader: Reader) -> Sequence[Example]:
        """Three questions of different length, to texts of different length."""
        texts = ["a first text", "a second, longer text to be padded against", "short words"]
        if self.window:
            texts[1] = " ".join(texts[:2] * self.window)[: 4 * self.window]
        return [
            Example(text, text, (text.split()[-1],), "what " * i + "is it", None)
            for i, text in enumerate(texts)
        ]

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        """(B,T,2) -> (B,). An answer that the text does not have counts as none."""
        log = out.log_softmax(1)
        places = torch.stack(self._reference(out, batch), -1).unsqueeze(1)  # (B,1,2)
        found = -log.gather(1, places).squeeze(1).mean(1)
        if not (training and self.smoothing):
            return found
        places = allowed(batch).unsqueeze(-1)
        evenly = -log.masked_fill(~places, 0.0).sum(1).mean(1) / places.sum((1, 2))
        return (1 - self.smoothing) * found + self.smoothing * evenly

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,K): the best span that says what is known, then the best ones that say something else.

        Where one of these ties with the reference and is what the model answers, it leads by a bit.
        """
        spans, same = self._spans(out, batch), self._same(out, batch)
        own = spans.masked_fill(~same, -torch.inf).amax(1, keepdim=True)
        rest = spans.masked_fill(same, -torch.inf)
        rivals = rest.topk(min(self.rivals, rest.shape[1]), 1).values
        own = torch.where(own.isfinite(), own, rivals[:, :1] - BEHIND)
        said = same.gather(1, spans.argmax(1, keepdim=True))
        best = rivals[:, :1].detach()
        above = torch.nextafter(best, torch.full_like(best, torch.inf))
        ahead = torch.where(~said & (best == own), above - best, torch.zeros_like(best))
        return torch.cat([own, rivals[:, :1] + ahead, rivals[:, 1:]], 1)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        """KL(p‖q) of each example, the mean of those of starts and of ends: (B,)."""
        outside = ~allowed(batch).unsqueeze(-1)
        p, q = (x.log_softmax(1).masked_fill(outside, 0.0) for x in (p, q))
        return (p.exp() * (p - q)).sum(1).mean(1)

    def _spans(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,1+T·L) the score of every span, and of none."""
        null = batch.target["null"]
        return span_scores(out, batch.segment == 0, null, self.longest, self.threshold)

    def _same(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,1+T·L) bool: spans that say what is known; where nothing is, the model's own."""
        size = 1 + out.shape[1] * self.longest
        same = batch.target["same"]
        unknown_ = batch.target["start"] == UNKNOWN
        if unknown_.any():
            best = self._spans(out.detach(), batch).argmax(1, keepdim=True)
            own = torch.cat([best, same.new_full((len(same), same.shape[1] - 1), -1)], 1)
            same = torch.where(unknown_.unsqueeze(1), own, same)
        return marked(same, size)

    def _reference(self, out: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B,) the first and the last token of the reference.

        Of spans that say the same, where no place is given, the one that the model likes best.
        """
        start, end, null = (batch.target[name] for name in ("start", "end", "null"))
        open_ = (start == UNKNOWN) | (start == ANYWHERE)
        if open_.any():
            spans = self._spans(out.detach(), batch)
            liked = spans.masked_fill(~self._same(out, batch), -torch.inf).argmax(1)
            first, last = ends_of(liked, null, self.longest)
            start, end = torch.where(open_, first, start), torch.where(open_, last, end)
        lost = start == LOST
        return torch.where(lost, null, start), torch.where(lost, null, end)

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> QuestionAnswering:
        """The same with the threshold that gets most exact answers of validation texts (as SQuAD 2.0).

        Left as it is where none of them, or each of them, has an answer.
        """
        leads: list[float] = []
        answered: list[float] = []
        missing: list[bool] = []
        for out, batch in read:
            spans, same = replace(self, threshold=0.0)._spans(out, batch), self._same(out, batch)
            best = spans[:, 1:].argmax(1, keepdim=True) + 1
            leads += (spans[:, :1] - spans.gather(1, best)).squeeze(1).tolist()
            answered += same.gather(1, best).squeeze(1).double().tolist()
            missing += same[:, 0].tolist()
        if all(missing) or not any(missing):
            return self
        return replace(self, threshold=squad.best_threshold(leads, answered, missing))

    # ---- people ---------------------------------------------------------------------------------

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """The best span of each text, as it stands there."""
        return self._said(self.forward(model, embeds, batch), batch)

    def _said(self, out: Tensor, batch: Batch) -> list[str]:
        best = self._spans(out, batch).argmax(1)
        null = batch.target["null"]
        ends = zip(*(x.tolist() for x in ends_of(best, null, self.longest)), strict=True)
        return [
            tokens.text[tokens.spans[start][0] : tokens.spans[end][1]] if number else NO_ANSWER
            for tokens, (start, end), number in zip(batch.tokens, ends, best.tolist(), strict=True)
        ]

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        """N versions. `score` is the share of all spans that say what the reference says.

        `parts`, by token: p(start) and p(end) (N,T), the chances of the first and of the last token;
        and by their first and last tokens (N,2): span(answer), the model's own, and span(reference).
        Both are the special token of "no answer" where there is none.
        """
        spans, null = self._spans(out, batch), batch.target["null"]
        chance = spans.softmax(1)
        score = (chance * self._same(out, batch)).sum(1)
        attacked, standing = self.scores(out, batch), self.scores(held_out, held)
        sure = chance.amax(1)
        own = ends_of(spans.argmax(1), null, self.longest)
        ends = {"answer": own, "reference": self._reference(out, batch)}
        each = out.softmax(1)
        return Reading(
            tuple(self._said(out, batch)),
            _np(score),
            # several spans may say the same: together they are at least as sure
            _np(torch.where(broken_in(attacked), sure, torch.maximum(sure, score))),
            _np(margin_in(attacked)),
            _np(self.loss(out, batch)),
            _np(margin_in(standing)),
            _np(broken_in(standing)),
            {"p(start)": _np(each[..., 0]), "p(end)": _np(each[..., 1])}
            | {f"span({name})": _np(torch.stack(pair, -1)) for name, pair in ends.items()},
        )

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        """A number of one span, fixed here, so that clean and perturbed texts explain one thing.

        Left open, `of` is the model's own answer, and `against` the best that says something else.
        """
        return explained(kind, self._spans, out, batch, self.longest, **of)

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        """Exact match and token F1 as SQuAD has them; of characters too, where words have no blanks."""
        said, known = bare(answer), [bare(k) for k in example.answers]
        found = {"exact": float(squad.exact(said, known)), "f1": squad.f1(said, known)}
        if squad.written_on(known):
            found["f1 of characters"] = squad.character_f1(said, known)
        return found

    def lengths(self, batch: Batch) -> Tensor:
        """(B,) two: the loss is the mean of an answer's first and last token."""
        return torch.full_like(batch.target["start"], 2)

    def figures(
        self, said: Sequence[Said], clean: Sequence[Said], examples: Sequence[Example]
    ) -> list[quoted.Figure]:
        """Exact match and F1 of SQuAD, F1 with and without an answer apart where there are both."""
        found = [self.quality(s.answer, e) for s, e in zip(said, examples, strict=True)]
        f1 = [q["f1"] for q in found]
        none = [squad.missing([bare(a) for a in e.answers]) for e in examples]
        figures = [
            quoted.share(_("exact match"), [q["exact"] == 1 for q in found]),
            quoted.mean("F1", f1, note=_("of words, as SQuAD 2.0 counts it")),
        ]
        if any(none) and not all(none):
            figures += [
                quoted.part(_("F1 with an answer"), f1, [not n for n in none]),
                quoted.part(_("F1 without one"), f1, none),
            ]
        letters = [q.get("f1 of characters") for q in found]
        if any(x is not None for x in letters):
            among = [x is not None for x in letters]
            figures.append(quoted.part(_("F1 of characters"), [x or 0.0 for x in letters], among))
        return figures


def _null(tokens: Tokens, reader: Reader) -> int:
    """The place of the token that stands for "no answer": [CLS], or else the first."""
    mark = reader.tokenizer.cls_token_id
    return tokens.ids.index(mark) if mark in tokens.ids else 0


def _np(column: Tensor) -> np.ndarray:
    return column.detach().cpu().numpy()
