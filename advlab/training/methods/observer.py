"""What somebody who watches a method at work on one batch is shown, in the order of events."""

from __future__ import annotations

from torch import Tensor

from advlab.attacks.norms import Ball, P


class Observer:
    """Sees one batch go through a method; this one looks away.

    All that is shown is what the method computes anyway, so watching it costs nothing and changes
    nothing. Tensors may have a graph: an observer detaches what it keeps, and alters none of them.
    `out` (B,…) is what the task reads, δ (B,T,·) is raw.
    """

    def clean(self, out: Tensor) -> None:
        """A training pass without δ."""

    def began(self, vectors: Tensor, delta: Tensor, eps: float, p: P, ball: Ball) -> None:
        """δ₀, what it is added to (B,T,·), and the ball that is to hold it."""

    def probed(self, delta: Tensor, out: Tensor, gain: Tensor) -> None:
        """A pass of the ascent at δ; `gain` (B,) is what the ascent raises.

        There is none at the start where the clean pass has given the gradient already.
        """

    def moved(self, before: Tensor, stepped: Tensor, after: Tensor) -> None:
        """A step of the ascent: δ before it, after it, and after the projection, if there is one."""

    def trained(self, delta: Tensor, out: Tensor, apart: Tensor | None = None) -> None:
        """A training pass at δ; `apart` (B,) its divergence from the clean one, where that counts."""
