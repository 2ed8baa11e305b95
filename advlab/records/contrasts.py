"""Pairs of examples that differ in a little: whether the answer must differ too, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.records.estimates import Estimate
from advlab.records.examples import Example


@dataclass(frozen=True)
class Contrast:
    """An example, and the same edited, with what is right then."""

    before: Example
    after: Example
    edit: str  # what was done, in a word or two

    @property
    def changes(self) -> bool:
        """Whether the edit changes the right answer."""
        return self.before.answers != self.after.answers


@dataclass(frozen=True)
class Stability:
    """How one model takes edits, of those examples that it answers right before.

    Niu and Bansal 2018 (arXiv:1809.02079) call a model over-stable that keeps its answer where the
    right one changed, over-sensitive one that changes it where nothing did.
    """

    model: str
    right: Estimate  # before any edit, of all examples
    over_stable: Estimate  # of edits that change the answer: the old one is given
    followed: Estimate  # of the same: the new right one is given
    over_sensitive: Estimate  # of edits that change nothing: another answer is given
    by_edit: tuple[tuple[str, Estimate], ...] = ()  # each edit's share of wrong answers after it
