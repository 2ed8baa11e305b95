"""A self-consistent AttackRecord made with numpy alone: a linear model over mean-pooled words.

Everything in it follows from one small vocabulary table, so that identities (words + remainder =
tokens, crossing = exit radius, certificate below every exit) hold as they do for a real model.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from advlab.capsule.legacy import as_reading
from advlab.pictures.reel import Reel
from advlab.records import (
    AttackRecord,
    Attribution,
    Curve,
    Event,
    LocalPlane,
    Neighbours,
    Reading,
    Saliency,
    Scale,
)

SENTENCE = "[CLS] the film was slow , but i would see it a ##gain [SEP]"
TOKENS = tuple(SENTENCE.split())
WORDS = (
    "[CLS] [SEP] the film was slow , but i would see it a ##gain good bad dull great boring fine "
    "movie play seen watch never always not very plot actor calm quick fast late early"
)
VOCABULARY = tuple(WORDS.split())
SPECIAL = ("[CLS]", "[SEP]")


@dataclass(frozen=True)
class Sample:
    """A record, with what analyses would make of it."""

    record: AttackRecord
    saliency: dict[str, Saliency]
    planes: tuple[LocalPlane, ...]


def sample_record(**changes: Any) -> AttackRecord:
    """The record alone."""
    return sample(**changes).record


def sample_maps(**changes: Any) -> dict[str, Saliency]:
    """What three methods would say of it."""
    return sample(**changes).saliency


def sample_planes(**changes: Any) -> tuple[LocalPlane, ...]:
    """A plane a token."""
    return sample(**changes).planes


def referring(record: AttackRecord, name: str, **changes: Any) -> AttackRecord:
    """The same attack, said of another class."""
    classes = list(record.clean.parts)
    held = classes.index(record.clean.answers[0])

    def read(reading: Reading) -> Reading:
        probs = np.stack(list(reading.parts.values()), -1)
        return as_reading(probs, classes, classes.index(name), held)

    readings = {key: read(reading) for key, reading in record.readings.items()}
    curve = replace(record.curve, attacked=read(record.curve.attacked))
    return replace(record, reference=name, readings=readings, curve=curve, **changes)


def other_class(record: AttackRecord) -> str:
    """A class that is not the reference."""
    return next(name for name in record.clean.parts if name != record.reference)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sample(
    *,
    eps: float = 0.5,
    seed: int = 1,
    classes: tuple[str, ...] = ("negative", "positive"),
    tokens: tuple[str, ...] = TOKENS,
    vocabulary: tuple[str, ...] = VOCABULARY,
    model: str = "plain",
    strength: float = 12.0,
    width: int = 16,
    text: str | None = None,
    given: bool = True,
) -> Sample:
    """One sentence attacked by one normalised gradient step per ε, ε in × mean norm."""
    rng = np.random.default_rng(seed)
    vocabulary = tuple(dict.fromkeys((*vocabulary, *tokens)))
    V, D, T, C, S = len(vocabulary), width, len(tokens), len(classes), 10
    table = rng.normal(size=(V, D))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    head = rng.normal(size=(D, C)) * strength / np.sqrt(D)
    ids = np.array([vocabulary.index(t) for t in tokens])
    x = table[ids]  # (T,D)
    perturbable = np.array([t not in SPECIAL for t in tokens])
    weight = np.abs(rng.normal(size=T)) + 0.2  # (T,) how much the model listens to each token
    weight /= weight.sum()

    def logits(e: np.ndarray) -> np.ndarray:
        return np.tanh((weight[:, None] * e).sum(0)) @ head

    def gradient(e: np.ndarray, c: int) -> np.ndarray:
        """(T,D) of logit c against the mean of the others."""
        mixed = np.tanh((weight[:, None] * e).sum(0))
        direction = head[:, c] - (head.sum(1) - head[:, c]) / max(C - 1, 1)
        return weight[:, None] * ((1 - mixed**2) * direction)[None]

    clean = softmax(logits(x))
    label = int(clean.argmax())
    ordinary = np.array([v not in SPECIAL for v in vocabulary])
    distances = np.linalg.norm(table[ordinary][:, None] - table[ordinary][None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    scale = Scale(1.0, float(np.median(distances.min(1)) / 2))

    def attack(radius: float) -> np.ndarray:
        g = -gradient(x, label) * perturbable[:, None]
        return radius * g / max(np.linalg.norm(g), 1e-12)

    def noise(radius: float) -> np.ndarray:
        n = rng.normal(size=(T, D)) * perturbable[:, None]
        return radius * n / max(np.linalg.norm(n), 1e-12)

    grid = np.linspace(0, eps, 25)
    along = np.stack([softmax(logits(x + attack(e))) for e in grid])
    draws = np.stack([[softmax(logits(x + noise(e))) for _ in range(20)] for e in grid])  # (N,R,C)
    flips = np.flatnonzero(along.argmax(1) != label)

    def read(probs: np.ndarray) -> Reading:
        return as_reading(np.atleast_2d(probs), list(classes), label, label)

    curve = Curve(
        grid,
        read(along),
        draws[:, :, label].min(1),
        draws[:, :, label].mean(1),
        draws[:, :, label].max(1),
        np.stack([np.linalg.norm(attack(e), axis=1) for e in grid]),
        float(grid[flips[0]]) if len(flips) else None,
        draws=20,
        deltas=np.stack([attack(e) for e in grid]),
    )
    delta = attack(eps)
    step_deltas = [delta * s / S for s in range(S + 1)]
    step_probs = np.stack([softmax(logits(x + d)) for d in step_deltas])
    flip_steps = np.flatnonzero(step_probs.argmax(1) != label)
    moved = x + delta

    neighbours = {}
    for metric in ("l2", "cosine", "dot"):
        dot = moved @ table.T
        score = {
            "l2": np.linalg.norm(moved[:, None] - table[None], axis=-1),
            "cosine": 1 - dot / np.linalg.norm(moved, axis=1, keepdims=True),
            "dot": -dot,
        }[metric]
        score = np.where(ordinary[None] | (np.arange(V)[None] == ids[:, None]), score, np.inf)
        order = score.argsort(1)[:, :5]
        top = np.take_along_axis(score, order, 1)
        own = 1 + (score < score[np.arange(T), ids][:, None]).sum(1)
        sign = -1 if metric == "dot" else 1
        neighbours[metric] = Neighbours(
            metric,
            tuple(tuple(vocabulary[i] for i in row) for row in order),
            order,
            sign * top,
            own,
            top[:, 1] - top[:, 0],
            int((~ordinary).sum()),
        )

    delta_norm = np.linalg.norm(delta, axis=1)
    exits, certificate = np.full(T, np.inf), np.zeros(T)
    for t in range(T):
        gap = table - x[t]
        far = np.linalg.norm(gap, axis=1)
        others = ordinary & (np.arange(V) != ids[t])
        certificate[t] = far[others].min() / 2
        if delta_norm[t] > 0:
            along_u = gap @ (delta[t] / delta_norm[t])
            ahead = others & (along_u > 1e-9)
            if ahead.any():
                exits[t] = (far[ahead] ** 2 / (2 * along_u[ahead])).min()

    word_of, words = [], []
    for token in tokens:
        if token in SPECIAL:
            word_of.append(-1)
        elif token.startswith("##") and words:
            words[-1] += token[2:]
            word_of.append(len(words) - 1)
        else:
            words.append(token)
            word_of.append(len(words) - 1)
    owners = np.array(word_of, dtype=int)

    def by_word(values: np.ndarray) -> tuple[np.ndarray, float]:
        sums = np.array([values[owners == w].sum() for w in range(len(words))])
        return sums, float(values[owners < 0].sum())

    saliency = {}
    for method in ("saliency", "input_x_gradient", "integrated_gradients"):
        pieces = []
        for e in (x, moved):
            g = gradient(e, label)
            tokenwise = np.linalg.norm(g, axis=1) if method == "saliency" else (e * g).sum(1)
            pieces.append((tokenwise, *by_word(tokenwise)))
        error = 0.004 if method == "integrated_gradients" else None
        saliency[method] = Saliency(
            method,
            f"logit of {classes[label]}",
            Attribution(*pieces[0], completeness=error),
            Attribution(*pieces[1], completeness=error),
            method != "saliency",
            "zero vectors" if error else "",
        )

    snapped = np.where(perturbable, neighbours["l2"].ids[:, 0], ids)
    projected = softmax(logits(table[snapped]))
    again = [vocabulary[i] for i in snapped if vocabulary[i] not in SPECIAL]
    planes = tuple(
        _plane(
            int(t),
            x[t],
            delta[t],
            table[ordinary],
            [v for v in vocabulary if v not in SPECIAL],
            tokens[t],
            float(exits[t]),
        )
        for t in np.flatnonzero(perturbable)
    )
    record = AttackRecord(
        text=" ".join(words) if text is None else text,
        reference=classes[label],
        given=given,
        task={"name": "classification"},
        model=model,
        model_hash=f"{seed:012x}",
        attack={"name": "pgd", "eps": eps, "unit": "norm", "p": "l2", "steps": S},
        seed=seed,
        eps=eps,
        scale=scale,
        tokens=tokens,
        word_of=owners,
        words=tuple(words),
        spans=_spans(tokens, " ".join(words) if text is None else text),
        perturbable=perturbable,
        shield=(),
        readings={
            "clean": read(clean),
            "attacked": read(softmax(logits(moved))),
            "noise": read(draws[-1]),
            "nearest tokens": read(projected),
            "as text again": read(projected),
            "steps": read(step_probs),
        },
        round_trip_text=" ".join(again).replace(" ##", ""),
        round_trip_tokens=tuple(again),
        losses=-np.log(step_probs[:, label]),
        step_norms=np.stack([np.linalg.norm(d, axis=1) for d in step_deltas]),
        best_step=S,
        path_steps=np.arange(S + 1),
        path=np.stack(step_deltas),
        flip_step=int(flip_steps[0]) if len(flip_steps) else None,
        delta=delta,
        delta_norm=delta_norm,
        embed_norm=np.linalg.norm(x, axis=1),
        exit_radius=exits,
        certificate=certificate,
        neighbours=neighbours["l2"],
        curve=curve,
        seconds=0.2,
    )
    return Sample(record, saliency, planes)


def _spans(tokens: tuple[str, ...], text: str) -> np.ndarray:
    """Where each token stands in the text; (0, 0) for special tokens and for what is not there."""
    spans, place = [], 0
    for token in tokens:
        piece = token.removeprefix("##")
        start = -1 if token in SPECIAL else text.find(piece, place)
        spans.append((0, 0) if start < 0 else (start, start + len(piece)))
        place = spans[-1][1] or place
    return np.array(spans)


def _plane(
    token: int,
    origin: np.ndarray,
    delta: np.ndarray,
    rows: np.ndarray,
    names: list[str],
    own: str,
    exit_radius: float,
) -> LocalPlane:
    others = np.array([i for i, n in enumerate(names) if n != own])
    gap = rows[others] - origin
    nearest = np.linalg.norm(gap, axis=1).argsort()[:30]
    gap, labels = gap[nearest], tuple(names[others[i]] for i in nearest)
    u = delta / max(np.linalg.norm(delta), 1e-12)
    flat = gap - np.outer(gap @ u, u)
    v = np.linalg.svd(flat, full_matrices=False)[2][0]
    px, py = gap @ u, gap @ v
    reach = 1.1 * float(np.abs(np.concatenate([px, py])).max())
    side = np.linspace(-reach, reach, 61)
    points = side[None, :, None] * u + side[:, None, None] * v  # (G,G,D)
    away = np.linalg.norm(points[:, :, None] - gap[None, None], axis=-1)
    cell = np.where(np.linalg.norm(points, axis=-1) <= away.min(-1), -1, away.argmin(-1))
    length = float(np.linalg.norm(delta))
    return LocalPlane(
        token,
        px,
        py,
        np.linalg.norm(gap - np.outer(px, u) - np.outer(py, v), axis=1),
        labels,
        length,
        exit_radius,
        side,
        side,
        cell,
        2 * reach / (3 * length) if length else 1.0,
    )


def robust_record(**changes: object) -> AttackRecord:
    """The same sentence under a model that the same ε does not flip."""
    return sample_record(**{"model": "freelb", "seed": 22} | changes)  # type: ignore[arg-type]


def renamed(record: Any, **changes: object) -> Any:
    """`record`, or a part of one, with some fields replaced."""
    return replace(record, **changes)


def rectangular(reel: Reel) -> None:
    """Every series and every bar has a value in every frame, and all of it is JSON."""
    F = len(reel.x)
    assert len(reel.labels) == F
    assert 0 <= reel.start < F
    for chart in reel.charts:
        for line in chart.series:
            assert len(line.y) == F
            assert all(0 <= k < F for k, *_ in line.marks)
    for panel in reel.panels:
        assert set(panel.bars) == {mode.key for mode in reel.modes}
        for values in panel.bars.values():
            assert [len(row) for row in values] == [len(panel.tokens)] * F
        assert len(panel.said) == F
    json.dumps(reel.data(), allow_nan=False)


def diary(
    clean: Callable[[int], float], perturbed: Callable[[int], float], *, n: int = 200, best: int = 3
) -> list[Event]:
    dice = random.Random(0)
    noise = [dice.gauss(0, 0.02) for _ in range(2 * n)]
    steps = [
        Event(
            "step",
            5 * k,
            0.0,
            {
                "clean_loss": clean(k) + noise[k],
                "adv_loss": perturbed(k) + noise[n + k],
                "grad_norm": 1.0 + noise[k],
                "strength": min(1.0, k / 50),
            },
        )
        for k in range(n)
    ]
    rate = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 100}
    epochs = [
        Event(
            "epoch",
            250 * k,
            0.0,
            {"epoch": k, "clean_accuracy": rate, "robust_accuracy": rate, "best": k <= best},
        )
        for k in (1, 2, 3)
    ]
    return [*steps, *epochs]
