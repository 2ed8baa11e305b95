"""What an explanation needs beside it to be believed: one row a method, that travels with exports.

A map of words without its target, baseline and settings cannot be repeated; without its completeness
error, the spread of its draws and its agreement with leaving words out, nobody knows what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlab.capsule.reader import Part
from advlab.language import N_, _
from advlab.pictures.sentences import number, percent
from advlab.pictures.tables import Columns
from advlab.records import Saliency
from advlab.records.estimates import rank_correlation

MOST = 40  # methods in a file
MEANING = N_(
    "How far each method's attributions can be believed: what its sum misses "
    "of the change that it explains, how much one random draw differs from the "
    "next, and how its order of the words agrees with leaving out one word at "
    "a time (Spearman's ρ, 1: the same order). A dash: it makes no such claim."
)
_SIZE = 1e12


@dataclass(frozen=True)
class Passport:
    """One method on one sentence: clean and perturbed. None: the method makes no such claim."""

    method: str  # for people
    target: str
    baseline: str  # empty: it needs none
    settings: str  # ‘steps 50, seed 0’; empty: none
    missing: float | None  # |Σ − (F(x) − F(b))| ÷ |F(x) − F(b)|, clean
    missing_perturbed: float | None
    spread: float | None  # SD of one random draw, mean of the words, in units of the target
    agreement: float | None  # Spearman's ρ of its words with leaving one word out, clean
    agreement_perturbed: float | None
    withheld: str = ""  # why the method gave no scores


def passports(maps: Sequence[Saliency], truth: Saliency) -> list[Passport]:
    """One a map. `truth` is leaving one word out, for the same target; by size for unsigned maps."""
    return [_passport(m, truth) for m in maps]


def _passport(found: Saliency, truth: Saliency) -> Passport:
    def agreement(a: np.ndarray, b: np.ndarray) -> float | None:
        if found.withheld or found.method == truth.method:
            return None
        value = rank_correlation(a, b if found.signed else abs(b))
        return value if value is not None and np.isfinite(value) else None

    spread = found.clean.spread
    return Passport(
        method=found.title or found.method,
        target=found.target,
        baseline=found.baseline,
        settings=", ".join(f"{k} {v:g}" for k, v in found.settings.items()),
        missing=_finite(found.clean.completeness),
        missing_perturbed=_finite(found.perturbed.completeness),
        spread=None if spread is None or not len(spread) else _finite(float(spread.mean())),
        agreement=agreement(found.clean.words, truth.clean.words),
        agreement_perturbed=agreement(found.perturbed.words, truth.perturbed.words),
        withheld=found.withheld,
    )


def columns(found: Sequence[Passport]) -> Columns:
    """As a table for people: every number with its unit, a dash where a method claims none."""

    def text(value: float | None, write: object = number) -> str:
        return "–" if value is None else write(value)  # type: ignore[operator]

    return {
        "method": [p.method for p in found],
        "baseline": [p.baseline or _("none") for p in found],
        "settings": [p.settings or _("none") for p in found],
        "sum misses, clean": [text(p.missing, percent) for p in found],
        "sum misses, perturbed": [text(p.missing_perturbed, percent) for p in found],
        "SD of a draw, logits or nats": [text(p.spread) for p in found],
        "ρ with leaving one out, clean": [text(p.agreement) for p in found],
        "ρ, perturbed": [text(p.agreement_perturbed) for p in found],
        "target": [p.target for p in found],
    }


def read(part: Part) -> Passport:
    """One of a file's."""
    return Passport(
        method=part.text("method", 100),
        target=part.text("target", 400),
        baseline=part.text("baseline", 400),
        settings=part.text("settings", 400),
        missing=part.number_or_none("missing", 0, _SIZE),
        missing_perturbed=part.number_or_none("missing_perturbed", 0, _SIZE),
        spread=part.number_or_none("spread", 0, _SIZE),
        agreement=part.number_or_none("agreement", -1.001, 1.001),
        agreement_perturbed=part.number_or_none("agreement_perturbed", -1.001, 1.001),
        withheld=part.text("withheld", 400),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < _SIZE else None
