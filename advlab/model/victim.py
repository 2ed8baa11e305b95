"""The model under study: load, save, embed, forward from embeddings, the vocabulary as vectors.

The only module that knows transformers. Every victim passes the identity check when it is made:
its logits from token ids equal its logits from the embeddings of those ids.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advlab.errors import ModelError
from advlab.model.sources import _locate, _quiet
from advlab.records import Example, Scale
from advlab.tasks import Batch, Classification, Objective

CARD = "advlab.json"  # what advlab keeps beside the weights
IDENTITY_TOLERANCE = 1e-4  # largest difference of logits, relative to their size, float32
PROBES = ("a first sentence", "a second, longer sentence to be padded against", "short")


class Victim:
    """A classifier with its tokenizer, as attacks and training see it.

    Not safe to share between threads while it trains; for analysis each caller takes a `view()`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        label_names: Sequence[str],
        name: str,
        max_length: int = 128,
        task: Classification | None = None,
        scale: Scale | None = None,
        check: bool = True,
    ) -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.task = task or Classification()
        self.label_names = tuple(label_names)
        self._scale, self._hash = scale, ""
        self._table: Tensor | None = None
        self._kinds: Tensor | None = None
        if tokenizer.pad_token is None:  # as in GPT-2 and Llama; the mask hides what stands there
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        tokenizer.padding_side = "right"
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        positions = getattr(model.config, "max_position_embeddings", None) or max_length + 2
        # RoBERTa kinds start counting after the padding index, which costs two positions
        self.max_length = min(max_length, max(positions - 2, 4))
        if check:
            self.check_identity()

    # ---- loading and saving -----------------------------------------------------------------

    @staticmethod
    def load(
        source: str | Path,
        *,
        task: Classification | None = None,
        label_names: Sequence[str] | None = None,
        max_length: int | None = None,
        device: str = "cpu",
        name: str | None = None,
    ) -> Victim:
        """A saved advlab model, a local Hugging Face folder, a hub name, or "minilm".

        `label_names` makes a new head when the checkpoint has another number of classes. Weights
        are read from safetensors only and no remote code runs. ModelError says what was wrong.
        """
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        folder = _locate(str(source))
        card_file = Path(folder) / CARD
        card = json.loads(card_file.read_text()) if card_file.is_file() else {}
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            config = AutoConfig.from_pretrained(folder, **local)
            names = list(label_names or card.get("label_names") or _head_names(config))
            config.num_labels = len(names)
            config.id2label = dict(enumerate(names))
            config.label2id = {n: i for i, n in enumerate(names)}
            tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            with _quiet():
                model = AutoModelForSequenceClassification.from_pretrained(
                    folder,
                    config=config,
                    use_safetensors=True,
                    ignore_mismatched_sizes=True,
                    dtype=torch.float32,
                    **local,
                )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise ModelError(
                f"expected a text model with safetensors weights at {source}, got: "
                f"{str(error).splitlines()[0]}; give the folder that save_pretrained wrote"
            ) from error
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"expected a fast tokenizer with {source}, got {type(tokenizer).__name__}; save one "
                "with tokenizer.json (AutoTokenizer.from_pretrained(…, use_fast=True))"
            )
        return Victim(
            model.to(device).eval(),
            tokenizer,
            label_names=names,
            name=name or card.get("name") or Path(str(source)).name,
            max_length=max_length or card.get("max_length", 128),
            task=task,
            scale=Scale(**card["scale"]) if "scale" in card else None,
        )

    def save(
        self, folder: str | Path, *, name: str | None = None, scale: Scale | None = None
    ) -> None:
        """A Hugging Face folder that `AutoModelForSequenceClassification` opens without advlab.

        `name` and `scale` stand in its card in place of the victim's own.
        """
        folder = Path(folder)
        self.model.config.id2label = dict(enumerate(self.label_names))
        self.model.config.label2id = {n: i for i, n in enumerate(self.label_names)}
        with _quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        card = {
            "name": name or self.name,
            "label_names": self.label_names,
            "max_length": self.max_length,
            "scale": vars(scale or self.scale),
        }
        (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False))

    # ---- text to tensors --------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    def tokenise(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Texts -> input_ids, attention_mask (B,T) long and special (B,T) bool, right-padded."""
        found = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_length,
            padding=True,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        ids, special = found["input_ids"], found["special_tokens_mask"].bool()
        # a user who types "[SEP]" gets the special token, which the tokenizer's mask does not mark;
        # an unknown word is still a word
        marks = set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}
        special |= torch.isin(ids, torch.tensor(sorted(marks), dtype=ids.dtype))
        return ids, found["attention_mask"], special

    def encode(self, examples: Sequence[Example | str]) -> Batch:
        """Examples or bare texts -> a batch on the model's device."""
        made = [Example(str(i), e) if isinstance(e, str) else e for i, e in enumerate(examples)]
        return self.task.collate(self, made)

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        """Vocabulary entries as people read them; a joined word piece keeps its ##."""
        shown = []
        for token, i in zip(self.tokenizer.convert_ids_to_tokens(list(ids)), ids, strict=True):
            text = token if token is not None else f"<{i}>"
            if text[:1] in "ĠĊ▁" or not text.isascii():  # byte-level and SentencePiece marks
                text = self.tokenizer.decode([i]).strip() or repr(self.tokenizer.decode([i]))
            shown.append(text)
        return shown

    # ---- forward ----------------------------------------------------------------------------

    def embed(self, input_ids: Tensor) -> Tensor:
        """(B,T) -> (B,T,D): what the embedding layer really gives, scaling included."""
        return self.model.get_input_embeddings()(input_ids)

    def logits(self, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,C)."""
        head = getattr(self.model, "score", None)
        if not isinstance(head, nn.Linear):
            return self.model(inputs_embeds=embeds, attention_mask=batch.attention_mask).logits
        # Decoder classifiers look for the last token by its id and, given embeddings, take the
        # padding instead (transformers only warns). So: base model, then the last real position.
        hidden = self.model.base_model(inputs_embeds=embeds, attention_mask=batch.attention_mask)
        last = batch.attention_mask.sum(1) - 1
        rows = torch.arange(len(batch), device=embeds.device)
        return head(hidden.last_hidden_state[rows, last])

    def objective(self, batch: Batch, *, targeted: bool = False) -> Objective:
        """The loss (B,T,D) -> (B,) of this batch."""
        return self.task.objective(self, batch, targeted=targeted)

    @torch.no_grad()
    def probs(self, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,C) probabilities, no gradient."""
        return self.logits(embeds, batch).softmax(-1)

    def check_identity(self) -> None:
        """Raise ModelError unless ids and their embeddings give the same logits, padded or not."""
        with self.analysing():
            batch = self.encode(PROBES)
            try:
                with torch.no_grad():
                    mine = self.logits(self.embed(batch.input_ids), batch)
                    theirs = []
                    for i in range(len(batch)):  # one by one and unpadded: no pooling question
                        T = int(batch.attention_mask[i].sum())
                        ids = batch.input_ids[i : i + 1, :T]
                        mask = batch.attention_mask[i : i + 1, :T]
                        theirs.append(self.model(input_ids=ids, attention_mask=mask).logits)
                    reference = torch.cat(theirs)
            except (NotImplementedError, TypeError, ValueError, RuntimeError) as error:
                raise ModelError(
                    f"{self.name}: expected a model that runs from embeddings (inputs_embeds), got "
                    f"{type(error).__name__}: {str(error).splitlines()[0]}; "
                    "choose an encoder or a decoder classifier"
                ) from error
        if mine.shape != reference.shape:
            raise ModelError(
                f"{self.name}: expected logits of shape {tuple(reference.shape)}, got "
                f"{tuple(mine.shape)} from embeddings; this architecture is not supported"
            )
        worst = float((mine - reference).abs().max() / reference.abs().max().clamp_min(1.0))
        if not worst <= IDENTITY_TOLERANCE:
            raise ModelError(
                f"{self.name}: expected the same logits from ids and from their embeddings, got a "
                f"difference of {worst:.2g}; perturbations of this architecture would not mean "
                "what they say, so it is refused"
            )

    # ---- the vocabulary ---------------------------------------------------------------------

    @property
    def table(self) -> Tensor:
        """(V,D): the embedding of every vocabulary entry, as the model sees it; detached."""
        weight = self.model.get_input_embeddings().weight
        if self._table is None or self.model.training:
            with torch.no_grad():
                self._table = self.embed(
                    torch.arange(weight.shape[0], device=weight.device)
                ).detach()
        return self._table

    @property
    def ordinary(self) -> Tensor:
        """(V,) bool: entries that text can hold; special, unused and padding rows are not."""
        return self.kinds > 0

    @property
    def kinds(self) -> Tensor:
        """(V,) 0 where an entry may not stand in a text, 1 where it begins a word, 2 where it is a
        piece that joins the one before it."""
        if self._kinds is None:
            V = self.model.get_input_embeddings().weight.shape[0]
            kinds = torch.zeros(V, dtype=torch.long)
            special = set(self.tokenizer.all_special_ids)
            for token, i in self.tokenizer.get_vocab().items():
                if i < V and i not in special and not token.startswith("[unused"):
                    kinds[i] = 2 if token.startswith("##") else 1
            self._kinds = kinds
        return self._kinds.to(self.device)

    @property
    def scale(self) -> Scale:
        """Lengths that ε is measured by: those recorded when training began, else today's.

        They stay fixed through training, so that a model cannot escape ε by growing its embeddings.
        """
        if self._scale is None:
            self._scale = self.measure_scale()
        return self._scale

    def measure_scale(self) -> Scale:
        """Mean length and median half nearest-neighbour distance of ordinary rows, right now.

        Above 4,096 rows the median is taken over an evenly spaced sample of that many.
        """
        rows = self.table[self.ordinary].float()
        sample = rows[:: -(-len(rows) // 4096)]
        nearest = []
        for chunk in sample.split(512):
            distance = torch.cdist(chunk, rows)
            # the two smallest: the row itself, at 0, and its nearest other
            nearest.append(distance.topk(2, largest=False).values[:, 1])
        return Scale(float(rows.norm(dim=1).mean()), float(torch.cat(nearest).median()) / 2)

    @torch.no_grad()
    def normalise_table(self) -> None:
        """Every non-zero embedding row to length 1, in place."""
        weight = self.model.get_input_embeddings().weight
        weight.div_(weight.norm(dim=1, keepdim=True).clamp_min(1e-6))

    # ---- sharing ----------------------------------------------------------------------------

    def view(self) -> Victim:
        """A copy that shares the weights but owns its flags and hooks: milliseconds, no memory.

        In evaluation mode, without parameter gradients. What happens to the view's mode, hooks,
        `requires_grad` or `.grad` leaves this victim alone.
        """
        shared: dict[int, Tensor] = {id(b): b for b in self.model.buffers()}
        for p in self.model.parameters():  # new parameters over the same storage
            shared[id(p)] = nn.Parameter(p.data, requires_grad=False)
        twin = copy.copy(self)
        twin.model = copy.deepcopy(self.model, shared).eval()
        return twin

    def apart(self) -> Victim:
        """A copy with weights of its own, in evaluation mode; tokenizer and scale are shared."""
        twin = copy.copy(self)
        twin.model = copy.deepcopy(self.model).eval().requires_grad_(False)
        twin._table, twin._hash = None, ""
        return twin

    @contextlib.contextmanager
    def analysing(self) -> Iterator[None]:
        """Evaluation mode without parameter gradients; both restored on exit, after errors too."""
        modes = [(module, module.training) for module in self.model.modules()]
        wanted = [(p, p.requires_grad) for p in self.model.parameters()]
        try:
            self.model.eval()
            for parameter, _ in wanted:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, training in modes:
                module.training = training
            for parameter, requires in wanted:
                parameter.requires_grad_(requires)

    @property
    def hash(self) -> str:
        """12 hex digits of the weights, by name; taken once, so not while training."""
        if not self._hash:
            digest = hashlib.sha256()
            for name, tensor in sorted(self.model.state_dict().items()):
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
            self._hash = digest.hexdigest()[:12]
        return self._hash

    @cached_property
    def tokenizer_hash(self) -> str:
        """12 hex digits of how text is split into which rows."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            rules = repr(sorted(self.tokenizer.get_vocab().items()))
        else:  # how long a text may be is set anew by each call
            found = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
            rules = json.dumps(found, sort_keys=True)
        return hashlib.sha256(rules.encode("utf-8", "replace")).hexdigest()[:12]


def _head_names(config: Any) -> list[str]:
    names = getattr(config, "id2label", None) or {0: "LABEL_0", 1: "LABEL_1"}
    return [str(names[i]) for i in sorted(names)]
