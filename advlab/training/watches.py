"""What goes wrong in adversarial training, told once each: collapse, and catastrophic overfitting."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from advlab.attacks import FGM, PGD
from advlab.language import N_, _
from advlab.model.victim import Victim
from advlab.records import Estimate
from advlab.training.checkpoints import State
from advlab.training.judging import Judge, Judgement
from advlab.training.methods import Adversarial, Method

AT_CHANCE = 0.985  # × the loss of guessing: a mean clean loss above it has learnt nothing

Alarm = dict[str, Any]  # name and message


class CollapseWatch:
    """A model that gives up: its clean loss stays at chance, or every text gets the same class."""

    name = "collapse"

    def __init__(self, chance: float, total: int, state: State) -> None:
        self.chance, self.total = chance, total  # the loss of guessing; steps of the whole run
        self.state = state
        self.recent: deque[tuple[int, float]] = deque()  # step and clean loss, the last eighth

    def at_step(self, step: int, strength: float, clean_loss: float) -> Alarm | None:
        """The alarm, when the clean loss was at chance for a tenth of the run at full ε."""
        recent = self.recent
        if strength == 1.0:  # before that a slow start is no collapse
            recent.append((step, clean_loss))
        while recent and recent[0][0] < step - self.total // 8:
            recent.popleft()
        if len(recent) < 5 or step - recent[0][0] <= self.total // 10:
            return None
        if sum(loss for __, loss in recent) / len(recent) <= AT_CHANCE * self.chance:
            return None
        return self._alarm(
            _(
                "the clean loss has stayed at chance ({chance:.2f}) for {step} steps at full ε",
                chance=self.chance,
                step=step - recent[0][0],
            )
        )

    def at_epoch(self, epoch: int, step: int, judged: Judgement) -> Alarm | None:
        """The alarm, when a model of several answers knows but one after half of the run."""
        # before that it may just be a slow start; the loss alarm above is the early one
        late = epoch > 1 and 2 * step >= self.total
        if not late or judged.answers > 1 or self.chance == 0:
            return None
        return self._alarm(_("every validation text gets the same class"))

    def _alarm(self, seen: str) -> Alarm | None:
        if not self.state.tell(self.name):
            return None
        message = _(
            "Training has collapsed: {seen}. Lower ε, or let it rise more slowly (ε "
            "warm-up), or lower the learning rate.",
            seen=seen,
        )
        return {"name": self.name, "message": message}


class OverfittingWatch:
    """Catastrophic overfitting of one-step methods: the model defeats one step, and many defeat it."""

    name = N_("catastrophic overfitting")

    def __init__(self, method: Method, judge: Judge, state: State) -> None:
        self.method, self.judge, self.state = method, judge, state
        self.easy, self.hard = easy_and_hard(method, judge.attack)

    def at_epoch(self, victim: Victim, strength: float, judged: Judgement) -> Alarm | None:
        """The alarm, when accuracy under many steps fell far below that under one."""
        if not self.method.one_step or strength == 0 or self.name in self.state.told:
            return None
        easy, hard = (
            judged.robust if attack == self.judge.attack else self.judge.accuracy(victim, attack)
            for attack in (self.easy, self.hard)
        )
        before = self.state.best_watched
        self.state.best_watched = max(before, hard.value)
        if not overfitted(easy, hard, before) or not self.state.tell(self.name):
            return None
        message = _(
            "Accuracy under one step is {one_step:.0%}, but PGD-5 leaves {pgd:.0%} "
            "(before: {before:.0%}): the model has learnt to defeat the one step that "
            "it trains on. Take a smaller ε, or pgd or freelb.",
            one_step=easy.value,
            pgd=hard.value,
            before=before,
        )
        return {"name": self.name, "message": message}


def easy_and_hard(method: Method, judge: PGD) -> tuple[FGM, PGD]:
    """One step and PGD-5 in the norm, ball and full ε of a one-step method: what it may overfit to.

    ε of a hidden layer means nothing on the words, where attacks are: there those of the judge.
    """
    if not isinstance(method, Adversarial) or method.site != "words":
        return FGM(judge.eps), judge
    ball: dict[str, Any] = {name: getattr(method, name) for name in ("eps", "unit", "p", "ball")}
    return FGM(**ball), replace(judge, **ball)


def overfitted(easy: Estimate, hard: Estimate, before: float) -> bool:
    """Catastrophic overfitting (Wong et al. 2020, arXiv:2001.03994): one step fails, many succeed.

    `easy` and `hard` are accuracies under one step and under PGD, `before` the best of the latter so
    far. Both the gap and the fall must be larger than chance explains.
    """
    return easy.low > hard.high and easy.value - hard.value > 0.2 and hard.high < before
