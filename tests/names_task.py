"""A fifth task for tests: which words are names? A class for each token, an answer that lists them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.errors import SettingError, unknown
from advlab.records import Dataset, Example
from advlab.records.reading import Reading
from advlab.tasks.base import Batch, Column, Explained, broken_in, margin_in
from advlab.tasks.tokens import Reader, Tokens, padded

NONE = "no names"
EXPLAINED = {
    "margin": ("margin", "the lead of its least sure token over its rival"),
    "loss": ("loss", "the mean cross-entropy over its tokens"),
}


@dataclass(frozen=True)
class Names:
    """A class for each token; the answer lists the names, "Ada Berg (person), Lund (place)"."""

    smoothing: float = 0.0

    name: ClassVar[str] = "names"
    title: ClassVar[str] = "Names in text"
    auto: ClassVar[str] = "AutoModelForTokenClassification"
    named: ClassVar[bool] = False
    text: ClassVar[Column] = Column("Text", ("text", "sentence"))
    beside: ClassVar[Column | None] = None
    reference: ClassVar[Column] = Column("Names", ("names", "answer"))
    explains: ClassVar[Mapping[str, tuple[str, str]]] = EXPLAINED

    def head(self, data: Dataset) -> tuple[str, ...]:
        return data.head

    def chance(self, data: Dataset) -> float:
        return math.log(len(data.head))

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        rows = padded(tokens, reader.pad)
        labels = torch.full(rows.ids.shape, -1)
        for i, (t, e) in enumerate(zip(tokens, examples, strict=True)):
            if e.answer is None:
                continue
            kinds = _kinds(e.answer, e.text)
            for j, (span, segment) in enumerate(zip(t.spans, t.segment, strict=True)):
                if segment == 0:
                    labels[i, j] = reader.head.index(kinds.get(span[0], "other"))
        return Batch(
            rows.ids, rows.mask, rows.segment == 0, rows.segment, {"labels": labels}, tuple(tokens)
        )

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        return model.get_input_embeddings()(input_ids)

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        return model(inputs_embeds=embeds, attention_mask=batch.attention_mask).logits

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        return model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits

    def probes(self, reader: Reader) -> Sequence[Example]:
        texts = ("a first sentence", "a second, longer sentence to be padded against", "short")
        return [Example(text, text, (NONE,)) for text in texts]

    def _labels(self, out: Tensor, batch: Batch) -> Tensor:
        labels = batch.target["labels"]
        own = out.detach().argmax(-1)
        open_ = (labels < 0).all(1, keepdim=True) & (batch.segment == 0)
        return torch.where(open_, own, labels)

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        labels = self._labels(out, batch)
        smoothing = self.smoothing if training else 0.0
        by_class = out.transpose(1, 2)
        each = F.cross_entropy(
            by_class, labels, reduction="none", ignore_index=-1, label_smoothing=smoothing
        )
        return each.sum(1) / (labels >= 0).sum(1).clamp_min(1)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,2): at the token that is nearest to another class, its own logit and the best rival's."""
        labels = self._labels(out, batch)
        own = out.gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        rival = out.scatter(-1, labels.clamp_min(0).unsqueeze(-1), -torch.inf).amax(-1)
        worst = (own - rival).masked_fill(labels < 0, torch.inf).argmin(1, keepdim=True)
        return torch.cat([own.gather(1, worst), rival.gather(1, worst)], 1)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        p, q = p.log_softmax(-1), q.log_softmax(-1)
        here = batch.segment == 0
        return ((p.exp() * (p - q)).sum(-1) * here).sum(1) / here.sum(1).clamp_min(1)

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> Names:
        return self

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        return _said(self.forward(model, embeds, batch), batch, reader)

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        attacked, standing = self.scores(out, batch), self.scores(held_out, held)
        loss = self.loss(out, batch)
        sure = out.softmax(-1).amax(-1).masked_fill(batch.segment != 0, 1.0).prod(1)
        return Reading(
            tuple(_said(out, batch, reader)),
            _np((-loss).exp()),
            _np(sure),
            _np(margin_in(attacked)),
            _np(loss),
            _np(margin_in(standing)),
            _np(broken_in(standing)),
            {f"p({n})": _np(out.softmax(-1)[..., i]) for i, n in enumerate(reader.head)},
        )

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        if kind not in EXPLAINED:
            raise SettingError(unknown("target", kind, EXPLAINED))
        labels = self._labels(out, batch)
        said = _said(out, batch, reader)[0]

        def value(o: Tensor) -> Tensor:
            each = F.cross_entropy(
                o.transpose(1, 2), labels.expand(len(o), -1), reduction="none", ignore_index=-1
            )
            return each.sum(1) / (labels >= 0).sum()

        if kind == "margin":
            at = (
                out[0]
                .topk(2, -1)
                .values.diff(dim=-1)
                .abs()
                .squeeze(-1)
                .masked_fill(batch.segment[0] != 0, torch.inf)
                .argmin()
            )
            top = out[0, at].topk(2).indices
            return Explained(
                f"lead of “{said}” at its least sure token",
                lambda o: o[:, at, top[0]] - o[:, at, top[1]],
                said,
            )
        return Explained(f"loss of “{said}”, in nats", value, said)

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        return {"exact": float(answer == example.answer)}


def _kinds(answer: str, text: str) -> dict[int, str]:
    """Where a word begins that is part of a name -> its kind."""
    found: dict[int, str] = {}
    for part in answer.split(", ") if answer != NONE else ():
        name, kind = part.rstrip(")").rsplit(" (", 1)
        at = text.lower().find(name.lower())
        for k in range(at, at + len(name)):
            found[k] = kind
    return found


def _said(out: Tensor, batch: Batch, reader: Reader) -> list[str]:
    answers = []
    for tokens, row in zip(batch.tokens, out.argmax(-1).tolist(), strict=True):
        names: list[tuple[int, int, str]] = []
        for j, (a, b) in enumerate(tokens.spans):
            kind = reader.head[row[j]]
            if tokens.segment[j] != 0 or kind == "other":
                continue
            if names and names[-1][2] == kind and a - names[-1][1] <= 1:
                names[-1] = (names[-1][0], b, kind)
            else:
                names.append((a, b, kind))
        answers.append(", ".join(f"{tokens.text[a:b]} ({k})" for a, b, k in names) or NONE)
    return answers


def _np(column: Tensor) -> Any:
    return column.detach().cpu().numpy()
