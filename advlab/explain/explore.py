"""One sentence in, one record out: attack it, read it, project it. What the Explore page calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import Attack, Perturbation, attack_settings
from advlab.errors import DataError, SettingError, unknown
from advlab.explain.alignments import align
from advlab.explain.curve import curve
from advlab.explain.distances import distances, vocabulary_map
from advlab.explain.frames import film, noise, sweep
from advlab.explain.landscape import line, surface
from advlab.explain.nearest import certificate, exit_radius, nearest_tokens, scores
from advlab.explain.neighbours import embedded, nearest
from advlab.explain.next_word import exits, scaled
from advlab.explain.plane import local_plane
from advlab.explain.round_trip import RoundTrips, round_trips
from advlab.explain.saliency import DEFAULTS as SALIENCY_METHODS
from advlab.explain.saliency import choices, layers
from advlab.explain.saliency import saliency as saliency_of
from advlab.explain.subject import Subject
from advlab.explain.substitutions import substitutions
from advlab.explain.written import written
from advlab.language import _
from advlab.model.victim import Victim
from advlab.records import Alignment, AttackRecord, Curve, Example, LocalPlane, Neighbours, Reading
from advlab.settings import plain

MAX_CHARACTERS = 20_000
FRAMES = 41  # steps of the attack whose δ a record keeps, at most, besides the best and the flip


def explore(
    victim: Victim,
    text: str,
    *,
    label: int | str | None = None,
    beside: str = "",
    attack: Attack,
    seed: int = 0,
    shield: Sequence[tuple[int, int]] = (),
    goal: str = "",
    neighbours: int = 5,
    draws: int = 20,
    points: int = 25,
) -> AttackRecord:
    """Attack one text and record what happens to it; `analyse` makes more of the record later.

    `label` is the answer whose loss is raised (where a model's head names its answers, its number
    will do); without one, the model's own. `beside` is read with the text and not perturbed. `attack`
    may have ε in any unit. The curve has `points` values of ε from 0 to twice the attack's. Words that
    overlap a character span of `shield` are not perturbed. With a `goal` of the task's the attack
    works towards it, not against the loss. The victim is left as it was; share one
    between threads through `view()` only.
    """
    began = time.perf_counter()
    text, notes = readable(text)
    answers = () if label is None else (reference_of(victim, label),)
    example = Example("text", text, answers, beside)
    with victim.analysing():
        subject = Subject.set(victim, example, attack.at(victim.scale), shield=shield, goal=goal)
        outcome = _outcome(subject, seed, neighbours=neighbours, draws=draws, points=points)
    return _record(
        subject,
        outcome,
        given=label is not None,
        attack=attack,
        seed=seed,
        shield=shield,
        notes=(*notes, *_cut(subject), *_split_otherwise(outcome)),
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True)
class _Outcome:
    """What an attack on a text came to."""

    found: Perturbation
    path: Tensor  # (S+1,T,D)
    readings: dict[str, Reading]
    trip: RoundTrips  # one
    neighbours: Neighbours
    exit_radius: np.ndarray  # (T,)
    certificate: np.ndarray  # (T,)
    curve: Curve
    met: bool  # whether δ meets the goal, where there is one

    @property
    def best(self) -> int:
        """The step whose δ was kept."""
        return int(self.found.best_step[0])

    @property
    def flip(self) -> int | None:
        """The first step that breaks the answer, if one does."""
        broken = np.flatnonzero(self.readings["steps"].broken)
        return int(broken[0]) if len(broken) else None

    def kept(self) -> list[int]:
        """Steps whose δ a record keeps: evenly spaced, the first and last, best and flip."""
        count = len(self.path)
        spaced = np.linspace(0, count - 1, min(count, FRAMES)).round().astype(int).tolist()
        told = [self.best] if self.flip is None else [self.best, self.flip]
        return sorted({*spaced, *told})


def _outcome(subject: Subject, seed: int, *, neighbours: int, draws: int, points: int) -> _Outcome:
    found = _attacked(subject, seed)
    assert found.path is not None
    path, best = found.path[:, 0], int(found.best_step[0])
    near = _near(subject, path[best], neighbours)
    trip = round_trips(subject, _snapped(subject, near))
    steps = subject.read(path)
    readings = {
        "clean": subject.read(torch.zeros_like(subject.embeds)),
        "attacked": steps.take([best]),
        "noise": subject.read(subject.noise_as_long(found.delta, draws, seed + 1)),
        "nearest tokens": trip.projected,
        "as text again": trip.read,
        "steps": steps,
    }
    leaves, certificates = _radii(subject, found.delta[0])
    known = curve(subject, found.delta[0], points=points, seed=seed)
    goal = subject.objective(subject.batch)
    met = bool(subject.goal) and bool(goal.flips(subject.embeds + found.delta)[0])
    return _Outcome(found, path, readings, trip, near, leaves, certificates, known, met)


def _record(
    subject: Subject,
    outcome: _Outcome,
    *,
    given: bool,
    attack: Attack,
    seed: int,
    shield: Sequence[tuple[int, int]],
    notes: tuple[str, ...],
    seconds: float,
) -> AttackRecord:
    """All that is kept. `attack` as it was asked for, with ε in its own unit."""
    victim, found, kept = subject.victim, outcome.found, outcome.kept()
    # a goal's own numbers are no loss
    losses = outcome.readings["steps"].loss if subject.goal else _np(found.losses[:, 0])
    return AttackRecord(
        text=subject.example.text,
        reference=subject.example.answers[0],
        given=given,
        task={"name": victim.task.name} | plain(victim.task),
        model=victim.name,
        model_hash=victim.hash,
        attack=attack_settings(attack),
        seed=seed,
        eps=float(subject.attack.eps),
        scale=victim.scale,
        tokens=tuple(victim.vocabulary.texts(subject.batch.input_ids[0].tolist())),
        word_of=np.array(subject.word_of),
        words=subject.tokens.words,
        spans=np.array(subject.spans),
        perturbable=_np(subject.batch.perturbable[0]),
        shield=tuple((int(start), int(end)) for start, end in shield),
        readings=outcome.readings,
        round_trip_text=outcome.trip.texts[0],
        round_trip_tokens=outcome.trip.tokens[0],
        losses=losses,
        step_norms=_np(outcome.path.norm(dim=-1)),
        path_steps=np.array(kept),
        path=_np(outcome.path[kept]),
        best_step=outcome.best,
        flip_step=outcome.flip,
        delta=_np(found.delta[0]),
        delta_norm=_np(found.delta[0].norm(dim=-1)),
        embed_norm=_np(subject.embeds[0].norm(dim=-1)),
        exit_radius=outcome.exit_radius,
        certificate=outcome.certificate,
        neighbours=outcome.neighbours,
        curve=outcome.curve,
        seconds=seconds,
        notes=notes,
        beside=subject.example.beside,
        segment=_np(subject.batch.segment[0]),
        goal=subject.goal,
        met=outcome.met,
    )


def _attacked(subject: Subject, seed: int) -> Perturbation:
    if not subject.batch.perturbable.any():
        raise DataError(
            _("expected some words, got none that this model can read; type a sentence")
        )
    objective = subject.objective(subject.batch)
    return subject.attack(
        objective,
        subject.embeds,
        subject.batch.perturbable,
        torch.Generator().manual_seed(seed),
        flips=objective.flips,
        keep_path=True,
    )


def _near(subject: Subject, delta: Tensor, k: int) -> Neighbours:
    """The rows that the perturbed vectors are nearest to (L2)."""
    victim, own = subject.victim, subject.batch.input_ids[0]
    ids, values, rank, gap = nearest_tokens(
        subject.embeds[0] + delta, own, victim.table, victim.ordinary, k, "l2"
    )
    return Neighbours(
        metric="l2",
        tokens=tuple(tuple(victim.vocabulary.texts(row)) for row in ids.tolist()),
        ids=_np(ids),
        scores=_np(values),
        own_rank=_np(rank),
        margin=_np(gap),
        excluded=int((~victim.ordinary).sum()),
    )


def _radii(subject: Subject, delta: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(T,) exit radius along δ, and certificate, of each token."""
    own, table, allowed = subject.batch.input_ids[0], subject.victim.table, subject.victim.ordinary
    apart = scores(table[own], table, "l2")  # (T,V)
    leaves = exit_radius(own, delta, table, allowed, apart)
    return _np(leaves), _np(certificate(own, table, allowed, apart))


def _snapped(subject: Subject, near: Neighbours) -> Tensor:
    """(1,T) the nearest row in place of each token that was perturbed."""
    closest = torch.as_tensor(near.ids[:, 0], device=subject.victim.device)
    batch = subject.batch
    return torch.where(batch.perturbable[0], closest, batch.input_ids[0]).unsqueeze(0)


def _cut(subject: Subject) -> list[str]:
    tokens = subject.tokens
    if tokens.whole <= len(tokens):
        return []
    return [
        _(
            "Only the first {n_tokens} of {whole:,} tokens were read: the model's limit.",
            n_tokens=len(tokens),
            whole=tokens.whole,
        )
    ]


def _split_otherwise(outcome: _Outcome) -> list[str]:
    """What to know where the clean answer does not even stand on the clean text."""
    if not outcome.readings["clean"].broken[0]:
        return []
    return [
        _(
            "Read again, the model's own answer falls into other tokens than those that it wrote, so it"
            " counts as broken before any attack: no ε below says anything here."
        )
    ]


def analyse(victim: Victim, record: AttackRecord, name: str, **options: Any) -> Any:
    """One of `ANALYSES` of a record. ModelError unless `victim` is the model that made the record."""
    if name not in ANALYSES:
        raise SettingError(unknown("analysis", name, ANALYSES))
    with victim.analysing():
        return ANALYSES[name](Subject.of(victim, record), record, **options)


def _alignment(subject: Subject, record: AttackRecord, told: str = "") -> Alignment:
    """`told`: the true alignment of the reference, as a corpus has it."""
    more = (("alignment", told),) if told else ()
    return align(subject.victim, replace(subject.example, more=more))


def _plane(subject: Subject, record: AttackRecord, token: int) -> LocalPlane:
    victim = subject.victim
    return local_plane(
        token,
        int(subject.batch.input_ids[0, token]),
        torch.as_tensor(record.delta[token]).to(subject.embeds),
        victim.table,
        victim.ordinary,
        victim.vocabulary.texts,
    )


# what can be made of a record on its model when it is asked for: (subject, record, **options) -> data
ANALYSES: dict[str, Callable[..., Any]] = {
    "saliency": saliency_of,
    "saliency_choices": choices,
    "layers": layers,
    "plane": _plane,
    "nearest": nearest,
    "embedded": embedded,
    "exits": exits,
    "scaled": scaled,
    "substitutions": substitutions,
    "film": film,
    "sweep": sweep,
    "noise": noise,
    "surface": surface,
    "line": line,
    "distances": distances,
    "map": vocabulary_map,
    "written": written,
    "alignment": _alignment,
}


def readable(text: str) -> tuple[str, list[str]]:
    notes = []
    if len(text) > MAX_CHARACTERS:
        notes.append(
            _(
                "Only the first {max_characters:,} of {n_text:,} characters were read.",
                max_characters=MAX_CHARACTERS,
                n_text=len(text),
            )
        )
        text = text[:MAX_CHARACTERS]
    # lone surrogates cannot be encoded, and tokenizers refuse them
    text = text.encode("utf-8", "replace").decode()
    if not text.strip():
        raise DataError(_("expected a sentence, got an empty text; type one or pick an example"))
    return text, notes


def reference_of(victim: Victim, label: int | str) -> str:
    """The answer that a name, or the number of a class, means. SettingError where there is none."""
    names = victim.head if victim.task.named else ()
    if isinstance(label, str) and (label in names or not names):
        return label
    if isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    if not names:
        raise SettingError(
            _("expected the answer as text, got {label!r}; write it out", label=label)
        )
    raise SettingError(
        _(
            "expected a label among {names} (or 0 to {n_names}), got {label!r}; choose one of them",
            names=", ".join(names),
            n_names=len(names) - 1,
            label=label,
        )
    )


def _np(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


__all__ = ["ANALYSES", "MAX_CHARACTERS", "SALIENCY_METHODS", "analyse", "explore"]
