"""Dialogue: what a causal model replies to a history.

δ lives on what was said in the history, never on marks, the reply or padding; the loss is that of the
reply alone. In training the bot's earlier turns count too: each is a reply to what stood before it, and
one pass over a history teaches them all.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from advlab.errors import SettingError, unknown
from advlab.language import N_, _
from advlab.records import Dataset, Example
from advlab.records.reading import Reading
from advlab.records.script import pieces
from advlab.tasks import quoted, replies, sequences
from advlab.tasks.base import Batch, Column, Explained, Model, Objective
from advlab.tasks.goals import GOALS, aimed
from advlab.tasks.history import History, HistoryReader
from advlab.tasks.quoted import Said
from advlab.tasks.sequences import NONE, block
from advlab.tasks.tokens import Reader, Tokens

EXPLAINED = sequences.EXPLAINED | {
    "reply": (N_("whole reply"), N_("its log-probability: the sum over its tokens")),
    "loss": ("loss", N_("its mean cross-entropy, in nats per token")),
}

CACHES = ("cache", "past_key_values")  # what transformers calls it, now and before


@dataclass(frozen=True)
class Dialogue:
    """A row is the history as it is laid out, then the reply; each token foretells the next.

    The output is (B,U,V) at the places of the reply, in training followed by those of the bot's
    earlier turns; the target `labels` (B,U) are the reply's tokens and its end.
    """

    smoothing: float = 0.0  # share of each label spread over all tokens, in training only
    keep: float = 1.0  # share of a reply's tokens that must stay the first choice for it to stand
    longest: int = 40  # tokens of a reply, its end among them
    earlier: float = 1.0  # weight of a token of the bot's earlier turns, in training only

    name: ClassVar[str] = "dialogue"
    title: ClassVar[str] = N_("Dialogue")
    auto: ClassVar[str] = "AutoModelForCausalLM"
    named: ClassVar[bool] = False
    text: ClassVar[Column] = Column(N_("History"), ("history", "context", "prompt", "text"))
    beside: ClassVar[Column | None] = None
    reference: ClassVar[Column] = Column(N_("Reply"), ("reply", "response", "answer", "completion"))
    explains: ClassVar[Mapping[str, tuple[str, str]]] = EXPLAINED
    goals: ClassVar[Mapping[str, tuple[str, bool]]] = GOALS

    def reader(
        self, tokenizer: Any, max_length: int, most: int | None, **known: Any
    ) -> HistoryReader:
        """The reader of histories; there is always room left for a reply."""
        room = max_length if most is None else min(max_length, max(most - self.longest, 4))
        return HistoryReader(tokenizer, room, **known)

    def scratch(self, size: str, data: Dataset, *, seed: int, max_length: int) -> tuple[Any, Any]:
        """A tiny Llama of `size` and its tokenizer: see `advlab.tasks.dialogue_start`."""
        from advlab.tasks import dialogue_start

        return dialogue_start.scratch(size, data, seed=seed, max_length=max_length)

    def head(self, data: Dataset) -> tuple[str, ...]:
        """None: what can be written is the tokenizer's to say."""
        return ()

    def chance(self, data: Dataset) -> float:
        """The loss of guessing each word of a reply by how frequent it is."""
        counts = Counter(w for e in data.train for w in [*(e.answer or "").split(), ""])
        total = sum(counts.values())
        return sum(-n / total * math.log(n / total) for n in counts.values())

    # ---- tensors --------------------------------------------------------------------------------

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        """Histories with their replies, padded on the right."""
        assert isinstance(reader, HistoryReader)
        return self._laid(tokens, [self._wanted(e, reader) for e in examples], reader)

    def _laid(
        self, tokens: Sequence[Tokens], replies: Sequence[list[int]], reader: Reader
    ) -> Batch:
        pairs = list(zip(tokens, replies, strict=True))
        read = [[*t.ids, *y[:-1]] for t, y in pairs]
        segment = block([[*t.segment, *[2] * len(y[:-1])] for t, y in pairs], -1)
        U = max([1, *(len(y) for __, y in pairs)])
        places = [[len(t) - 1 + min(u, max(len(y) - 1, 0)) for u in range(U)] for t, y in pairs]
        said = [t.said if isinstance(t, History) and self.earlier else [] for t in tokens]
        ending = reader.ending
        target = {
            "labels": block([[*y, *[NONE] * (U - len(y))] for __, y in pairs], NONE),
            "places": torch.tensor(places),
            "history": torch.tensor([len(t) for t in tokens]),
            "earlier": block([[ending if i is None else i for __, i in row] for row in said], NONE),
            "earlier_places": block([[place for place, __ in row] for row in said], 0),
        }
        return Batch(
            block(read, reader.pad),
            block([[1] * len(row) for row in read], 0),
            segment == 0,
            segment,
            target,
            tuple(tokens),
        )

    def shortened(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> str:
        """How many known replies are longer than the longest that is written."""
        assert isinstance(reader, HistoryReader)
        lengths = [len(reader.reply(e.answer)) + 1 if e.answer else 0 for e in examples]
        return sequences.cut_short(lengths, self.longest)

    def mistaken(
        self, batch: Batch, reader: Reader, generator: torch.Generator | None = None
    ) -> Batch:
        """Each history with the reply of another in the batch, the one that is most like its own."""
        wrong, differing = sequences.mistaken(batch.target["labels"])
        found = self._laid(batch.tokens, wrong, reader).to(batch.input_ids.device)
        return found.with_target(labels=differing(found.target["labels"]))

    def _wanted(self, example: Example, reader: HistoryReader) -> list[int]:
        if example.answer is None:
            return []
        return [*reader.reply(example.answer), reader.ending][: self.longest]

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        """(B,T) -> (B,T,D): what the embedding layer really gives, scaling included."""
        return model.get_input_embeddings()(input_ids)

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,U,V), in training mode (B,U+E,V) with the E places of earlier turns."""
        # no mask: padding stands on the right, where a causal model never looks; without one attention
        # is faster, and a model that does look is refused, since it reads a padded text differently
        return self._logits(model, batch, inputs_embeds=embeds)

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        """(1,U,V) of one unpadded text."""
        mask = batch.attention_mask
        return self._logits(model, batch, input_ids=batch.input_ids, attention_mask=mask)

    def _logits(self, model: Any, batch: Batch, **given: Tensor) -> Tensor:
        """Logits are made where they are read alone: over all places they would fill gigabytes."""
        places = batch.target["places"]
        if model.training:
            places = torch.cat([places, batch.target["earlier_places"]], 1)
        first, last = int(places.min()), int(places.max())
        if "logits_to_keep" in _parameters(model):
            given["logits_to_keep"] = torch.arange(first, last + 1, device=places.device)
            places = places - first
        out = model(use_cache=False, **given).logits
        return out[torch.arange(len(out), device=out.device).unsqueeze(1), places]

    def probes(self, reader: Reader) -> Sequence[Example]:
        """Three histories of different length, with replies."""
        texts = (
            "User: a first sentence",
            "User: a second sentence\nBot: and a reply to it\nUser: then a longer one",
            "User: short",
        )
        return [
            Example(t, t, (reply,)) for t, reply in zip(texts, ("good", "a", "so"), strict=True)
        ]

    def _own(self, out: Tensor, batch: Batch) -> Tensor:
        """The part of the output that is about the reply."""
        return out[:, : batch.target["labels"].shape[1]]

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        """(B,U,V) -> (B,) nats per token of the reply; in training, with the earlier turns' tokens."""
        labels, smoothing = batch.target["labels"], self.smoothing if training else 0.0
        own = sequences.loss(self._own(out, batch), labels, smoothing)
        more = out[:, labels.shape[1] :]
        if not training or not more.shape[1] or not self.earlier:
            return own
        earlier = batch.target["earlier"]
        n, m = (labels != NONE).sum(1), self.earlier * (earlier != NONE).sum(1)
        return (n * own + m * sequences.loss(more, earlier, smoothing)) / (n + m).clamp_min(1)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,U,V) -> (B,2): the token that decides whether the reply stands, and its best rival."""
        return sequences.scores(self._own(out, batch), batch.target["labels"], self.keep)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        """KL(p‖q) of two outputs, mean over the reply's tokens: (B,)."""
        p, q = self._own(p, batch), self._own(q, batch)
        return sequences.divergence(p, q, batch.target["labels"])

    def astray(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,) bool: greedy decoding writes something else than the reference."""
        return sequences.astray(self._own(out, batch), batch.target["labels"])

    def aimed(self, goal: str, victim: Model, batch: Batch, reader: Reader) -> Objective:
        """What an attack raises that aims at one of `GOALS`."""
        return aimed(goal, victim, batch, reader)

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> Dialogue:
        """As it is: nothing is chosen by validation texts."""
        return self

    # ---- people ---------------------------------------------------------------------------------

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """(B,T,D) -> what the model replies, by greedy decoding under the fixed δ."""
        rows = self.write(model, embeds, batch, reader.ending)
        return [sequences.spelled(row, reader) for row in rows]

    def write(self, model: Any, embeds: Tensor, batch: Batch, ending: int) -> list[list[int]]:
        """(B,T,D) -> the ids of each reply. New tokens are read through the clean table.

        Histories are moved to the right end of the rows, where all replies begin; the cache keeps what
        the model made of the perturbed history.
        """
        lengths = batch.target["history"].to(embeds.device)
        S = int(lengths.max())
        columns = torch.arange(S, device=embeds.device) - (S - lengths).unsqueeze(1)  # (B,S)
        mask = (columns >= 0).long()
        rows = torch.arange(len(embeds), device=embeds.device).unsqueeze(1)
        state = _State(model, embeds[rows, columns.clamp_min(0)], mask)

        def step(token: Tensor) -> Tensor:
            return state.read(self.embed(model, token))

        return sequences.greedy(state.first, step, ending, self.longest)

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        """N versions; `parts` are those that all sequences have (`sequences.read`)."""
        labels, standing = batch.target["labels"], held.target["labels"]
        return sequences.read(
            self._own(out, batch), labels, self._own(held_out, held), standing, self.keep, reader
        )

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        """A token's margin or log-probability, or those of the whole reply.

        `of` and `against` are those of `sequences.explained`.
        """
        if kind not in EXPLAINED:
            raise SettingError(unknown("target", kind, EXPLAINED))
        labels = batch.target["labels"][0]
        n = int((labels != NONE).sum())
        whole = sequences.spelled(labels[:n].tolist(), reader)
        if kind in ("reply", "loss"):
            sign, words = (
                (-n, _("log-probability of the reply"))
                if kind == "reply"
                else (1, _("loss of the reply"))
            )

            def value(o: Tensor) -> Tensor:
                return sign * sequences.loss(o[:, :n], labels[:n].expand(len(o), -1))

            return Explained(_("{words}, in nats", words=words), value, whole)
        return sequences.explained(kind, self._own(out, batch), batch, reader, **of)

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        """Whether it is a known reply, letter case and spacing aside; else how many words it shares."""
        said, *known = (pieces(a.casefold()) for a in (answer, *example.answers))
        return {
            "exact": float(said in known),
            "f1": max((_overlap(said, words) for words in known), default=0.0),
        }

    def lengths(self, batch: Batch) -> Tensor:
        """(B,) tokens of each reply, its end among them."""
        return sequences.count(batch.target["labels"])

    def figures(
        self, said: Sequence[Said], clean: Sequence[Said], examples: Sequence[Example]
    ) -> list[quoted.Figure]:
        """Perplexity of the known replies; of the model's own: exact match, F1, changed, varied."""
        found = [self.quality(s.answer, e) for s, e in zip(said, examples, strict=True)]
        return [
            replies.perplexity_of(said),
            replies.bits_of(said, examples),
            quoted.share(_("exact match"), [q["exact"] == 1 for q in found]),
            quoted.mean(_("F1 of words"), [q["f1"] for q in found]),
            quoted.changed(said, clean),
            replies.distinct_of(said, examples),
        ]


class _State:
    """A causal model that has read (B,S,D) behind a mask (B,S), and goes on token by token."""

    def __init__(self, model: Any, embeds: Tensor, mask: Tensor) -> None:
        self.model, self.embeds, self.mask = model, embeds, mask
        self.cache: Any = None
        self.first = self._forward(embeds)  # (B,V)

    def read(self, embeds: Tensor) -> Tensor:
        """(B,1,D) of the newest token -> (B,V) of the next."""
        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)
        if self.cache is None:  # a model that keeps none reads all again
            self.embeds = torch.cat([self.embeds, embeds], 1)
            return self._forward(self.embeds)
        return self._forward(embeds)

    def _forward(self, embeds: Tensor) -> Tensor:
        known = _parameters(self.model)
        given: dict[str, Any] = {}
        if "position_ids" in known:  # counted from the first real token
            places = (self.mask.cumsum(1) - 1).clamp_min(0)
            given["position_ids"] = places[:, -embeds.shape[1] :]
        name = next((n for n in CACHES if n in known), None)
        if name:
            given |= {name: self.cache, "use_cache": True}
        if "logits_to_keep" in known:
            given["logits_to_keep"] = 1
        out = self.model(inputs_embeds=embeds, attention_mask=self.mask, **given)
        self.cache = getattr(out, name) if name else None
        return out.logits[:, -1]


def _parameters(model: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def _overlap(said: Sequence[str], known: Sequence[str]) -> float:
    """F1 of words, each as often as it stands."""
    both = sum((Counter(said) & Counter(known)).values())
    return 2 * both / max(len(said) + len(known), 1)
