"""One sentence in, one record out: attack it, project it, explain it. What the Explore page calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import Attack, attack_settings
from advlab.errors import DataError, SettingError, unknown
from advlab.explain import curve as radii
from advlab.explain.distances import distances, vocabulary_map
from advlab.explain.frames import film, noise, sweep
from advlab.explain.landscape import line, surface
from advlab.explain.nearest import METRICS, certificate, exit_radius, nearest_tokens, scores
from advlab.explain.neighbours import embedded, nearest
from advlab.explain.next_word import exits, scaled
from advlab.explain.plane import local_plane
from advlab.explain.saliency import DEFAULTS as SALIENCY_METHODS
from advlab.explain.saliency import choices, explain, layers
from advlab.explain.saliency import saliency as saliency_of
from advlab.explain.subject import Stage, spelled, token_spans, written
from advlab.explain.substitutions import substitutions
from advlab.explain.targets import Case, make_target
from advlab.model.victim import Victim
from advlab.records import AttackRecord, LocalPlane, Neighbours

MAX_CHARACTERS = 20_000
FRAMES = 41  # steps of the attack whose δ a record keeps, at most, besides the best and the flip


def explore(
    victim: Victim,
    text: str,
    *,
    label: int | str | None = None,
    attack: Attack,
    seed: int = 0,
    shield: Sequence[tuple[int, int]] = (),
    saliency: Sequence[str] = SALIENCY_METHODS,
    neighbours: int = 5,
    draws: int = 20,
    points: int = 25,
    planes: int = 6,
) -> AttackRecord:
    """Attack one text and record everything that can be seen of it.

    `label` is the class (index or name) whose loss is raised; without one, the model's own
    prediction. `attack` may have ε in any unit. The curve has `points` values of ε from 0 to twice
    the attack's. Words that overlap a character span of `shield` are not perturbed. The victim is
    left as it was; share one between threads through `view()` only. `saliency=()` and `planes=0`
    save time; `analyse` makes these and more of a record later.
    """
    began = time.perf_counter()
    text, notes = _readable(text)
    raw = attack.at(victim.scale)
    with victim.analysing():
        stage = Stage.set(victim, text, raw, shield=shield)
        batch, embeds = stage.batch, stage.embeds
        if not batch.perturbable.any():
            raise DataError(
                "expected some words, got none that this model can read; type a sentence"
            )
        notes += _cut_note(victim, text)
        clean = victim.probs(embeds, batch)[0]
        target = int(clean.argmax()) if label is None else _class(victim, label)
        batch = batch.with_labels(torch.full_like(batch.labels, target))
        stage = replace(stage, batch=batch)
        spans = token_spans(victim, text)
        objective = victim.objective(batch)
        generator = torch.Generator().manual_seed(seed)
        found = raw(
            objective, embeds, batch.perturbable, generator, flips=objective.flips, keep_path=True
        )
        assert found.path is not None
        delta = found.delta
        adversarial = embeds + delta

        path = found.path[:, 0]  # (S+1,T,D)
        step_probs = victim.probs(embeds + path, batch.repeat(len(path)))
        flipped = (step_probs.argmax(-1) != clean.argmax()).nonzero()
        kept = _kept_steps(len(path), int(found.best_step[0]), flipped[:1, 0].tolist())
        noise = victim.probs(
            embeds + stage.noise_as_long(delta, draws, seed + 1), batch.repeat(draws)
        )

        own = batch.input_ids[0]
        table, allowed = victim.table, victim.ordinary
        apart = scores(table[own], table, "l2")  # (T,V)
        near = {
            metric: nearest_tokens(adversarial[0], own, table, allowed, neighbours, metric)
            for metric in METRICS
        }
        snapped = torch.where(batch.perturbable[0], near["l2"][0][:, 0], own)
        projected = victim.probs(victim.embed(snapped.unsqueeze(0)), batch)[0]
        read = spelled(victim, snapped[written(victim, text)])  # with the shielded words too
        again = victim.encode([read])
        round_trip = victim.probs(victim.embed(again.input_ids), again)[0]

        words, word_of = _words(victim, text, len(own))
        asked = make_target(victim, batch, clean)
        ordinary = victim.encode([text]).perturbable[0]  # shielded words are explained too
        case = Case(asked, torch.cat([embeds, adversarial]), tuple(word_of), ordinary)
        maps = {m: explain(m, case) for m in saliency}
        curve = radii.curve(victim, embeds, batch, raw, delta[0], points=points, seed=seed)

        size = delta[0].norm(dim=-1)
        largest = [int(i) for i in size.argsort(descending=True)[:planes] if size[i] > 0]
        drawn = tuple(
            local_plane(
                i, int(own[i]), delta[0, i], table, allowed, victim.token_texts, apart=apart[i]
            )
            for i in sorted(largest)
        )
        leaves = exit_radius(own, delta[0], table, allowed, apart)
        safe = certificate(own, table, allowed, apart)

    excluded = int((~allowed).sum())
    return AttackRecord(
        text=text,
        label=target,
        label_given=label is not None,
        label_names=victim.label_names,
        model=victim.name,
        model_hash=victim.hash,
        attack=attack_settings(attack),
        seed=seed,
        eps=float(raw.eps),
        scale=victim.scale,
        tokens=tuple(victim.token_texts(own.tolist())),
        word_of=np.array(word_of),
        words=words,
        spans=np.array(spans),
        perturbable=_np(batch.perturbable[0]),
        shield=tuple((int(start), int(end)) for start, end in shield),
        clean=_np(clean),
        adversarial=_np(step_probs[int(found.best_step[0])]),
        random=_np(noise),
        projected=_np(projected),
        round_trip=_np(round_trip),
        round_trip_text=read,
        round_trip_tokens=tuple(victim.token_texts(again.input_ids[0].tolist())),
        losses=_np(found.losses[:, 0]),
        step_probs=_np(step_probs),
        step_norms=_np(path.norm(dim=-1)),
        path_steps=np.array(kept),
        path=_np(path[kept]),
        best_step=int(found.best_step[0]),
        flip_step=int(flipped[0, 0]) if len(flipped) else None,
        delta=_np(delta[0]),
        delta_norm=_np(size),
        embed_norm=_np(embeds[0].norm(dim=-1)),
        exit_radius=_np(leaves),
        certificate=_np(safe),
        neighbours={
            metric: Neighbours(
                metric=metric,
                tokens=tuple(tuple(victim.token_texts(row)) for row in ids.tolist()),
                ids=_np(ids),
                scores=_np(values),
                own_rank=_np(rank),
                margin=_np(gap),
                excluded=excluded,
            )
            for metric, (ids, values, rank, gap) in near.items()
        },
        saliency=maps,
        curve=curve,
        planes=drawn,
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
    )


def analyse(victim: Victim, record: AttackRecord, name: str, **options: Any) -> Any:
    """One of `ANALYSES` of a record. ModelError unless `victim` is the model that made the record."""
    if name not in ANALYSES:
        raise SettingError(unknown("analysis", name, ANALYSES))
    with victim.analysing():
        return ANALYSES[name](Stage.of(victim, record), record, **options)


def _plane(stage: Stage, record: AttackRecord, token: int) -> LocalPlane:
    victim = stage.victim
    return local_plane(
        token,
        int(stage.batch.input_ids[0, token]),
        torch.as_tensor(record.delta[token]).to(stage.embeds),
        victim.table,
        victim.ordinary,
        victim.token_texts,
    )


# what can be made of a record on its model when it is asked for: (stage, record, **options) -> data
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
}


def _kept_steps(count: int, best: int, flip: Sequence[int]) -> list[int]:
    """Steps of the path that a record keeps: evenly spaced, the first and last, best and flip."""
    spaced = np.linspace(0, count - 1, min(count, FRAMES)).round().astype(int).tolist()
    return sorted({*spaced, best, *flip})


def _readable(text: str) -> tuple[str, list[str]]:
    notes = []
    if len(text) > MAX_CHARACTERS:
        notes.append(f"Only the first {MAX_CHARACTERS:,} of {len(text):,} characters were read.")
        text = text[:MAX_CHARACTERS]
    # lone surrogates cannot be encoded, and tokenizers refuse them
    text = text.encode("utf-8", "replace").decode()
    if not text.strip():
        raise DataError("expected a sentence, got an empty text; type one or pick an example")
    return text, notes


def _cut_note(victim: Victim, text: str) -> list[str]:
    whole = len(victim.tokenizer(text, truncation=False, verbose=False)["input_ids"])
    if whole <= victim.max_length:
        return []
    return [f"Only the first {victim.max_length} of {whole:,} tokens were read: the model's limit."]


def _class(victim: Victim, label: int | str) -> int:
    names = victim.label_names
    if isinstance(label, str) and label in names:
        return names.index(label)
    if isinstance(label, int) and 0 <= label < len(names):
        return label
    raise SettingError(
        f"expected a label among {', '.join(names)} (or 0 to {len(names) - 1}), got {label!r}; "
        "choose one of them"
    )


def _words(victim: Victim, text: str, T: int) -> tuple[tuple[str, ...], list[int]]:
    """The words of a text, and for each token the word it is part of (−1: special)."""
    found = victim.tokenizer(
        text, truncation=True, max_length=victim.max_length, return_offsets_mapping=True
    )
    spans: dict[int, list[int]] = {}
    for word, (start, end) in zip(found.word_ids(), found["offset_mapping"], strict=True):
        if word is not None:
            span = spans.setdefault(word, [start, end])
            span[0], span[1] = min(span[0], start), max(span[1], end)
    order = {word: i for i, word in enumerate(sorted(spans))}
    words = tuple(text[slice(*spans[word])].strip() for word in sorted(spans))
    word_of = [-1 if word is None else order[word] for word in found.word_ids()]
    assert len(word_of) == T
    return words, word_of


def _np(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


__all__ = ["ANALYSES", "MAX_CHARACTERS", "SALIENCY_METHODS", "analyse", "explore"]
