"""Three defences under the attack that a paper shows, and under what finds the truth."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.language import retold, speak
from advlab.lessons.blocks import Lesson
from advlab.lessons.facts.base import Models, drawn, right
from advlab.lessons.planted import REAL


@dataclass(frozen=True)
class LiesFacts:
    """Shares of texts still read right, by defence, and the alarms that each raises."""

    eps: float
    texts: int
    a_shown: float  # under PGD, as a table would show it
    b_shown: float
    c_shown: float
    a_true: float  # under Auto-PGD on a loss that no scale of the logits changes
    b_true: float
    c_clean: float
    a_alarms: tuple[str, ...]
    b_alarms: tuple[str, ...]
    c_alarms: tuple[str, ...]

    @property
    def real(self) -> str:
        """The letter of the defence that was trained."""
        return REAL

    @property
    def silent(self) -> str:
        """The letters of the defences that raise no alarm."""
        alarms = {"a": self.a_alarms, "b": self.b_alarms, "c": self.c_alarms}
        return "".join(letter for letter, found in alarms.items() if not found)

    @property
    def outcome(self) -> str:
        """found: the alarms name both false ones, and not the real one."""
        return "found" if self.silent == REAL else "otherwise"


OUTCOMES = ("found", "otherwise")


def observe(models: Models, lesson: Lesson) -> LiesFacts:
    """The planted defences as the Robustness page measures them."""
    from advlab.attacks import PGD, AutoPGD
    from advlab.lessons.planted import constant, masked
    from advlab.studies.alarms import alarms_of
    from advlab.studies.grid import grid

    texts = drawn(models.texts, lesson.texts)
    attack = PGD(lesson.eps)
    victims = {"a": masked(models.plain), "b": models.robust, "c": constant(models.plain)}
    shown = {k: right(v, texts, attack) for k, v in victims.items()}
    alarms = {}
    for letter, victim in victims.items():
        measured = grid([victim], texts, [attack], [lesson.eps])
        with speak("en"):  # it is asked for by name
            found = alarms_of(measured, [victim], texts, [attack])
        # that texts are few is so of all three, and says nothing of a defence
        alarms[letter] = tuple(dict.fromkeys(retold(a.name) for a in found if "few" not in a.name))

    # its loss is not changed by the scale of the logits, so that it still has a slope
    other = AutoPGD(lesson.eps, steps=20, loss="dlr")
    true = {letter: right(victims[letter], texts, other) for letter in ("a", "b")}
    return LiesFacts(
        eps=lesson.eps,
        texts=len(texts),
        a_shown=shown["a"],
        b_shown=shown["b"],
        c_shown=shown["c"],
        a_true=true["a"],
        b_true=true["b"],
        c_clean=right(victims["c"], texts),
        a_alarms=alarms["a"],
        b_alarms=alarms["b"],
        c_alarms=alarms["c"],
    )
