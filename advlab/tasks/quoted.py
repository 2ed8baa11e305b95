"""What people quote of answers beside the share that is right: F1, BLEU, perplexity, with intervals.

A figure is a function of some of the texts. Its interval is a bootstrap over texts: the function is
asked again of texts drawn with replacement, the same ones for every figure and every model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from advlab.language import _
from advlab.records import Example
from advlab.records.estimates import Resampled
from advlab.records.measured import Quoted
from advlab.tasks.base import Batch

DRAWS = 1000
SEED = 12345  # sacrebleu's own, so that its intervals are these


class Said(NamedTuple):
    """What a model makes of one text: its answer, and the loss of the known one."""

    answer: str
    nats: float  # of the known answer, mean over its tokens
    tokens: int


@dataclass(frozen=True)
class Figure:
    """One figure of the answers to N texts; `of` the places (n,) of some of them, repeats included."""

    name: str
    of: Callable[[np.ndarray], float]
    unit: str = "share"
    note: str = ""
    lower: bool = False
    drawn: bool = True  # whether texts drawn anew say something of it
    counted: bool = False  # a share of texts of which each does or does not


@runtime_checkable
class Quotes(Protocol):
    """A task of whose answers people quote more than whether they are right."""

    def lengths(self, batch: Batch) -> Tensor:
        """(B,) of how many tokens the loss of each example is the mean."""
        ...

    def figures(
        self, said: Sequence[Said], clean: Sequence[Said], examples: Sequence[Example]
    ) -> list[Figure]:
        """What is quoted of answers to some examples, headline first; `clean`: those without a δ."""
        ...


def quote(
    task: Quotes,
    clean: Sequence[Said],
    robust: Sequence[Sequence[Said]],
    noisy: Sequence[Sequence[Said]],
    examples: Sequence[Example],
) -> tuple[Quoted, ...]:
    """Each figure of the clean answers to N examples, of those at each ε and those under noise."""
    N = len(examples)
    draws = np.random.default_rng(SEED).choice(N, size=(DRAWS, N), replace=True)
    rows = [
        [_resampled(figure, draws) for figure in task.figures(said, clean, examples)]
        for said in (clean, *robust, *noisy)
    ]
    E = len(robust)
    return tuple(
        Quoted(f.name, column[0], column[1 : 1 + E], column[1 + E :], f.note, f.lower)
        for f, column in zip(
            task.figures(clean, clean, examples), zip(*rows, strict=True), strict=True
        )
    )


def _resampled(figure: Figure, draws: np.ndarray) -> Resampled:
    N = draws.shape[1]
    drawn = np.array([figure.of(places) for places in draws]) if figure.drawn else np.zeros(0)
    return Resampled(figure.of(np.arange(N)), drawn, N, figure.unit, figure.counted)


# ---- figures that several tasks have ------------------------------------------------------------


def mean(name: str, values: Sequence[float], **more: Any) -> Figure:
    """The mean of one value a text."""
    found = np.asarray(values, dtype=float)
    return Figure(name, lambda places: float(found[places].mean()), **more)


def share(name: str, values: Sequence[bool], **more: Any) -> Figure:
    """The share of texts of which something is true."""
    return mean(name, values, counted=True, **more)


def part(name: str, values: Sequence[float], among: Sequence[bool], **more: Any) -> Figure:
    """The mean of one value a text, over those `among` which it counts."""
    found, counts = np.asarray(values, dtype=float), np.asarray(among, dtype=float)

    def of(places: np.ndarray) -> float:
        n = counts[places].sum()
        return float((found * counts)[places].sum() / n) if n else float("nan")

    return Figure(name, of, **more)


def changed(said: Sequence[Said], clean: Sequence[Said]) -> Figure:
    """The share of answers that are no longer what they were."""
    values = [a.answer != b.answer for a, b in zip(said, clean, strict=True)]
    return share(_("answer changed"), values, lower=True)
