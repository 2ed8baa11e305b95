"""The outer loop: min over θ of what the method's inner loop maximises. A generator of events.

Runs alone, in a worker process, or from the command line; whoever iterates decides on bars and files.
The folder it is given holds what can be resumed (`checkpoints/`) and what is kept (`model/`).
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from advlab.attacks import FGM, PGD
from advlab.attacks.evaluate import by_length, rate, survives
from advlab.data import load_data
from advlab.errors import RunError
from advlab.model.tiny import tiny_victim
from advlab.model.victim import Victim
from advlab.records import Dataset, Event, Example, Rate
from advlab.runs.config import SCRATCH, RunConfig, TrainConfig
from advlab.tasks import Batch, build_task
from advlab.training.augment import augmented, dice_for
from advlab.training.checkpoints import keep_model, load_checkpoint, save_checkpoint
from advlab.training.epochs import keep_epoch
from advlab.training.methods import Adversarial, Method, Plain, build_method, regularise

REPORT_EVERY = 0.5  # seconds between step events
CHECKPOINT_EVERY = 20.0  # seconds between checkpoints inside an epoch
LEARNT = 0.97  # × the loss of guessing: a mean clean loss below it means that learning has begun
EARNED = 0.9  # × the loss of guessing: above it an earned ε waits
PLAIN_EVERY = 40  # steps between timings of a plain step, for the cost ratio


def prepare(config: RunConfig, device: str = "cpu") -> tuple[Victim, Dataset]:
    """The data and the untrained (or pretrained) model that a run begins with."""
    data = load_data(config.data)
    source, seed = config.model.source, config.train.seed
    if source in SCRATCH:
        victim = tiny_victim(source, data, seed=seed, max_length=config.model.max_length)
        victim.model.to(device)
    else:
        torch.manual_seed(seed)  # a new head is drawn from torch's own generator
        victim = Victim.load(
            source, head=data.head, max_length=config.model.max_length, device=device
        )
    victim.task = build_task(config.task, smoothing=config.train.label_smoothing)
    regularise.set_dropout(victim, config.regularise.dropout)
    return victim, data


def epoch_batches(
    lengths: Sequence[int], batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Places of the examples, batch by batch: shuffled, then sorted by length within 50 batches.

    Padding stays small and the order random. Depends on seed and epoch alone, so that a resumed run
    meets the same batches.
    """
    dice = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    dice.shuffle(order)
    batches = []
    for start in range(0, len(order), 50 * batch_size):
        pool = sorted(order[start : start + 50 * batch_size], key=lambda i: lengths[i])
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    dice.shuffle(batches)
    return batches


def eps_strength(step: int, start: int | None, total: int, config: TrainConfig) -> float:
    """The share of ε in force at a step: 0 before `start`, then rising to 1.

    `start` is None while the model has not begun to learn.
    """
    rise = config.eps_warmup * total
    if start is None or step < start:
        return 0.0
    share = min(1.0, (step - start + 1) / rise) if rise >= 1 else 1.0
    return (1 - math.cos(math.pi * share)) / 2 if config.eps_schedule == "cosine" else share


def lr_share(step: int, total: int, config: TrainConfig) -> float:
    """The share of the peak learning rate at a step: linear up, then linear down to 0."""
    rise = max(1.0, config.lr_warmup * total)
    if step < rise:
        return (step + 1) / rise
    return max(0.0, (total - step) / max(1.0, total - rise))


def train(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    stop: Callable[[], str | None] = lambda: None,
    device: str = "cpu",
) -> Iterator[Event]:
    """Train as `config` says; yields start, step, epoch, alarm, note and end events.

    `stop()` is asked after every step and answers None, "pause" (a checkpoint is written) or
    "cancel". With `resume` the newest checkpoint of `folder` continues, bit for bit as if it had not
    been interrupted. Raises RunError when the loss is not finite, DataError or ModelError when
    something cannot be loaded.
    """
    method = build_method(config.method)
    settings = config.train
    victim, data = prepare(config, device)
    chance = victim.task.chance(data)  # the loss of guessing
    parameters = [p for p in victim.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    scale = victim.scale  # measured now and kept: ε must not move with the embeddings

    lengths = [len(ids) for ids in _token_ids(victim, data.train)]
    per_epoch = math.ceil(len(lengths) / settings.batch_size)
    total = per_epoch * settings.epochs
    rescale = config.model.unit_norm and config.model.source in SCRATCH
    state: dict[str, Any] = {
        "step": 0,
        "rise": None,
        "level": 1.0,
        "hard": 0.0,
        "validated": 0,
        "best_watched": 0.0,
        "best": -9.0,
        "best_epoch": 0,
        "idle": 0,
        "seconds": 0.0,
        "seen_tokens": 0,
        "padding": 0,
        "step_seconds": 0.0,
        "plain_seconds": 0.0,
        "plain_steps": 0,
    }
    if resume and (found := load_checkpoint(folder, victim.model, optimizer, generator)):
        state |= found
        yield _event("note", state, message=f"resumed from step {state['step']} of {total}")

    yield _event(
        "start",
        state,
        name=config.name,
        model=config.model.source,
        method=dict(config.method),
        parameters=sum(p.numel() for p in parameters),
        vocabulary=len(victim.tokenizer),
        train_texts=len(data.train),
        validation_texts=len(data.validation),
        test_texts=len(data.test),
        steps=total,
        epochs=settings.epochs,
        label_names=list(data.head),
        chance=chance,
        majority=data.majority,
        scale=vars(scale),
        eps=getattr(method, "radius", lambda *_: 0.0)(victim, 1.0),
        eval_eps=settings.eval_eps,
        data=data.fingerprint,
        notes=list(data.notes),
    )

    held_out = list(data.validation)
    random.Random(settings.seed).shuffle(held_out)
    held_out = held_out[: settings.eval_limit]
    judge = PGD(settings.eval_eps, steps=5, step_size=0.4)
    easy_attack, hard_attack = watch(method, judge)
    alarms: set[str] = set()
    recent: deque[tuple[int, float]] = deque()  # step and clean loss, of the last stretch
    # own-embedding synonyms mean something only where the embeddings were learnt before
    pretrained = config.model.source not in SCRATCH
    neighbours = synonyms_of(victim) if config.augment.synonyms and pretrained else {}
    began = last_report = last_saved = time.perf_counter()
    paid = state["seconds"]  # seconds of earlier stretches of a resumed run
    ended = "done"

    if not state["step"]:
        keep_epoch(folder, victim, 0, settings.epochs, settings.history)
    victim.model.train()
    strength = eps_strength(max(0, state["step"] - 1), state["rise"], total, settings)
    # from the epochs that were judged, not from the steps: a run stopped between an epoch's last
    # step and its validation has that validation still to come
    for epoch in range(state["validated"], settings.epochs):
        batches = epoch_batches(lengths, settings.batch_size, settings.seed, epoch)
        for places in batches[state["step"] - epoch * per_epoch :]:
            step = state["step"]
            batch = victim.encode([_text(data, i, epoch, config, neighbours) for i in places])
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * lr_share(step, total, settings)
            # a pretrained model leaves chance at once, long before its new head is any good
            learnt = config.model.source in SCRATCH and state["level"] < LEARNT
            waited = learnt or step >= settings.clean_start * total
            if state["rise"] is None and waited:
                state["rise"] = step
            strength = eps_strength(step, state["rise"], total, settings)

            carry: dict[str, Any] = {}  # what a method keeps while it replays this batch
            spent, numbers, grad_norm = 0.0, {}, 0.0
            for replay in range(method.replays):
                ticked = time.perf_counter()
                optimizer.zero_grad(set_to_none=True)
                numbers = method.backward(
                    victim, batch, strength=strength, generator=generator, carry=carry
                )
                if config.regularise.active:
                    numbers |= regularise.backward(
                        victim, batch, config.regularise, generator, strength=strength
                    )
                spent += time.perf_counter() - ticked
                grad_norm = torch.nn.utils.clip_grad_norm_(
                    parameters, settings.clip or math.inf
                ).item()
                if not math.isfinite(sum(numbers.values()) + grad_norm):
                    raise RunError(
                        f"expected a finite loss, got {numbers} with gradient norm {grad_norm:.3g} "
                        f"at step {step}; lower the learning rate or ε"
                    )
                if state["rise"] is None and not replay:  # at ε = 0 every loss is the clean one
                    loss = numbers.get("clean_loss", numbers.get("adv_loss", 0.0))
                    state["level"] = 0.9 * state["level"] + 0.1 * loss / chance
                # once a batch, after its last replay; what was trained plainly has no say
                judged = replay == method.replays - 1 and not carry.get("spared")
                waits = settings.eps_schedule == "earned" and judged and strength < 1
                if waits and state["rise"] is not None:
                    loss = numbers.get("adv_loss", numbers.get("clean_loss", 0.0))
                    past = state["hard"] or loss / chance
                    state["hard"] = 0.9 * past + 0.1 * loss / chance
                    state["rise"] += state["hard"] > EARNED  # ε waits a step
                optimizer.step()
                if rescale:
                    victim.normalise_table()

            state["step"] = step + 1
            state["seen_tokens"] += batch.input_ids.numel()
            state["padding"] += int((batch.attention_mask == 0).sum())
            if step % PLAIN_EVERY == 3:
                state["plain_seconds"] += _time_plain(victim, batch, optimizer)
                state["plain_steps"] += 1
                state["step_seconds"] += spent

            now = time.perf_counter()
            state["seconds"] = paid + now - began
            if now - last_report >= REPORT_EVERY or step == 0 or state["step"] == total:
                last_report = now
                if "clean_loss" not in numbers:
                    numbers["clean_loss"] = _clean_loss(victim, batch)
                if strength == 1.0:  # before that a slow start is no collapse
                    recent.append((step, numbers["clean_loss"]))
                while recent and recent[0][0] < step - total // 8:
                    recent.popleft()
                level = sum(loss for _, loss in recent) / max(1, len(recent))
                spans = recent and step - recent[0][0] > total // 10 and len(recent) >= 5
                if spans and level > 0.985 * chance and "collapse" not in alarms:
                    alarms.add("collapse")
                    yield _collapse(
                        state,
                        f"the clean loss has stayed at chance ({chance:.2f}) for "
                        f"{step - recent[0][0]} steps at full ε",
                    )
                yield _event(
                    "step",
                    state,
                    **numbers,
                    epoch=state["step"] / per_epoch,
                    grad_norm=grad_norm,
                    embed_norm=_mean_norm(victim),
                    lr=optimizer.param_groups[0]["lr"],
                    strength=strength,
                    texts_per_second=_pace(state, settings),
                    eta=state["seconds"] / state["step"] * (total - state["step"]),
                    padding=state["padding"] / state["seen_tokens"],
                    cost=_cost(state),
                )
            asked = stop()
            if asked or now - last_saved > CHECKPOINT_EVERY:
                last_saved = now
                save_checkpoint(folder, victim, optimizer, generator, state)
            if asked:
                ended = {"pause": "paused", "cancel": "cancelled"}.get(asked, asked)
                break
        if ended != "done":
            break

        clean, robust, loss, classes = _validate(victim, held_out, judge, settings.seed)
        score = {
            "robust": (clean.value + robust.value) / 2,
            "clean": clean.value,
            "last": epoch + 1.0,
        }[settings.choose]
        if classes == 1:  # always one class is never "robust", whatever the figures say
            score -= 1.0
        better = score > state["best"]
        state["idle"] = 0 if better else state["idle"] + 1
        if better:
            state["best"], state["best_epoch"] = score, epoch + 1
            keep_model(folder, victim, config.name or victim.name)
        keep_epoch(folder, victim, epoch + 1, settings.epochs, settings.history)
        state["validated"] = epoch + 1
        save_checkpoint(folder, victim, optimizer, generator, state)
        last_saved = time.perf_counter()
        state["seconds"] = paid + last_saved - began
        yield _event(
            "epoch",
            state,
            epoch=epoch + 1,
            clean_accuracy=vars(clean),
            robust_accuracy=vars(robust),
            validation_loss=loss,
            eval_eps=settings.eval_eps,
            majority=data.majority,
            best=better,
            strength=strength,
        )
        if method.one_step and strength > 0 and "catastrophic overfitting" not in alarms:
            easy, hard = (
                robust
                if attack == judge
                else rate(survives(victim, held_out, attack, seed=settings.seed))
                for attack in (easy_attack, hard_attack)
            )
            before, state["best_watched"] = (
                state["best_watched"],
                max(state["best_watched"], hard.value),
            )
            if overfitted(easy, hard, before):
                alarms.add("catastrophic overfitting")
                yield _event(
                    "alarm",
                    state,
                    name="catastrophic overfitting",
                    message=f"Accuracy under one step is {easy.value:.0%}, but PGD-5 leaves "
                    f"{hard.value:.0%} (before: {before:.0%}): the model has learnt to "
                    "defeat the one step that it trains on. Take a smaller ε, or pgd or freelb.",
                )
        # in the first half one class may just be a slow start; the loss alarm above is the early one
        late = epoch and 2 * state["step"] >= total
        if classes == 1 and data.majority < 1 and "collapse" not in alarms and late:
            alarms.add("collapse")
            yield _collapse(state, "every validation text gets the same class")
        if settings.patience and state["idle"] >= settings.patience:
            ended = "early stop"
            break

    if ended in ("paused", "cancelled"):
        yield _event("end", state, reason=ended, seconds=state["seconds"])
        return
    best = Victim.load(folder / "model", device=device)
    final = rate(survives(best, data.test))
    attacked = list(data.test)
    random.Random(settings.seed).shuffle(attacked)
    attacked = attacked[: settings.eval_limit]
    stronger = PGD(settings.eval_eps, steps=10)
    yield _event(
        "end",
        state,
        reason=ended,
        seconds=state["seconds"],
        best_epoch=state["best_epoch"],
        test_accuracy=vars(final),
        eval_eps=settings.eval_eps,
        test_robust_accuracy=vars(rate(survives(best, attacked, stronger, seed=settings.seed))),
        cost=_cost(state),
        padding=state["padding"] / max(1, state["seen_tokens"]),
    )


def watch(method: Method, judge: PGD) -> tuple[FGM, PGD]:
    """One step and PGD-5 in the norm, ball and full ε of a one-step method: what it may overfit to.

    ε of a hidden layer means nothing on the words, where attacks are: there those of the judge.
    """
    if not isinstance(method, Adversarial) or method.site != "words":
        return FGM(judge.eps), judge
    ball: dict[str, Any] = {name: getattr(method, name) for name in ("eps", "unit", "p", "ball")}
    return FGM(**ball), replace(judge, **ball)


def overfitted(easy: Rate, hard: Rate, before: float) -> bool:
    """Catastrophic overfitting (Wong et al. 2020, arXiv:2001.03994): one step fails, many succeed.

    `easy` and `hard` are accuracies under one step and under PGD, `before` the best of the latter so
    far. Both the gap and the fall must be larger than chance explains.
    """
    return easy.low > hard.high and easy.value - hard.value > 0.2 and hard.high < before


# ---- the loop's small helpers ---------------------------------------------------------------


def _event(kind: str, state: dict[str, Any], **values: Any) -> Event:
    return Event(kind, state["step"], time.time(), values)


def _collapse(state: dict[str, Any], seen: str) -> Event:
    return _event(
        "alarm",
        state,
        name="collapse",
        message=f"Training has collapsed: {seen}. Lower ε, or let it rise more slowly "
        "(ε warm-up), or lower the learning rate.",
    )


def _text(
    data: Dataset, place: int, epoch: int, config: RunConfig, neighbours: dict[str, list[str]]
) -> Example:
    """A training text, changed as the settings say."""
    example = data.train[place]
    if not config.augment.active:
        return example
    dice = dice_for(config.train.seed, epoch, place)
    return augmented(config.augment, example, dice, neighbours)


@torch.no_grad()
def synonyms_of(victim: Victim, nearest: int = 4) -> dict[str, list[str]]:
    """Whole words -> their nearest whole words by the cosine of their embeddings."""
    vocabulary = victim.tokenizer.get_vocab()
    words = {w.lstrip("Ġ▁"): i for w, i in vocabulary.items() if victim.ordinary[i]}
    words = {w: i for w, i in words.items() if w.isalpha() and w.islower() and len(w) > 2}
    names = list(words)
    rows = torch.nn.functional.normalize(victim.table[list(words.values())].float(), dim=1)
    found: dict[str, list[str]] = {}
    for start in range(0, len(names), 1024):
        close = (rows[start : start + 1024] @ rows.T).topk(min(nearest + 1, len(names))).indices
        for row, places in enumerate(close.tolist()):
            word = names[start + row]
            found[word] = [names[j] for j in places if names[j] != word][:nearest]
    return found


def _token_ids(victim: Victim, examples: Sequence[Example]) -> list[list[int]]:
    return victim.tokenizer(
        [e.text for e in examples], truncation=True, max_length=victim.max_length
    )["input_ids"]


def _time_plain(victim: Victim, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """Seconds of a plain step's passes on this batch; leaves gradients and dice as they were."""
    with torch.random.fork_rng(devices=[]):
        optimizer.zero_grad(set_to_none=True)
        ticked = time.perf_counter()
        Plain().backward(victim, batch)
        spent = time.perf_counter() - ticked
    optimizer.zero_grad(set_to_none=True)
    return spent


def _clean_loss(victim: Victim, batch: Batch) -> float:
    """The mean clean loss of a batch, for methods whose own passes are all perturbed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return victim.objective(batch)(victim.embed(batch)).mean().item()


def _mean_norm(victim: Victim) -> float:
    with torch.no_grad():
        return victim.model.get_input_embeddings().weight.norm(dim=1).mean().item()


def _pace(state: dict[str, Any], settings: TrainConfig) -> float:
    return state["step"] * settings.batch_size / max(state["seconds"], 1e-9)


def _cost(state: dict[str, Any]) -> float | None:
    """Seconds of a step's passes divided by those of a plain step, timed on the same batches."""
    return state["step_seconds"] / state["plain_seconds"] if state["plain_seconds"] else None


def _validate(
    victim: Victim, examples: Sequence[Example], judge: PGD, seed: int
) -> tuple[Any, Any, float, int]:
    """Clean and robust accuracy, mean clean loss, and how many different classes are predicted."""
    losses, classes = [], set()
    with victim.analysing(), torch.no_grad():
        for _, batch in by_length(victim, examples, 128):
            objective = victim.objective(batch)
            logits = objective.output(victim.embed(batch))
            losses += objective.loss_of(logits).tolist()
            classes |= set(logits.argmax(-1).tolist())
    clean = rate(survives(victim, examples))
    robust = rate(survives(victim, examples, judge, seed=seed))
    return clean, robust, sum(losses) / len(losses), len(classes)
