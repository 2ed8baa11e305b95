"""The model under study: load, save, embed, forward from embeddings, the vocabulary as vectors.

Every victim passes the identity check when it is made: what it makes of token ids equals what it makes
of the embeddings of those ids, padded or not.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advlab.errors import ModelError, SettingError
from advlab.language import _
from advlab.model.card import write_card
from advlab.model.folder import open_folder, told_as_model_errors
from advlab.model.sources import _quiet
from advlab.model.tokenizer import check_tokenizer, ends_of, most_tokens
from advlab.model.unseen import write_words
from advlab.model.vocabulary import Vocabulary, measured_scale
from advlab.records import Example, Scale
from advlab.records.reading import Reading, joined
from advlab.settings import plain
from advlab.tasks import Batch, Objective, Reader, Task, Tokens, build_task
from advlab.tasks.base import LaysOut, Shortens, Writes, alike, carried
from advlab.tasks.names import named_alike, told

IDENTITY_TOLERANCE = 1e-4  # largest difference of outputs, relative to their size, float32
CHUNK = 128  # rows of one forward pass that reads


class Victim:
    """A model with its tokenizer and its task, as attacks and training see it.

    Not safe to share between threads while it trains; for analysis each caller takes a `view()`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        head: Sequence[str] = (),
        name: str,
        max_length: int = 128,
        task: Task | None = None,
        scale: Scale | None = None,
        known: frozenset[str] | None = None,
        check: bool = True,
        notes: Sequence[str] = (),
    ) -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.known = known  # the words of its training texts; None where nobody knows them
        self.notes = tuple(notes)  # what a person should know of how it was loaded
        self.task = task or build_task("classification")
        self.head = tuple(head)  # the answers that the model's head knows, in order
        self._scale, self._hash = scale, ""
        self._table: Tensor | None = None
        rows = model.get_input_embeddings().weight.shape[0]
        check_tokenizer(tokenizer, rows, name)
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        self.most_tokens = most_tokens(model.config, tokenizer)  # it can read; None: any number
        # in windows any number of tokens is read
        most = None if getattr(self.task, "window", 0) else self.most_tokens
        self.max_length = min(max_length, most or max_length)
        self.reader = self._reader()
        self.vocabulary = Vocabulary(tokenizer, rows)
        if check:
            self.check_identity()

    def _reader(self) -> Reader:
        known: dict[str, Any] = {"head": self.head} | ends_of(self.model)
        if isinstance(self.task, LaysOut):
            return self.task.reader(self.tokenizer, self.max_length, self.most_tokens, **known)
        return Reader(self.tokenizer, self.max_length, **known)

    # ---- loading and saving -----------------------------------------------------------------

    @staticmethod
    def load(
        source: str | Path,
        *,
        task: Task | None = None,
        head: Sequence[str] | None = None,
        max_length: int | None = None,
        device: str = "cpu",
        name: str | None = None,
        seed: int = 0,
    ) -> Victim:
        """A saved advlab model, a local Hugging Face folder, a hub name, or "minilm".

        `task`: that of the model's card, else classification. `head`: answers that it is to be trained
        on; a head that does not know them is replaced by a new one, drawn from `seed`, and `notes`
        say so. Without `head`, a model whose weights are not all there is refused. Weights are read
        from safetensors only and no remote code runs. ModelError says what was wrong.
        """
        with told_as_model_errors(str(source)):
            found = open_folder(
                str(source), task=task, head=head, max_length=max_length, name=name, seed=seed
            )
            return Victim(
                found.model.to(device),
                found.tokenizer,
                head=found.head,
                name=found.name,
                max_length=found.max_length,
                task=found.task,
                scale=found.scale,
                known=found.known,
                notes=found.notes,
            )

    def save(
        self, folder: str | Path, *, name: str | None = None, scale: Scale | None = None
    ) -> None:
        """A Hugging Face folder that transformers opens without advlab.

        `name` and `scale` stand in its card in place of the victim's own.
        """
        folder = Path(folder)
        if self.head:
            self.model.config.id2label = dict(enumerate(self.head))
            self.model.config.label2id = {n: i for i, n in enumerate(self.head)}
        if self.most_tokens:  # so that others who read the folder cut and pad texts to fit
            self.tokenizer.model_max_length = self.most_tokens
        with _quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        write_words(folder, self.known)
        card = {
            "name": name or self.name,
            "task": {"name": self.task.name} | plain(self.task),
            "head": self.head,
            "max_length": self.max_length,
            "scale": vars(scale or self.scale),
        }
        # anew, since training moves the weights; and as `load` will read them
        state = self.model.state_dict().items()
        read = {k: v.float() if v.is_floating_point() else v for k, v in state}
        write_card(folder, card, _hash_of(read))

    # ---- text to tensors --------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.model.parameters()).device

    def encode(
        self, examples: Sequence[Example | str], tokens: Sequence[Tokens] | None = None
    ) -> Batch:
        """Examples or bare texts -> a batch on the model's device. `tokens`: theirs, where made."""
        made = [Example(str(i), e) if isinstance(e, str) else e for i, e in enumerate(examples)]
        tokens = self.reader.tokens_of(made) if tokens is None else tokens
        return self.task.encode(tokens, made, self.reader).to(self.device)

    def unread(
        self, examples: Sequence[Example], tokens: Sequence[Tokens] | None = None
    ) -> list[str]:
        """What of these examples the model never reads, in sentences. `tokens`: theirs, where made."""
        tokens = self.reader.tokens_of(examples) if tokens is None else tokens
        found, cut = [], sum(t.cut for t in tokens)
        if cut:
            found.append(
                _(
                    "{cut:,} of {n:,} texts are longer than {max_length} tokens: {left_out}",
                    cut=cut,
                    n=len(examples),
                    max_length=self.max_length,
                    left_out=_(self.reader.left_out),
                )
            )
        if isinstance(self.task, Shortens):
            found.append(self.task.shortened(tokens, examples, self.reader))
        return [one for one in found if one]

    def answers(self, embeds: Tensor, batch: Batch) -> list[str]:
        """(B,T,D) -> what the model answers to each of B texts."""
        with torch.no_grad():
            return self.task.answers(self.model, embeds, batch, self.reader)

    # ---- forward ----------------------------------------------------------------------------

    def embed(self, what: Batch | Tensor) -> Tensor:
        """A batch, or ids of the text (B,T) -> (B,T,D): what the embedding layer really gives."""
        if isinstance(what, Batch):
            return self.task.embed(self.model, what.input_ids, what)
        return self.task.embed(self.model, what)

    def output(self, embeds: Tensor, batch: Batch) -> Tensor:
        """(B,T,D) -> (B,…), what the task reads."""
        return self.task.forward(self.model, embeds, batch)

    def objective(
        self, batch: Batch, *, targeted: bool = False, training: bool = False
    ) -> Objective:
        """The loss (B,T,D) -> (B,) of this batch; `training` with what the task adds there."""
        return Objective(self, batch, targeted=targeted, training=training)

    @torch.no_grad()
    def read(self, embeds: Tensor, batch: Batch, held: Batch | None = None) -> Reading:
        """A reading of N versions (N,T,D) of the batch's rows, or of its only row.

        `held` refers to the answer that must stand, where that is not the batch's reference.
        """
        held = held or batch
        rows = []
        for start in range(0, len(embeds), CHUNK):
            part = embeds[start : start + CHUNK]
            places = torch.arange(start, start + len(part), device=embeds.device)
            here, there = (
                b.repeat(len(part)) if len(b) == 1 else b.take(places) for b in (batch, held)
            )
            rows.append(self.reading(self.output(part, here), part, here, there))
        return joined(rows)

    @torch.no_grad()
    def reading(self, out: Tensor, embeds: Tensor, batch: Batch, held: Batch) -> Reading:
        """What the task reads of the output (N,…) of N versions (N,T,D), as `read` does.

        Where the output does not tell the whole answer, the model writes it.
        """
        held_out = self.output_held(out, embeds, batch, held)
        found = self.task.read(out, batch, held_out, held, self.reader)
        if not isinstance(self.task, Writes):
            return found
        rows = self.task.astray(held_out, held).nonzero().flatten()
        if not len(rows):
            return found
        said = dict(zip(rows.tolist(), self.answers(embeds[rows], batch.take(rows)), strict=True))
        return replace(found, answers=tuple(said.get(i, a) for i, a in enumerate(found.answers)))

    def output_held(self, out: Tensor, embeds: Tensor, batch: Batch, held: Batch) -> Tensor:
        """The output (B,…) for `held`: the batch's texts with another answer, perturbed alike.

        `out`, that of the batch at `embeds` (B,T,D), serves where the model does not read the answer.
        """
        if alike(batch, held):
            return out
        return self.output(carried(embeds, batch, self.embed(held), held), held)

    def check_identity(self) -> None:
        """Raise ModelError unless ids and their embeddings give the same output, padded or not."""
        probes = self.task.probes(self.reader)
        with self.analysing(), torch.no_grad():
            try:
                batch = self.encode(probes)
                scores = self.task.scores(self.output(self.embed(batch), batch), batch)
                worst = 0.0
                for i, probe in enumerate(probes):  # one by one: no padding, no pooling question
                    alone = self.encode([probe])
                    theirs = self.task.from_ids(self.model, alone)
                    mine = self.output(self.embed(alone), alone)
                    if mine.shape != theirs.shape:
                        raise ModelError(
                            _(
                                "{name}: expected an output of shape {wanted}, got {came} from "
                                "embeddings; this architecture is not supported",
                                name=self.name,
                                wanted=tuple(theirs.shape),
                                came=tuple(mine.shape),
                            )
                        )
                    wanted = self.task.scores(theirs, alone)
                    worst = max(
                        worst,
                        _apart(mine, theirs),
                        _apart(scores[i : i + 1, : wanted.shape[1]], wanted),
                    )
            except ModelError:
                raise
            except Exception as error:  # a model's own code, given what it was not written for
                raise ModelError(
                    _(
                        "{name}: expected a model that runs from embeddings (inputs_embeds), got "
                        "{error}: {reason}; choose an encoder or a decoder classifier",
                        name=self.name,
                        error=type(error).__name__,
                        reason=(str(error).splitlines() or [""])[0],
                    )
                ) from error
        if not worst <= IDENTITY_TOLERANCE:
            raise ModelError(
                _(
                    "{name}: expected the same logits from ids and from their embeddings, got a "
                    "difference of {worst:.2g}; perturbations of this architecture would not mean "
                    "what they say, so it is refused",
                    name=self.name,
                    worst=worst,
                )
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

    def forget(self) -> None:
        """Take the table and the hash anew when they are next asked for: the weights have moved."""
        self._table, self._hash = None, ""

    @property
    def kinds(self) -> Tensor:
        """(V,) as the vocabulary's, on the model's device."""
        return self.vocabulary.kinds.to(self.device)

    @property
    def ordinary(self) -> Tensor:
        """(V,) bool: entries that text can hold."""
        return self.vocabulary.ordinary.to(self.device)

    @property
    def scale(self) -> Scale:
        """Lengths that ε is measured by: those recorded when training began, else today's.

        They stay fixed through training, so that a model cannot escape ε by growing its embeddings.
        """
        if self._scale is None:
            self._scale = self.measure_scale()
        return self._scale

    def measure_scale(self) -> Scale:
        """The lengths of ordinary rows, right now."""
        return measured_scale(self.table[self.ordinary])

    @torch.no_grad()
    def normalise_table(self) -> None:
        """Every non-zero embedding row to length 1, in place."""
        weight = self.model.get_input_embeddings().weight
        weight.div_(weight.norm(dim=1, keepdim=True).clamp_min(1e-6))

    # ---- names ------------------------------------------------------------------------------

    def naming(self, names: Sequence[str]) -> Victim:
        """This model with its answers called as data calls them, and a note where that differs.

        The data may lack some of them. SettingError where it has others.
        """
        head = named_alike(self.head, names, part=True)
        if head is None:
            raise SettingError(
                _(
                    "expected data with the classes of {name} ({head}), got {names}; choose "
                    "data with the same labels",
                    name=self.name,
                    head=", ".join(self.head),
                    names=", ".join(names),
                )
            )
        if head == self.head:
            return self
        twin = copy.copy(self)
        twin.head = head
        twin.reader = twin._reader()
        twin.notes = (*self.notes, told(self.head, head))
        return twin

    def called(self, name: str) -> Victim:
        """This model under another name; all else is shared."""
        twin = copy.copy(self)
        twin.name = name
        return twin

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
        twin.forget()
        return twin

    @contextlib.contextmanager
    def analysing(self) -> Iterator[None]:
        """Evaluation mode without parameter gradients; both restored on exit, after errors too."""
        modes = [(module, module.training) for module in self.model.modules()]
        wanted = [(p, p.requires_grad) for p in self.model.parameters()]
        try:
            self.model.eval()
            for parameter, __ in wanted:
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
            self._hash = _hash_of(self.model.state_dict())
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


def _hash_of(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _apart(mine: Tensor, theirs: Tensor) -> float:
    """The largest difference where both are finite, relative to the size of the second."""
    both = mine.isfinite() & theirs.isfinite()
    size = theirs[both].abs().max().clamp_min(1.0)
    return float((mine - theirs)[both].abs().max() / size)
