"""The outer loop: min over θ of what the method's inner loop maximises. A generator of events.

Runs alone, in a worker process, or from the command line; whoever iterates decides on bars and files.
The folder it is given holds what can be resumed (`checkpoints/`) and what is kept (`model/`).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from advlab.data import fitted, load_data
from advlab.errors import RunError
from advlab.language import N_, _
from advlab.model.tiny import tiny_victim
from advlab.model.unseen import words_of
from advlab.model.victim import Victim
from advlab.records import Dataset, Event, Example
from advlab.runs.config import SCRATCH, RunConfig
from advlab.runs.disk import checkpoints
from advlab.tasks import Batch, Tokens, build_task
from advlab.tasks.base import PadsAnswers
from advlab.training.augment import TrainingTexts
from advlab.training.checkpoints import State, keep_model, load_checkpoint, save_checkpoint
from advlab.training.epochs import keep_epoch
from advlab.training.judging import Judge
from advlab.training.looks import Looks
from advlab.training.meters import CostMeter, Every
from advlab.training.methods import Method, Step, build_method, regularise
from advlab.training.optimizer import adamw
from advlab.training.warmup import Warmup, lr_share
from advlab.training.watches import Alarm, CollapseWatch, OverfittingWatch

REPORT_EVERY = 0.5  # seconds between step events
CHECKPOINT_EVERY = 20.0  # seconds between checkpoints inside an epoch
ANEW = N_("started again from the beginning: no whole checkpoint was there")
SHORT = 9  # one text of so many is short
ALIKE = 3  # answers whose lengths differ by less than so many tokens stand in one batch
STOPPED = {"pause": "paused", "cancel": "cancelled"}  # how a run ends that is asked to

Size = int | tuple[int, ...]  # what batches are sorted by


def prepare(config: RunConfig, device: str = "cpu") -> tuple[Victim, Dataset]:
    """The data and the untrained (or pretrained) model that a run begins with."""
    data = load_data(config.data)
    smoothing = config.train.label_smoothing
    task = build_task(fitted(config.data).task, **{"smoothing": smoothing} | config.task_settings)
    source, seed, length = config.model.source, config.train.seed, config.model.max_length
    if source in SCRATCH:
        victim = tiny_victim(source, data, seed=seed, max_length=length, task=task)
        victim.model.to(device)
    else:
        victim = Victim.load(
            source, task=task, head=data.head, max_length=length, device=device, seed=seed
        )
        if victim.known is not None:  # it began from scratch, and now learns more words
            victim.known |= words_of(victim.tokenizer, [e.text for e in data.train])
    regularise.set_dropout(victim, config.regularise.dropout)
    return victim, data


def epoch_batches(
    sizes: Sequence[Size], batch_size: int, seed: int, epoch: int, short: int = 0
) -> list[list[int]]:
    """Places of the examples, batch by batch: shuffled, then sorted by size within 50 batches.

    Padding stays small and the order random. Depends on seed and epoch alone, so that a resumed run
    meets the same batches. Instead of the first `short` of them the shortest ninth of the examples is
    met, as often as need be.
    """
    generator = random.Random(f"{seed}/{epoch}")
    batches = _shuffled(sizes, range(len(sizes)), batch_size, generator)
    if not short:
        return batches
    shortest = sorted(range(len(sizes)), key=lambda i: sizes[i])[: math.ceil(len(sizes) / SHORT)]
    first: list[list[int]] = []
    while len(first) < short:
        first += _shuffled(sizes, shortest, batch_size, generator)
    return first[:short] + batches[short:]


def _shuffled(
    sizes: Sequence[Size], places: Sequence[int], batch_size: int, generator: random.Random
) -> list[list[int]]:
    order = list(places)
    generator.shuffle(order)
    batches = []
    for start in range(0, len(order), 50 * batch_size):
        pool = sorted(order[start : start + 50 * batch_size], key=lambda i: sizes[i])
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    generator.shuffle(batches)
    return batches


def train(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    stop: Callable[[], str | None] = lambda: None,
    device: str = "cpu",
) -> Iterator[Event]:
    """Train as `config` says; yields start, step, look, epoch, alarm, note and end events.

    `stop()` is asked after every step and answers None, "pause" (a checkpoint is written) or
    "cancel". With `resume` the newest checkpoint of `folder` continues, bit for bit as if it had not
    been interrupted. Raises RunError when the loss is not finite, DataError or ModelError when
    something cannot be loaded.
    """
    settings, method = config.train, build_method(config.method)
    folder.mkdir(parents=True, exist_ok=True)  # not again later: it may be deleted meanwhile
    victim, data = prepare(config, device)
    parameters = [p for p in victim.model.parameters() if p.requires_grad]
    optimizer = adamw(parameters, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)

    tokens = victim.reader.tokens_of(data.train)
    sizes, unread = _sizes(victim, data.train, tokens), victim.unread(data.train, tokens)
    per_epoch = math.ceil(len(sizes) / settings.batch_size)
    total = per_epoch * settings.epochs
    short = min(per_epoch, round(settings.short_first * total))  # batches of short texts alone
    # before any checkpoint is read: ε's scale is measured here, and must not move with the embeddings
    facts = _facts(config, method, victim, data, total)
    state = State()
    if resume:
        found = load_checkpoint(folder, victim.model, optimizer, generator)
        state = found or state
        message = (
            _("resumed from step {step} of {total}", step=state.step, total=total)
            if found
            else _(ANEW)
        )
        for place in checkpoints(folder)[1]:
            message += _("; {name} is damaged and was passed over", name=place.name)
        yield _event("note", state, message=message)
    yield _event("start", state, **facts)
    if not state.step:
        for note in victim.notes:
            yield _event("note", state, message=f"{config.model.source}: {note}")
        for note in unread:
            yield _event("note", state, message=_("training texts: {note}", note=note))

    texts = TrainingTexts(data.train, victim, config, tokens)
    del tokens  # which `texts` keeps if it is worth it
    judge = Judge(data, settings)
    chance = victim.task.chance(data)  # the loss of guessing
    warmup = Warmup(config, chance, total, state)
    collapse = CollapseWatch(chance, total, state)
    overfitting = OverfittingWatch(method, judge, state)
    meter = CostMeter(state, settings.batch_size, total)
    looks = Looks(config.watch, data, settings)
    report, save = Every(REPORT_EVERY), Every(CHECKPOINT_EVERY)
    reason = "done"

    if not state.step:
        if config.watch.every:
            yield _event("look", state, **looks(victim))
        keep_epoch(folder, victim, 0, settings.epochs, settings.history)
    victim.model.train()
    # from the epochs that were judged, not from the steps: a run stopped between an epoch's last
    # step and its validation has that validation still to come
    for epoch in range(state.validated + 1, settings.epochs + 1):
        batches = epoch_batches(
            sizes, settings.batch_size, settings.seed, epoch - 1, short if epoch == 1 else 0
        )
        for places in batches[state.step - (epoch - 1) * per_epoch :]:
            step = state.step
            batch = texts.batch(victim, places, epoch - 1)
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * lr_share(step, total, settings)
            strength = warmup.at(step)

            given = Step(strength, generator, tied=settings.tied_dropout)
            told: list[dict[str, float]] = []  # the losses of each replay
            grad_norm = 0.0
            for __ in range(method.replays):
                with meter.passes():
                    optimizer.zero_grad(set_to_none=True)
                    losses = method.backward(victim, batch, given) | regularise.backward(
                        victim, batch, config.regularise, generator, strength=strength
                    )
                grad_norm = _clip(parameters, settings.clip, losses, step)
                told.append(losses)
                optimizer.step()
                if config.model.unit_norm and config.model.source in SCRATCH:
                    victim.normalise_table()
            warmup.see(told[0], told[-1], spared=bool(given.carry.get("spared")))
            state.step += 1
            meter.count(victim, batch, optimizer)

            ends = step == 0 or state.step == total
            if report.due(at_once=ends or config.watch.every > 0):
                losses = told[-1]
                if "clean_loss" not in losses:
                    losses["clean_loss"] = _clean_loss(victim, batch)
                yield from _alarms(state, collapse.at_step(step, strength, losses["clean_loss"]))
                yield _event(
                    "step",
                    state,
                    **losses,
                    epoch=state.step / per_epoch,
                    grad_norm=grad_norm,
                    embed_norm=_mean_norm(victim),
                    lr=optimizer.param_groups[0]["lr"],
                    strength=strength,
                    **meter.readings(),
                )
            if looks.due(state.step, total):
                yield _event("look", state, **looks(victim))
            asked = stop()
            if save.due(at_once=bool(asked)):
                save_checkpoint(folder, victim, optimizer, generator, state)
            if asked:
                yield _event("end", state, reason=STOPPED[asked], seconds=state.seconds)
                return

        judge.settle(victim)
        judged = judge(victim)
        if better := state.improves(judged.rank(settings.choose, epoch), epoch):
            keep_model(folder, victim, config.name or victim.name)
        keep_epoch(folder, victim, epoch, settings.epochs, settings.history)
        state.validated = epoch
        meter.tick()
        values = judge.told(judged) | {"best": better, "strength": warmup.strength}
        yield _event("epoch", state, epoch=epoch, **values)
        yield from _alarms(state, overfitting.at_epoch(victim, warmup.strength, judged))
        yield from _alarms(state, collapse.at_epoch(epoch, state.step, judged))
        # last: whoever is killed before it goes back beyond these events, and meets them again
        save_checkpoint(folder, victim, optimizer, generator, state)
        save.restart()
        if settings.patience and state.idle >= settings.patience:
            reason = "early stop"
            break

    yield _event(
        "end",
        state,
        reason=reason,
        seconds=state.seconds,
        best_epoch=state.best_epoch,
        **judge.test(Victim.load(folder / "model", device=device)),
        cost=meter.cost,
        padding=meter.padding,
    )


# ---- the loop's small helpers ---------------------------------------------------------------


def _event(kind: str, state: State, **values: Any) -> Event:
    return Event(kind, state.step, time.time(), values)


def _alarms(state: State, alarm: Alarm | None) -> Iterator[Event]:
    if alarm:
        yield _event("alarm", state, **alarm)


def _facts(
    config: RunConfig, method: Method, victim: Victim, data: Dataset, total: int
) -> dict[str, Any]:
    """What the start event tells: what is trained, on what, how long."""
    return {
        "name": config.name,
        "model": config.model.source,
        "method": dict(config.method),
        "parameters": sum(p.numel() for p in victim.model.parameters() if p.requires_grad),
        "vocabulary": len(victim.tokenizer),
        "train_texts": len(data.train),
        "validation_texts": len(data.validation),
        "test_texts": len(data.test),
        "steps": total,
        "epochs": config.train.epochs,
        "answers": list(data.head),
        "chance": victim.task.chance(data),
        "majority": data.majority,
        "scale": vars(victim.scale),
        "eps": getattr(method, "radius", lambda *_: 0.0)(victim, 1.0),
        "eval_eps": config.train.eval_eps,
        "data": data.fingerprint,
        "notes": list(data.notes),
    }


def _sizes(victim: Victim, examples: Sequence[Example], tokens: Sequence[Tokens]) -> Sequence[Size]:
    """How large each example is in a batch.

    Where answers are padded beside the texts, both count: those of about one length come together, and
    of these the texts.
    """
    lengths = [len(t) for t in tokens]
    if not isinstance(victim.task, PadsAnswers):
        return lengths
    answers = victim.task.answer_lengths(examples, victim.reader)
    return [(n // ALIKE, length) for n, length in zip(answers, lengths, strict=True)]


def _clip(
    parameters: Sequence[torch.nn.Parameter], clip: float, losses: dict[str, float], step: int
) -> float:
    """The gradient's length before it is shortened to `clip` (0: left as it is).

    RunError unless it and the losses are finite.
    """
    length = torch.nn.utils.clip_grad_norm_(parameters, clip or math.inf).item()
    if not math.isfinite(sum(losses.values()) + length):
        raise RunError(
            _(
                "expected a finite loss, got {losses} with gradient norm {length:.3g} at "
                "step {step}; lower the learning rate or ε",
                losses=losses,
                length=length,
                step=step,
            )
        )
    return length


def _clean_loss(victim: Victim, batch: Batch) -> float:
    """The mean clean loss of a batch, for methods whose own passes are all perturbed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return victim.objective(batch)(victim.embed(batch)).mean().item()


def _mean_norm(victim: Victim) -> float:
    with torch.no_grad():
        return victim.model.get_input_embeddings().weight.norm(dim=1).mean().item()
