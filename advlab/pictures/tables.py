"""The numbers behind the pictures: an `AttackRecord` as columns, CSV and JSON.

Columns are dicts of lists, which any table widget or writer takes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from advlab.language import _
from advlab.pictures.sentences import exit_share, norm_share, rest_of, token_kinds
from advlab.pictures.wording import reference_of
from advlab.records import AttackRecord, Frames, Saliency
from advlab.records.estimates import rank_correlation

Columns = dict[str, list[Any]]
_RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run these as formulas


def token_columns(record: AttackRecord) -> Columns:
    """One row a token: its δ, and how far it is from becoming another token."""
    return {
        "token": list(record.tokens),
        "kind": [_(kind) for kind in token_kinds(record)],
        "‖δ‖, raw": record.delta_norm.tolist(),
        "‖δ‖ ÷ ‖e‖": _ratio(record.delta_norm, record.embed_norm),
        "share of ‖δ‖²": norm_share(record).tolist(),
        "exit radius, raw": [float(v) if np.isfinite(v) else None for v in record.exit_radius],
        "share of exit radius": exit_share(record).tolist(),
        "certificate, raw": record.certificate.tolist(),
        "certified": [
            bool(d < c) for d, c in zip(record.delta_norm, record.certificate, strict=True)
        ],
    }


def saliency_columns(
    record: AttackRecord,
    maps: Sequence[Saliency],
    rows: str = "words",
    titles: Sequence[str] | None = None,
) -> Columns:
    """Clean and perturbed per method: one row a word and a last one for all other tokens.

    With `rows="tokens"` one row a token, the special ones too. `titles` stand for the methods'
    names, as where one method starts from several baselines.
    """
    tokens = rows == "tokens"
    names = record.tokens if tokens else (*record.words, f"({rest_of(record)})")
    table: Columns = {"token" if tokens else "word": list(names)}
    for s, title in zip(maps, titles or [_(s.title) or s.method for s in maps], strict=True):
        for version, one in s.versions:
            values = one.tokens.tolist() if tokens else [*one.words.tolist(), float(one.remainder)]
            name = _("{title}, {version}", title=title, version=_(version))
            while name in table:  # one method twice, from two baselines
                name += "′"
            table[name] = values
            if one.spread is not None and not tokens:  # of words alone: it has no remainder
                table[_("{name}, SD of a draw", name=name)] = [*one.spread.tolist(), None]
    return table


def baseline_columns(maps: Sequence[Saliency], titles: Sequence[str]) -> Columns:
    """Rank correlation of the words between each two baselines, one row a baseline and version."""
    found = [
        (title, *version) for m, title in zip(maps, titles, strict=True) for version in m.versions
    ]
    table: Columns = {
        "baseline": [title for title, __, __ in found],
        "sentence": [_(version) for __, version, __ in found],
    }
    for other, title in zip(maps, titles, strict=True):
        words = dict(other.versions)
        table[_("ρ with {title}", title=title)] = [
            rank_correlation(one.words, words[version].words) for __, version, one in found
        ]
    return table


def curve_columns(record: AttackRecord) -> Columns:
    """One row an ε: all three units, and the score of the reference."""
    curve = record.curve
    return {
        "ε raw": curve.eps.tolist(),
        "ε × mean norm": (curve.eps / record.scale.mean_norm).tolist(),
        "ε × half-NN": [record.scale.units(e)["half-nn"] for e in curve.eps.tolist()],
        "adversarial": curve.attacked.score.tolist(),
        "random lowest": curve.low.tolist(),
        "random mean": curve.mean.tolist(),
        "random highest": curve.high.tolist(),
    }


def step_columns(record: AttackRecord, frames: Frames | None = None) -> Columns:
    """One row an attack step: loss, score and margin of the reference, δ.

    `frames` (the analysis "film") adds what the token with the longest δ is nearest to, at the
    steps that the record keeps.
    """
    steps, longest = np.arange(len(record.losses)), record.step_norms.argmax(1)
    table: Columns = {
        "step": steps.tolist(),
        "loss, nats": record.losses.tolist(),
        f"P({reference_of(record)})": record.steps.score.tolist(),
        "margin, logits": record.steps.margin.tolist(),
        "‖δ‖, raw": np.linalg.norm(record.step_norms, axis=1).tolist(),
        "longest on": [record.tokens[t] for t in longest],
        "its ‖δ‖, raw": record.step_norms[steps, longest].tolist(),
    }
    if frames is not None:
        kept = {int(s): f for f, s in enumerate(record.path_steps)}
        table["nearest to"] = [
            frames.tokens[kept[s]][longest[s]] if s in kept else None for s in steps.tolist()
        ]
    return table


def to_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Comma-separated text; cells that a spreadsheet would run as formulas get a leading quote."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(name) for name in columns])
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_safe(cell) for cell in row])
    return out.getvalue()


def to_json(record: AttackRecord, **more: Any) -> str:
    """The whole record as one JSON object, with `more` beside it; numbers that are none become null."""
    return json.dumps(_plain(record) | _plain(more), ensure_ascii=False, allow_nan=False)


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RISKY) else cell


def _ratio(top: np.ndarray, bottom: np.ndarray) -> list[float]:
    return (top / np.where(bottom > 0, bottom, 1.0)).tolist()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
