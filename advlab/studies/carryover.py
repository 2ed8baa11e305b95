"""Does robustness carry over? Models against kinds of attack, and attacks made on other models.

Two tables on the same texts. `carry_over`: each model under perturbations of many kinds, all as long
as each other on a text of median length, and under replaced words. `transfer`: δ, or a text with one
word replaced, made on one model and tried on another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from advlab.attacks import FGM, PGD, SPSA, Attack, AutoPGD, RandomNoise, attack_settings
from advlab.attacks.evaluate import by_length, survives
from advlab.attacks.hotflip import HotFlip
from advlab.attacks.universal import Universal, spread
from advlab.errors import DataError
from advlab.language import N_, _
from advlab.records import Example
from advlab.records.measured import CarryOver, Transfer
from advlab.settings import plain
from advlab.studies.kept import Outcomes, Progress, data_hash, signature

if TYPE_CHECKING:
    from advlab.model.victim import Victim

UNIVERSAL, ONE_WORD, THREE_WORDS = (
    N_("one δ for all texts"),
    N_("one word replaced"),
    N_("three words replaced"),
)
CHUNK = 128  # texts in one batch, and in one file of outcomes


def kinds_of_attack(eps: float, T: float, D: int) -> dict[str, Attack]:
    """Name -> attack. Each δ may be as long as ε (× mean norm, L2) on a text of T words of width D.

    A ball a word has radius ε/√T; a cube's corner is ε/√(T·D) away on each axis.
    """
    return {
        N_("random noise"): RandomNoise(eps, draws=5),
        N_("one step (FGM)"): FGM(eps),
        "PGD-20": PGD(eps, steps=20, step_size=0.2),
        "Auto-PGD": AutoPGD(eps, steps=20),
        N_("no gradients (SPSA)"): SPSA(eps, steps=10, samples=8),
        N_("PGD-20, a ball a word"): PGD(eps / sqrt(T), ball="token", steps=20, step_size=0.2),
        "PGD-20, L∞": PGD(eps / sqrt(T * D), p="linf", steps=20, step_size=0.2),
    }


def carry_over(
    victims: Sequence[Victim],
    examples: Sequence[Example],
    eps: float,
    *,
    fitting: Sequence[Example],
    seed: int = 0,
    outcomes: Outcomes | None = None,
    progress: Progress = lambda share, what: None,
) -> CarryOver:
    """Each model under every kind of attack at ε (× mean norm). `fitting`: texts for the universal δ.

    `progress` hears how much is done; what it raises stops the work, with finished parts kept.
    DataError without examples.
    """
    if not examples or not fitting:
        raise DataError(_("expected texts to attack and texts to fit on, got none; check the data"))
    kept = outcomes or Outcomes()
    width = int(victims[0].table.shape[1])
    attacks: dict[str, Attack | Universal | HotFlip] = {
        **kinds_of_attack(eps, _median_words(victims[0], examples), width),
        UNIVERSAL: Universal(eps),
        ONE_WORD: HotFlip(1),
        THREE_WORDS: HotFlip(3),
    }
    right = np.zeros((len(victims), len(attacks), len(examples)), dtype=bool)
    for m, victim in enumerate(victims):
        for k, (name, attack) in enumerate(attacks.items()):

            def told(part: float, who: str, m: int = m, k: int = k, name: str = name) -> None:
                share = (m * len(attacks) + k + part) / (len(victims) * len(attacks))
                progress(share, f"{who}: {name}")

            trial = _Trial(victim, examples, seed, kept, told)
            if isinstance(attack, Universal):
                right[m, k] = trial.universal(attack, fitting)
            elif isinstance(attack, HotFlip):
                right[m, k] = trial.replaced(attack)
            else:
                right[m, k] = trial.perturbed(attack)
    return CarryOver(
        tuple(v.name for v in victims),
        tuple(v.hash for v in victims),
        tuple(attacks),
        tuple(_in_words(a) for a in attacks.values()),
        eps,
        tuple(e.id for e in examples),
        right,
    )


@dataclass(frozen=True)
class _Trial:
    """One model on some texts: which of them it reads right under an attack, made or read back."""

    victim: Victim
    examples: Sequence[Example]
    seed: int
    kept: Outcomes
    told: Progress

    def perturbed(self, attack: Attack) -> list[bool]:
        """Under a δ for each text."""
        return self._over(
            {"stands": attack_settings(attack)},
            lambda chunk, dice: survives(self.victim, chunk, attack, seed=dice),
        )

    def universal(self, attack: Universal, fitting: Sequence[Example]) -> list[bool]:
        """Under one δ for all texts, fitted on others."""
        victim = self.victim
        self.told(0.0, victim.name)
        settings = {"universal": plain(attack), "seed": self.seed}
        u = self.kept.kept(
            signature(victim, fitting) | settings,
            int(victim.table.shape[1]),
            lambda dice: attack.fit(victim, fitting, dice).tolist(),
        )
        raw = victim.scale.raw(attack.eps, attack.unit)
        return self._over(
            {**settings, "fitted": data_hash(fitting, victim.head)},
            lambda chunk, _: under_universal(victim, chunk, u, raw),
        )

    def replaced(self, flip: HotFlip) -> list[bool]:
        """With words replaced."""
        return self._over(
            {"hotflip": plain(flip)}, lambda chunk, _: under_hotflip(self.victim, chunk, flip)
        )

    def _over(
        self, what: dict[str, Any], make: Callable[[list[Example], int], list[bool]]
    ) -> list[bool]:
        settings = {"seed": self.seed, **what}
        return self.kept.over(
            self.victim, self.examples, settings, make, size=CHUNK, progress=self.told
        )


def transfer(
    victims: Sequence[Victim],
    examples: Sequence[Example],
    eps: float,
    kind: Literal["delta", "words"],
    *,
    seed: int = 0,
    outcomes: Outcomes | None = None,
    progress: Progress = lambda share, what: None,
) -> Transfer:
    """What is made on each model, tried on every model. δ: PGD-20 at ε × the maker's mean norm.

    `words`: the text with the one word replaced that HotFlip found worst, written out and read anew.
    `progress` and what it raises as in `carry_over`.
    """
    kept = outcomes or Outcomes()
    M = len(victims)
    right = np.zeros((M, M, len(examples)), dtype=bool)
    possible = np.ones((M, M), dtype=bool)
    attack = PGD(eps, steps=20, step_size=0.2)
    for i, maker in enumerate(victims):
        others = [j for j, v in enumerate(victims) if kind == "words" or alike(maker, v)]
        possible[i] = [j in others for j in range(M)]
        tried = [victims[j] for j in others]
        settings = attack_settings(attack) if kind == "delta" else plain(HotFlip(1))

        def make(
            chunk: list[Example], dice: int, maker: Victim = maker, tried: list[Victim] = tried
        ) -> list[Any]:
            if kind == "delta":
                return _deltas_tried(maker, tried, chunk, attack, dice)
            return _words_tried(maker, tried, chunk)

        found = kept.over(
            maker,
            examples,
            {
                "seed": seed,
                "transfer": kind,
                "settings": settings,
                "tried": [v.hash for v in tried],
            },
            make,
            size=CHUNK,
            progress=lambda part, who, i=i: progress((i + part) / M, _("made on {who}", who=who)),
        )
        right[i, others] = np.array(found, dtype=bool).T
    return Transfer(
        kind,
        tuple(v.name for v in victims),
        tuple(v.hash for v in victims),
        tuple(e.id for e in examples),
        right,
        possible,
    )


def alike(a: Victim, b: Victim) -> bool:
    """Whether δ made on one fits the other: the same tokens, in vectors of the same width."""
    same = (a.tokenizer_hash, a.max_length) == (b.tokenizer_hash, b.max_length)
    return same and a.table.shape[1] == b.table.shape[1]


def under_universal(
    victim: Victim, examples: Sequence[Example], u: Sequence[float], eps: float
) -> list[bool]:
    """Which examples are read right, clean and with u spread over their words. ε raw."""
    right = [False] * len(examples)
    direction = torch.tensor(u, dtype=victim.table.dtype, device=victim.device)
    with victim.analysing(), torch.no_grad():
        for places, batch in by_length(victim, examples, CHUNK):
            x = victim.embed(batch)
            wrong = victim.objective(batch).flips(x)
            wrong |= victim.objective(batch).flips(x + spread(direction, batch.perturbable, eps))
            for place, bad in zip(places, wrong.tolist(), strict=True):
                right[place] = not bad
    return right


def under_hotflip(victim: Victim, examples: Sequence[Example], flip: HotFlip) -> list[bool]:
    """Which examples are read right, clean and after every replacement."""
    right = [False] * len(examples)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 64):
            for place, bad in zip(places, flip(victim, batch).flipped.tolist(), strict=True):
                right[place] = not bad
    return right


def _deltas_tried(
    maker: Victim, tried: Sequence[Victim], examples: Sequence[Example], attack: PGD, dice: int
) -> list[list[bool]]:
    right = [[False] * len(tried) for __ in examples]
    generator = torch.Generator().manual_seed(dice)
    with maker.analysing():
        for places, batch in by_length(maker, examples, CHUNK):
            objective = maker.objective(batch)
            found = attack.at(maker.scale)(
                objective,
                maker.embed(batch).detach(),
                batch.perturbable,
                generator,
                flips=objective.flips,
            )
            for j, other in enumerate(tried):
                with other.analysing(), torch.no_grad():
                    x = other.embed(batch)
                    ask = other.objective(batch)
                    wrong = ask.flips(x) | ask.flips(x + found.flip_delta.to(x))
                for place, bad in zip(places, wrong.tolist(), strict=True):
                    right[place][j] = not bad
    return right


def _words_tried(
    maker: Victim, tried: Sequence[Victim], examples: Sequence[Example]
) -> list[list[bool]]:
    changed = with_worst_word(maker, examples)
    columns = []
    for other in tried:
        clean, after = survives(other, examples), survives(other, changed)
        columns.append([a and b for a, b in zip(clean, after, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def with_worst_word(victim: Victim, examples: Sequence[Example]) -> list[Example]:
    """The examples with the one word replaced that HotFlip finds worst for the model, as texts."""
    changed = list(examples)
    with victim.analysing():
        for places, batch in by_length(victim, examples, 64):
            ids = HotFlip(1)(victim, batch).input_ids
            for row, place in enumerate(places):
                moved = (ids[row] != batch.input_ids[row]).nonzero()[:, 0].tolist()
                for t in moved:  # one at most
                    piece = victim.vocabulary.spelling(int(ids[row, t]))
                    changed[place] = batch.tokens[row].rewritten(examples[place], t, piece)
    return changed


def _median_words(victim: Victim, examples: Sequence[Example]) -> float:
    counts = [
        n for __, b in by_length(victim, examples, CHUNK) for n in b.perturbable.sum(1).tolist()
    ]
    return max(1.0, float(np.median(counts)))


def _in_words(attack: Any) -> str:
    values = {k: v for k, v in plain(attack).items() if k not in ("unit", "start", "targeted")}
    shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
    return f"{type(attack).__name__}: {', '.join(shown)}"
