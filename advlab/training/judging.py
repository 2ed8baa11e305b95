"""How good an epoch is: the same held-out texts, clean and under the same attack, after each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advlab.attacks import PGD, Attack, RandomNoise
from advlab.attacks.answers import quoted
from advlab.attacks.evaluate import by_length, share_of, survives
from advlab.model.victim import Victim
from advlab.records import Dataset, Estimate, Example
from advlab.runs.config import TrainConfig
from advlab.tasks import Batch


class Ranked(NamedTuple):
    """What epochs are compared by: first whether anything is told apart, then the score."""

    varied: bool  # always one answer is never "robust", whatever the figures say
    score: float


@dataclass(frozen=True)
class Judgement:
    """What validation says of one epoch."""

    clean: Estimate
    robust: Estimate  # under the judge's attack
    loss: float  # mean clean loss
    answers: int  # how many different ones are given

    def rank(self, choose: str, epoch: int) -> Ranked:
        """How this epoch (counted from 1) ranks by what the settings `choose`."""
        varied = self.answers > 1
        if choose == "last":  # a collapse in the very last epoch does not replace the one before
            return Ranked(True, float(epoch if varied else epoch - 1))
        clean, robust = self.clean.value, self.robust.value
        return Ranked(varied, clean if choose == "clean" else (clean + robust) / 2)


class Judge:
    """Judges every epoch on the same validation texts, and the kept model on the test texts."""

    def __init__(self, data: Dataset, settings: TrainConfig) -> None:
        self.data, self.settings = data, settings
        self.held_out = self._some(data.validation)
        self.attack = PGD(settings.eval_eps, steps=5, step_size=0.4)

    def settle(self, victim: Victim) -> None:
        """Let the victim's task choose what it chooses by validation texts."""

        def read() -> Iterator[tuple[Tensor, Batch]]:
            for _, batch in by_length(victim, self.data.validation, 128):
                yield victim.output(victim.embed(batch), batch), batch

        with victim.analysing(), torch.no_grad():
            victim.task = victim.task.settle(read())

    def __call__(self, victim: Victim) -> Judgement:
        """Clean and robust accuracy, the mean clean loss, and how many answers are given."""
        losses: list[float] = []
        answers: set[str] = set()
        with victim.analysing(), torch.no_grad():
            for _, batch in by_length(victim, self.held_out, 128):
                found = victim.read(victim.embed(batch), batch)
                losses += found.loss.tolist()
                answers |= set(found.answers)
        clean, robust = self.accuracy(victim), self.accuracy(victim, self.attack)
        return Judgement(clean, robust, sum(losses) / len(losses), len(answers))

    def told(self, judged: Judgement) -> dict[str, Any]:
        """What an epoch event tells of a judgement."""
        return {
            "clean_accuracy": vars(judged.clean),
            "robust_accuracy": vars(judged.robust),
            "validation_loss": judged.loss,
            "eval_eps": self.settings.eval_eps,
            "majority": self.data.majority,
        }

    def accuracy(self, victim: Victim, attack: Attack | None = None) -> Estimate:
        """The share of the held-out texts that is read right, under the attack if there is one."""
        return share_of(survives(victim, self.held_out, attack, seed=self.settings.seed))

    def test(self, victim: Victim) -> dict[str, Any]:
        """Accuracy on the test texts, and on some of them under twice as many steps.

        Of these what people quote of the answers too, clean and under attack.
        """
        eps, seed = self.settings.eval_eps, self.settings.seed
        some, attack = self._some(self.data.test), PGD(eps, steps=10)
        attacked = survives(victim, some, attack, seed=seed)
        noise = RandomNoise(eps)
        _, told = quoted(victim, some, attack, [eps], noise, lambda _, make: make(some, seed))
        return {
            "test_accuracy": vars(share_of(survives(victim, self.data.test))),
            "eval_eps": eps,
            "test_robust_accuracy": vars(share_of(attacked)),
            "test_quoted": {
                one.name: {
                    "clean": vars(one.clean.estimate),
                    "robust": vars(one.robust[0].estimate),
                }
                for one in told
                if len(one.clean.drawn)  # a figure without an interval is no estimate
            },
        }

    def _some(self, examples: Sequence[Example]) -> list[Example]:
        drawn = list(examples)
        random.Random(self.settings.seed).shuffle(drawn)
        return drawn[: self.settings.eval_limit]
