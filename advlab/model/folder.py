"""A model folder opened: its configuration, weights and tokenizer, each checked and fit to each other.

What transformers raises on a broken folder has many types; here it is always a ModelError. Nothing
that the folder lacks is made up, but for a new head that is to be trained, which is told.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from advlab.errors import ModelError
from advlab.language import _
from advlab.model.card import read_card
from advlab.model.files import check_files, weight_shapes
from advlab.model.sources import _locate, _quiet
from advlab.model.tokenizer import open_tokenizer
from advlab.model.unseen import read_words
from advlab.model.weights import above_body, check_finite, draw_head, new_parameters
from advlab.records import Scale
from advlab.tasks import Task, build_task
from advlab.tasks.names import named_alike, told

ONE_CLASS = (None, "single_label_classification")
BEAMS = tuple(f"{name}ForQuestionAnswering" for name in ("XLNet", "XLM", "Flaubert"))
SPARE = 10**8  # numbers that a model may have beyond four times those of its files


@dataclass(frozen=True)
class Opened:
    """What a folder holds."""

    model: Any  # on the CPU, in evaluation mode, float32
    tokenizer: Any
    task: Task
    head: tuple[str, ...]  # the answers that the head knows, in its order
    name: str
    max_length: int
    scale: Scale | None
    known: frozenset[str] | None  # the words of its training texts; None where nobody knows them
    notes: tuple[str, ...]  # what a person should know: a new head, names that were matched


@contextlib.contextmanager
def told_as_model_errors(source: str) -> Iterator[None]:
    """Whatever fails within is a ModelError that names `source`."""
    try:
        yield
    except ModelError:
        raise
    except BaseException as error:
        # a library in Rust panics with an exception that is none of Exception's
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        lines = str(error).strip().splitlines() or [_("no reason given")]
        raise ModelError(
            _(
                "expected a text model with safetensors weights at {source}, got {name}: "
                "{lines}; give the folder that save_pretrained wrote",
                source=source,
                name=type(error).__name__,
                lines=lines[0][:300],
            )
        ) from error


def open_folder(
    source: str,
    *,
    task: Task | None = None,
    head: Sequence[str] | None = None,
    max_length: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Opened:
    """The model of a folder, a hub name or "minilm"; ModelError says what was wrong.

    With `head`, the answers that it is to be trained on, the folder may lack a head, or have one for
    other answers: it is then drawn from `seed`. One that knows these answers, by any of their names,
    keeps its weights and its order. Without `head` every weight must be there.
    """
    folder = Path(_locate(source))
    check_files(folder)
    card = read_card(folder)
    task = task or build_task(**card.get("task", {"name": "classification"}))
    config = _config(folder)
    own = _own_names(config, card, task)
    if head is None:
        _refuse_beams(config, source)
    if task.named and head is None:
        _check_classes(own, config, source)
    alike = named_alike(own, head) if head and config.problem_type in ONE_CLASS else None
    names = tuple(alike or head or own)
    _name_classes(config, names)
    called = name or card.get("name") or Path(source).name
    model, report = _load(folder, config, task, seed)
    new = new_parameters(model, report, called, training=head is not None)
    note = told(own, names) if alike else ""
    if new and not task.named:
        note = _("the head is new, drawn from seed {seed}: {new}", seed=seed, new=", ".join(new))
    if head and (new or not alike):
        if not any(above_body(model, key) for key in new):  # it has a head, for other answers
            new += draw_head(model, seed)
        names = tuple(head)
        _name_classes(model.config, names)
        note = _(
            "the head is new, drawn from seed {seed}: {new}", seed=seed, new=", ".join(sorted(new))
        )
    check_finite(model, called)
    return Opened(
        model.eval(),
        open_tokenizer(str(folder)),
        task,
        names,
        called,
        max_length or card.get("max_length", 128),
        Scale(**card["scale"]) if "scale" in card else None,
        read_words(folder),
        (note,) if note else (),
    )


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _load(folder: Path, config: Any, task: Task, seed: int) -> tuple[Any, dict[str, Any]]:
    """The model and transformers' report on which weights it found; what is new is from `seed`."""
    import transformers

    opener = getattr(transformers, task.auto)
    with _quiet(), torch.random.fork_rng(devices=[]):
        with torch.device("meta"):  # shapes alone, no memory
            planned = opener.from_config(config)
        _check_size(folder, planned)
        torch.manual_seed(seed)
        return opener.from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )


def _check_size(folder: Path, planned: Any) -> None:
    """ModelError where the configuration describes far more numbers than the files hold."""
    held = sum(math.prod(shape) for shape in weight_shapes(folder).values())
    wanted = sum(t.numel() for t in (*planned.parameters(), *planned.buffers()))
    if wanted > 4 * held + SPARE:
        raise ModelError(
            _(
                "expected a configuration for the {held:,} numbers of the weights in {folder}, got one"
                " for {wanted:,}; give the config.json that belongs to them",
                held=held,
                folder=folder,
                wanted=wanted,
            )
        )


def _own_names(config: Any, card: dict[str, Any], task: Task) -> tuple[str, ...]:
    """The names that the head of the folder knows, in order: as the card says, else config.json."""
    listed = card.get("head") or card.get("label_names")
    if listed:
        return tuple(listed)
    if not task.named:
        return ()
    names = config.id2label
    if sorted(names) != list(range(len(names))):
        raise ModelError(
            _(
                "expected classes from 0 to {last} in id2label of config.json, got "
                "{numbers}; number them without gaps",
                last=len(names) - 1,
                numbers=", ".join(map(str, list(names)[:6])),
            )
        )
    return tuple(str(names[i]) for i in range(len(names)))


def _check_classes(own: Sequence[str], config: Any, source: str) -> None:
    """ModelError unless the head chooses one of several classes."""
    what = ""
    if len(own) < 2:
        what = _("a single number (one output: regression)")
    elif config.problem_type not in ONE_CLASS:
        what = _("problem_type {problem_type!r}", problem_type=config.problem_type)
    elif len(set(own)) < len(own):
        what = _("two classes of one name ({own})", own=", ".join(own[:6]))
    if what:
        raise ModelError(
            _(
                "expected a model that chooses one of several classes at {source}, got "
                "{what}; train a new head on your classes: advlab train --data reviews "
                "--model {source}",
                source=source,
                what=what,
            )
        )


def _refuse_beams(config: Any, source: str) -> None:
    """ModelError for a head that searches with a beam: it has no logits of every token."""
    for kind in config.architectures or ():
        if kind in BEAMS:
            raise ModelError(
                _(
                    "expected start and end logits of every token at {source}, got {kind}, "
                    "which searches with a beam and has no loss of a single text; save the "
                    "model as {kind}Simple, or train a new head on it",
                    source=source,
                    kind=kind,
                )
            )


def _name_classes(config: Any, names: Sequence[str]) -> None:
    """Write the classes into a configuration."""
    if names:
        config.problem_type = None
        config.num_labels = len(names)
        config.id2label = dict(enumerate(names))
        config.label2id = {n: i for i, n in enumerate(names)}
