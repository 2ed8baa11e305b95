"""Text classification: one class for a text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  its usual name

from advlab.errors import DataError, SettingError, unknown
from advlab.language import N_, _
from advlab.records import Dataset, Example
from advlab.records.reading import Reading
from advlab.tasks.base import Batch, Column, Explained, broken_in, margin_in
from advlab.tasks.scratch import learn_tokenizer, shape_of, unit_rows
from advlab.tasks.tokens import Reader, Tokens, padded

EXPLAINED = {
    "margin": (
        "margin",
        N_("the logit of the class minus that of its runner-up, what a flip changes"),
    ),
    "logit": (N_("class logit"), N_("that class alone")),
    "loss": ("loss", N_("its cross-entropy")),
}


@dataclass(frozen=True)
class Classification:
    """Cross-entropy over classes, with optional label smoothing (Szegedy et al. 2016, 1512.00567).

    The output is (B,C) logits; the target `labels` (B,), −1 where no class is known.
    """

    smoothing: float = 0.0  # share of each label spread over all classes, in training only

    name: ClassVar[str] = "classification"
    title: ClassVar[str] = N_("Text classification")
    auto: ClassVar[str] = "AutoModelForSequenceClassification"
    named: ClassVar[bool] = True
    text: ClassVar[Column] = Column(N_("Sentence"), ("text", "sentence", "review", "message"))
    beside: ClassVar[Column | None] = None
    reference: ClassVar[Column] = Column(N_("True class"), ("label", "class", "category"))
    explains: ClassVar[Mapping[str, tuple[str, str]]] = EXPLAINED

    def head(self, data: Dataset) -> tuple[str, ...]:
        """The classes in order."""
        return data.head

    def chance(self, data: Dataset) -> float:
        """ln C."""
        return math.log(len(data.head))

    def scratch(
        self, size: str, data: Dataset, *, seed: int = 0, max_length: int = 128
    ) -> tuple[Any, Any]:
        """A BERT classifier of two layers."""
        from transformers import BertConfig, BertForSequenceClassification

        shape = shape_of(size)
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
        unit_rows(model.bert.embeddings.word_embeddings)
        # against word vectors of length 1, BERT's initial 0.02 would leave word order unheard
        torch.nn.init.normal_(
            model.bert.embeddings.position_embeddings.weight,
            std=0.8 / shape.D**0.5,
            generator=torch.Generator().manual_seed(seed),
        )
        return model.eval(), tokenizer

    # ---- tensors --------------------------------------------------------------------------------

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        """Examples -> padded batch, as short as its longest text allows."""
        places = {name: i for i, name in enumerate(reader.head)}
        labels = [-1 if e.answer is None else places.get(e.answer, -2) for e in examples]
        if -2 in labels:
            wrong = examples[labels.index(-2)]
            raise DataError(
                _(
                    "expected a class among {head}, got {answer!r} in {id}; train on the data "
                    "set that the model is used with",
                    head=", ".join(reader.head),
                    answer=wrong.answer,
                    id=wrong.id,
                )
            )
        rows = padded(tokens, reader.pad)
        target = {"labels": torch.tensor(labels)}
        return Batch(rows.ids, rows.mask, rows.segment == 0, rows.segment, target, tuple(tokens))

    def mistaken(
        self, batch: Batch, reader: Reader, generator: torch.Generator | None = None
    ) -> Batch:
        """Each text with another class, drawn at random."""
        labels, C = batch.target["labels"], len(reader.head)
        ahead = torch.randint(1, max(C, 2), labels.shape, generator=generator)
        own = replace(batch, perturbable=batch.segment == 0)
        return own.with_target(labels=(labels + ahead.to(labels.device)) % C)

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        """(B,T) -> (B,T,D): what the embedding layer really gives, scaling included."""
        return model.get_input_embeddings()(input_ids)

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,C)."""
        head = getattr(model, "score", None)
        last = getattr(model.config, "summary_type", "") == "last" and hasattr(model, "logits_proj")
        if not isinstance(head, nn.Linear) and not last:
            return model(inputs_embeds=embeds, attention_mask=batch.attention_mask).logits
        # Decoder classifiers look for the last token by its id and, given embeddings, take the
        # padding instead (transformers only warns), as XLNet always does. So: base model, then the
        # last real position.
        hidden = model.base_model(inputs_embeds=embeds, attention_mask=batch.attention_mask)
        end = batch.attention_mask.sum(1) - 1
        rows = hidden.last_hidden_state[torch.arange(len(batch), device=embeds.device), end]
        if not isinstance(head, nn.Linear):
            return model.logits_proj(model.sequence_summary(rows.unsqueeze(1)))
        return head(rows)

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        """(1,C) of one unpadded text."""
        return model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits

    def probes(self, reader: Reader) -> Sequence[Example]:
        """Three texts of different length."""
        texts = ("a first sentence", "a second, longer sentence to be padded against", "short")
        return [Example(text, text, reader.head[:1]) for text in texts]

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        """(B,C) -> (B,) cross-entropy."""
        smoothing = self.smoothing if training else 0.0
        labels = batch.target["labels"]
        return F.cross_entropy(out, labels, reduction="none", label_smoothing=smoothing)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,C): the logit of the label, then the other classes' in their order.

        Where another class ties with the label and comes first, it is the answer: it leads by a bit.
        """
        labels = _labels(out, batch).unsqueeze(1)
        places = torch.arange(out.shape[1] - 1, device=out.device).expand(len(labels), -1)
        own, rivals = out.gather(1, labels), out.gather(1, places + (places >= labels))
        tied = (rivals == own) & (places < labels)
        above = torch.nextafter(rivals.detach(), torch.full_like(rivals, torch.inf))
        return torch.cat([own, rivals + (above - rivals.detach()) * tied], 1)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        """KL(p‖q) of each example: two (B,C) logits -> (B,)."""
        p, q = p.log_softmax(-1), q.log_softmax(-1)
        return (p.exp() * (p - q)).sum(-1)

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> Classification:
        """The same: the likeliest class needs no threshold."""
        return self

    # ---- people ---------------------------------------------------------------------------------

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """The most probable class of each."""
        return _named(self.forward(model, embeds, batch), reader)

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        """N versions: `parts` has the probability of each class, by its name."""
        probs, labels = out.softmax(-1), _labels(out, batch).unsqueeze(1)
        attacked, standing = self.scores(out, batch), self.scores(held_out, held)
        loss = -out.log_softmax(-1).gather(1, labels).squeeze(1)
        return Reading(
            tuple(_named(out, reader)),
            _np(probs.gather(1, labels).squeeze(1)),
            _np(probs.amax(-1)),
            _np(margin_in(attacked)),
            _np(loss),
            _np(margin_in(standing)),
            _np(broken_in(standing)),
            {name: _np(probs[:, i]) for i, name in enumerate(reader.head)},
        )

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        """A margin, a logit or the loss of a class.

        Left open, `of` is the predicted class (for the loss the batch's label) and `against` the
        likeliest other one. Both are fixed here, so that clean and perturbed texts explain one number.
        """
        if kind not in EXPLAINED:
            raise SettingError(unknown("target", kind, EXPLAINED))
        head, asked, rival = reader.head, of.get("of"), of.get("against")
        clean = out[0]
        if asked is None:
            first = int(batch.target["labels"][0]) if kind == "loss" else int(clean.argmax())
        else:
            first = _place(asked, head)
        name = head[first]
        if kind == "logit":
            return Explained(_("logit of {name}", name=name), lambda o: o[:, first], name)
        if kind == "loss":
            return Explained(
                _("loss of {name}, in nats", name=name),
                lambda o: -o.log_softmax(-1)[:, first],
                name,
            )
        rest = clean.index_fill(0, torch.tensor(first, device=clean.device), -torch.inf)
        other = int(rest.argmax()) if rival is None else _place(rival, head)
        if other == first:
            raise SettingError(
                _(
                    "expected two different classes for a margin, got {name} twice; choose another",
                    name=name,
                )
            )
        return Explained(
            _("logit of {name} − logit of {head}", name=name, head=head[other]),
            lambda o: o[:, first] - o[:, other],
            name,
        )

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        """Whether it is the known class."""
        return {"exact": float(answer == example.answer)}


def _labels(out: Tensor, batch: Batch) -> Tensor:
    """(B,) the labels; where none is known, the model's own."""
    labels = batch.target["labels"]
    return torch.where(labels < 0, out.detach().argmax(-1), labels)


def _np(column: Tensor) -> np.ndarray:
    return column.detach().cpu().numpy()


def _named(out: Tensor, reader: Reader) -> list[str]:
    return [reader.head[i] for i in out.argmax(-1).tolist()]


def _place(name: str | int, head: tuple[str, ...]) -> int:
    if isinstance(name, str) and name in head:
        return head.index(name)
    if isinstance(name, int) and 0 <= name < len(head):
        return name
    raise SettingError(
        _(
            "expected a class among {head} (or 0 to {n_head}), got {name!r}; choose one of them",
            head=", ".join(head),
            n_head=len(head) - 1,
            name=name,
        )
    )
