"""Looks at a model while it trains: the sentence that is followed, and some held-out texts.

What is looked at changes nothing: the weights of a run are the same with and without.
"""

from __future__ import annotations

from typing import Any

from advlab.attacks.evaluate import share_of, survives
from advlab.model.victim import Victim
from advlab.records import Dataset, Example
from advlab.runs.config import TrainConfig, Watch
from advlab.training.judging import Judge
from advlab.training.pinned import look, referring


class Looks:
    """One look every so many steps, none where the settings ask for none."""

    def __init__(self, watch: Watch, data: Dataset, train: TrainConfig) -> None:
        self.watch, self.seed = watch, train.seed
        judge = Judge(data, train)
        self.attack, self.held_out = judge.attack, judge.held_out[: watch.texts]
        answers = (watch.answer,) if watch.answer else ()
        self.sentence = Example("pinned", watch.text, answers, watch.beside)

    def due(self, step: int, total: int) -> bool:
        """Whether the model is looked at after this many steps of all."""
        return bool(self.watch.every) and (step % self.watch.every == 0 or step == total)

    def __call__(self, victim: Victim) -> dict[str, Any]:
        """What a look event tells: accuracy, and of the sentence its margin and the ε that flips it."""
        told: dict[str, Any] = {
            "clean_accuracy": vars(share_of(survives(victim, self.held_out))),
            "robust_accuracy": vars(
                share_of(survives(victim, self.held_out, self.attack, seed=self.seed))
            ),
            "eval_eps": self.attack.eps,
        }
        if not self.watch.text:
            return told
        victim.forget()
        with victim.analysing():
            # without a known answer, the one that the model gives now stands
            found = look(victim, referring(victim, self.sentence))
        flip = found.flip_eps
        return told | {
            "answer": found.answer,
            "score": found.score,
            "margin": found.margin,
            "flip_eps": None if flip is None else flip / victim.scale.mean_norm,
        }
