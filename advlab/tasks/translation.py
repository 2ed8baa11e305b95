"""Translation by an encoder and a decoder: a row is the source, then what the decoder has read.

Row layout (B,S+U): S source tokens, padded; then the decoder's input, which is the opening that the
model asks for (its start, the code of a language) and the reference but for its last token. δ stands on
the source, in training on the decoder's input too where `place` says so; at decoding there is no
reference to add it to. Both sides of the embeddings are as long as they enter the layers, so that ε
means the same on both.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from advlab.errors import ModelError, SettingError, unknown
from advlab.language import N_, _
from advlab.records import Dataset, Example
from advlab.records.reading import Reading
from advlab.settings import setting
from advlab.tasks import quoted, sequences
from advlab.tasks.base import Batch, Column, Explained, Model, Objective
from advlab.tasks.goals import GOALS, aimed
from advlab.tasks.output_vectors import heard, worst_output
from advlab.tasks.pieces import tiny_translator
from advlab.tasks.quoted import Said
from advlab.tasks.sequences import NONE
from advlab.tasks.tokens import Reader, Tokens, padded

EXPLAINED = sequences.EXPLAINED | {
    "loss": (N_("whole output"), N_("its mean loss, in nats per token"))
}


@dataclass(frozen=True)
class Translation:
    """Cross-entropy of the reference's tokens under teacher forcing, a mean over its own tokens.

    The output is (B,U,V) logits, −∞ for padding, which is never written; targets are `labels` (B,U),
    NONE where nothing is wanted, `mask` (B,S) of the source, and `training` (B,S+U), where δ may stand
    in training.
    """

    smoothing: float = setting(
        0.0, "Share of each label spread over all tokens, in training only", low=0.0, high=0.9
    )
    keep: float = setting(
        1.0,
        "Share of an answer's tokens that must stay the model's first choice; 1: any other breaks it",
        low=0.01,
        high=1.0,
    )
    place: Literal["source", "both"] = setting(
        "source", "Where δ stands in training: on the source, or on the decoder's input too"
    )
    mle: float = setting(
        0.0,
        "Adversarial MLE (Wang et al. 2019, arXiv:1906.03805): in training the output vector of each "
        "true token is at its worst within this share of its own length",
        low=0.0,
        high=1.0,
        advanced=True,
    )
    longest: int = setting(
        64, "Tokens of an answer; longer references are cut", unit="tokens", low=2, high=1024
    )

    name: ClassVar[str] = "translation"
    title: ClassVar[str] = N_("Translation")
    auto: ClassVar[str] = "AutoModelForSeq2SeqLM"
    named: ClassVar[bool] = False
    text: ClassVar[Column] = Column(N_("Source"), ("source", "src", "text", "en", "english"))
    beside: ClassVar[Column | None] = None
    reference: ClassVar[Column] = Column(
        N_("Translation"), ("target", "tgt", "translation", "reference", "de", "zh")
    )
    explains: ClassVar[Mapping[str, tuple[str, str]]] = EXPLAINED
    goals: ClassVar[Mapping[str, tuple[str, bool]]] = GOALS

    def head(self, data: Dataset) -> tuple[str, ...]:
        """None: a decoder writes any token."""
        return ()

    def chance(self, data: Dataset) -> float:
        """The entropy of the answers' words, split at blanks: guessing without the source."""
        return entropy([word for e in data.train for word in (e.answer or "").split()])

    def scratch(
        self, size: str, data: Dataset, *, seed: int = 0, max_length: int = 128
    ) -> tuple[Any, Any]:
        """A small BART with pieces of its own texts: model and tokenizer."""
        return tiny_translator(size, data, seed=seed, max_length=max_length)

    # ---- tensors --------------------------------------------------------------------------------

    def encode(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> Batch:
        """Examples -> a padded batch: source, then the decoder's input."""
        if not reader.opening:
            raise ModelError(
                _(
                    "expected a model that says what its decoder reads first "
                    "(decoder_start_token_id in its configuration), got one without; set it "
                    "and save the model again"
                )
            )
        return self._laid(tokens, sequences.wanted(examples, reader, self._most(reader)), reader)

    def _laid(self, tokens: Sequence[Tokens], known: list[list[int]], reader: Reader) -> Batch:
        rows = padded(tokens, reader.pad)
        opening = list(reader.opening)
        read = [opening + ids[:-1] for ids in known]
        labels = [[NONE] * (len(opening) - 1) + (ids or [NONE]) for ids in known]
        segment = [[-1] * len(opening) + [2] * (len(r) - len(opening)) for r in read]
        segment = torch.cat([rows.segment, sequences.block(segment, -1)], 1)
        source, decoder = segment == 0, segment == 2
        target = {
            "mask": rows.mask,
            "labels": sequences.block(labels, NONE),
            "training": source | decoder if self.place == "both" else source,
        }
        return Batch(
            torch.cat([rows.ids, sequences.block(read, reader.pad)], 1),
            torch.cat([rows.mask, sequences.block([[1] * len(r) for r in read], 0)], 1),
            source,
            segment,
            target,
            tuple(tokens),
        )

    def answer_lengths(self, examples: Sequence[Example], reader: Reader) -> list[int]:
        """The tokens of each reference, its end among them; 0 where none is known."""
        return [len(ids) for ids in sequences.wanted(examples, reader, self._most(reader))]

    def shortened(
        self, tokens: Sequence[Tokens], examples: Sequence[Example], reader: Reader
    ) -> str:
        """How many known translations are longer than the longest that is written."""
        whole = sequences.wanted(examples, reader, sys.maxsize)
        return sequences.cut_short(list(map(len, whole)), self._most(reader))

    def mistaken(
        self, batch: Batch, reader: Reader, generator: torch.Generator | None = None
    ) -> Batch:
        """Each source with the translation of another in the batch, the one most like its own."""
        wrong, differing = sequences.mistaken(batch.target["labels"])
        found = self._laid(batch.tokens, wrong, reader).to(batch.input_ids.device)
        return found.with_target(labels=differing(found.target["labels"]))

    def embed(self, model: Any, input_ids: Tensor, batch: Batch | None = None) -> Tensor:
        """(B,S+U) -> (B,S+U,D) as they enter the layers; without a batch (B,T) of a source."""
        S = input_ids.shape[-1] if batch is None else batch.target["mask"].shape[1]
        encoder, decoder = model.get_encoder(), model.get_decoder()
        source = encoder.get_input_embeddings()(input_ids[..., :S]) * scale_of(encoder)
        if input_ids.shape[-1] == S:
            return source
        read = decoder.get_input_embeddings()(input_ids[..., S:]) * scale_of(decoder)
        return torch.cat([source, read], -2)

    def forward(self, model: Any, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,S+U,D) -> (B,U,V)."""
        S = batch.target["mask"].shape[1]
        decoder = model.get_decoder()
        # Marian and Pegasus scale what their decoder is given, but not what their encoder is
        given = embeds[:, S:] / scale_of(decoder)
        with heard(model) as hidden:
            out = model(
                inputs_embeds=embeds[:, :S],
                attention_mask=batch.target["mask"],
                decoder_inputs_embeds=given,
                use_cache=False,
            )
        logits = _written(model, out.logits)
        if self.mle and model.training:
            return worst_output(model, logits, hidden[-1], batch.target["labels"], self.mle)
        return logits

    def from_ids(self, model: Any, batch: Batch) -> Tensor:
        """(1,U,V) of one unpadded text."""
        S = batch.target["mask"].shape[1]
        out = model(
            input_ids=batch.input_ids[:, :S],
            attention_mask=batch.target["mask"],
            decoder_input_ids=batch.input_ids[:, S:],
            use_cache=False,
        )
        return _written(model, out.logits)

    def probes(self, reader: Reader) -> Sequence[Example]:
        """Three texts of different length, with answers of different length."""
        texts = ("a first sentence", "a second, longer sentence to be padded against", "short")
        answers = ("another", "one", "a somewhat longer answer")
        return [Example(t, t, (a,)) for t, a in zip(texts, answers, strict=True)]

    def loss(self, out: Tensor, batch: Batch, training: bool = False) -> Tensor:
        """(B,U,V) -> (B,) nats per token; smoothed in training alone."""
        smoothing = self.smoothing if training else 0.0
        return sequences.loss(out, batch.target["labels"], smoothing)

    def scores(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,2) of the token that decides, and its best rival."""
        return sequences.scores(out, batch.target["labels"], self.keep)

    def divergence(self, p: Tensor, q: Tensor, batch: Batch) -> Tensor:
        """KL(p‖q) of each example's two outputs, per token: (B,)."""
        return sequences.divergence(p, q, batch.target["labels"])

    def astray(self, out: Tensor, batch: Batch) -> Tensor:
        """(B,) bool: greedy decoding writes something else than the reference."""
        return sequences.astray(out, batch.target["labels"])

    def aimed(self, goal: str, victim: Model, batch: Batch, reader: Reader) -> Objective:
        """What an attack raises that aims at one of `GOALS`."""
        return aimed(goal, victim, batch, reader)

    def settle(self, read: Iterable[tuple[Tensor, Batch]]) -> Translation:
        """As it is: nothing is chosen by validation texts."""
        return self

    # ---- people ---------------------------------------------------------------------------------

    def answers(self, model: Any, embeds: Tensor, batch: Batch, reader: Reader) -> list[str]:
        """The greedy translations under a fixed δ on the source."""
        return [sequences.spelled(ids, reader) for ids in self.decode(model, embeds, batch, reader)]

    def decode(
        self, model: Any, embeds: Tensor, batch: Batch, reader: Reader, *, beams: int = 1
    ) -> list[list[int]]:
        """(B,S+U,D) -> the ids that are written, greedily or by a beam search; no gradient.

        The encoder runs once, on the source as it is perturbed; what the decoder has written enters
        unperturbed. The model's own generation settings are not heard: they would make a greedy answer
        differ from the first choices that attacks are judged by.
        """
        mask = batch.target["mask"]
        opening = torch.tensor([reader.opening], device=embeds.device).expand(len(batch), -1)
        longest = self._most(reader)
        with torch.no_grad():
            seen = model.get_encoder()(
                inputs_embeds=embeds[:, : mask.shape[1]], attention_mask=mask
            )
            if beams > 1:
                return _beams(model, seen, mask, opening, reader, longest, beams)
            kept: dict[str, Any] = {}  # keys and values of what is written

            def step(ids: Tensor) -> Tensor:
                out = model(
                    encoder_outputs=seen,
                    attention_mask=mask,
                    decoder_input_ids=ids,
                    use_cache=True,
                    **kept,
                )
                name = "cache" if hasattr(out, "cache") else "past_key_values"  # before 5.24
                kept[name] = getattr(out, name)
                return _written(model, out.logits[:, -1])

            return sequences.greedy(step(opening), step, reader.ending, longest)

    def read(
        self, out: Tensor, batch: Batch, held_out: Tensor, held: Batch, reader: Reader
    ) -> Reading:
        """N versions; `parts` as `sequences.read` tells them."""
        labels = batch.target["labels"], held.target["labels"]
        return sequences.read(out, labels[0], held_out, labels[1], self.keep, reader)

    def explained(
        self, kind: str, out: Tensor, batch: Batch, reader: Reader, **of: str | int | None
    ) -> Explained:
        """One token of the reference, that token against a foil, or the whole of it.

        `of` and `against` are those of `sequences.explained`.
        """
        if kind not in EXPLAINED:
            raise SettingError(unknown("target", kind, EXPLAINED))
        labels = batch.target["labels"][:1]
        if kind == "loss":
            return Explained(
                _("mean loss of the output, in nats per token"),
                lambda o: sequences.loss(o, labels.expand(len(o), -1)),
                sequences.spelled(labels[labels != NONE].tolist(), reader),
            )
        return sequences.explained(kind, out, batch, reader, **of)

    def quality(self, answer: str, example: Example) -> dict[str, float]:
        """Exact match, and chrF (0 to 100) as sacrebleu counts it for one sentence."""
        from advlab.tasks.bleu import chrf_of, exact

        return {
            "exact": float(any(exact(answer, known) for known in example.answers)),
            "chrf": chrf_of(answer, example.answers),
        }

    def lengths(self, batch: Batch) -> Tensor:
        """(B,) tokens of each reference, its end among them."""
        return sequences.count(batch.target["labels"])

    def figures(
        self, said: Sequence[Said], clean: Sequence[Said], examples: Sequence[Example]
    ) -> list[quoted.Figure]:
        """BLEU and chrF of sacrebleu, exact match, and how many answers changed."""
        from advlab.tasks.bleu import corpus_figures, exact

        pairs = zip(said, examples, strict=True)
        right = [any(exact(s.answer, known) for known in e.answers) for s, e in pairs]
        return [
            *corpus_figures([s.answer for s in said], [e.answers for e in examples]),
            quoted.share(_("exact match"), right),
            quoted.changed(said, clean),
        ]

    def _most(self, reader: Reader) -> int:
        return min(self.longest, reader.max_length)


def scale_of(stack: Any) -> float:
    """What a stack multiplies the rows of its table with, where its embedding module does not."""
    if hasattr(stack.get_input_embeddings(), "embed_scale"):
        return 1.0  # BART, mBART, M2M100: the module's output is scaled already
    return float(getattr(stack, "embed_scale", 1.0) or 1.0)


def _written(model: Any, logits: Tensor) -> Tensor:
    """The logits (…,V) without padding, which some models would write first of all."""
    pad, end = model.config.pad_token_id, model.config.eos_token_id
    if pad is None or pad in (end if isinstance(end, list) else [end]):
        return logits
    # in place: of a large vocabulary a copy costs as much as the layer itself
    return logits.index_fill_(-1, torch.tensor(pad, device=logits.device), -torch.inf)


def _beams(
    model: Any, seen: Any, mask: Tensor, opening: Tensor, reader: Reader, longest: int, beams: int
) -> list[list[int]]:
    bare = copy.copy(model)  # the same weights, without the checkpoint's habits
    bare.generation_config = type(model.generation_config)()
    found = bare.generate(
        encoder_outputs=copy.copy(seen),
        attention_mask=mask,
        decoder_input_ids=opening,
        num_beams=beams,
        do_sample=False,
        max_new_tokens=longest,
        suppress_tokens=None if reader.pad == reader.ending else [reader.pad],
        pad_token_id=reader.pad,
        eos_token_id=reader.ending,
        decoder_start_token_id=reader.opening[0],
    )
    rows = found[:, opening.shape[1] :].tolist()
    end = reader.ending
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def entropy(words: Sequence[str]) -> float:
    """Of the shares of words, in nats."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    total = max(len(words), 1)
    return -sum(n / total * math.log(n / total) for n in counts.values())
