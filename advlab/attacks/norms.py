"""Norms of a perturbation: length, steepest direction, projection, random points.

Everything takes `x` of shape (B,T,D). `ball` says what one ball covers: "example" (all T·D numbers
of an example share one radius) or "token" (each token has its own). `eps` is a number or one radius
per example, shape (B,), in raw embedding units.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

P = Literal["l2", "linf", "l1"]
Ball = Literal["example", "token"]

TINY = 1e-12  # below this length a direction has no meaning; g/‖g‖ stays 0 instead of NaN


def radius(eps: float | Tensor, x: Tensor) -> Tensor:
    """`eps` as (B,1,1) or a scalar tensor, ready to broadcast against `x` (B,T,D)."""
    eps = torch.as_tensor(eps, dtype=x.dtype, device=x.device)
    return eps.reshape(-1, 1, 1) if eps.ndim else eps


def norm(x: Tensor, p: P, ball: Ball) -> Tensor:
    """(B,T,D) -> (B,1,1) for the example ball, (B,T,1) for the token ball."""
    axes = (1, 2) if ball == "example" else (2,)
    if p == "l2":
        return x.pow(2).sum(axes, keepdim=True).sqrt()
    if p == "l1":
        return x.abs().sum(axes, keepdim=True)
    return x.abs().amax(axes, keepdim=True)


def steepest(grad: Tensor, p: P, ball: Ball) -> Tensor:
    """The direction of norm 1 along which the loss rises fastest; 0 where the gradient is 0.

    L2: g/‖g‖. L∞: sign g. L1: all weight on the largest |g| of the ball (the exact dual direction;
    Foolbox takes the dense g/‖g‖₁ instead).
    """
    if p == "linf":
        return grad.sign()
    if p == "l2":
        return grad / norm(grad, p, ball).clamp_min(TINY)
    rows = _rows(grad, ball)
    peak = rows.abs().argmax(-1, keepdim=True)
    direction = torch.zeros_like(rows).scatter(-1, peak, rows.gather(-1, peak).sign())
    return direction.reshape(grad.shape)


def project(x: Tensor, eps: float | Tensor, p: P, ball: Ball) -> Tensor:
    """The nearest point (Euclidean) of the ball of radius `eps`; points inside stay as they are.

    L1 is the exact projection of Duchi et al. 2008 (ICML, "Efficient projections onto the ℓ1-ball"),
    not the rescaling that Foolbox and ART use.
    """
    limit = radius(eps, x)
    if p == "linf":
        return x.clamp(-limit, limit)
    if p == "l2":
        return x * (limit / norm(x, p, ball).clamp_min(TINY)).clamp_max(1.0)
    rows = _rows(x, ball)  # (B,M,N): M balls of N numbers
    limit = limit.expand(x.shape[0], 1, 1) if limit.ndim else limit.expand(1, 1, 1)
    size = rows.abs()
    ordered = size.sort(-1, descending=True).values
    counts = torch.arange(1, rows.shape[-1] + 1, dtype=x.dtype, device=x.device)
    excess = (ordered.cumsum(-1) - limit) / counts
    # the threshold is the excess at the last position where it is still below the sorted entry
    last = (ordered > excess).sum(-1, keepdim=True).clamp_min(1) - 1
    threshold = excess.gather(-1, last).clamp_min(0.0)
    shrunk = rows.sign() * (size - threshold).clamp_min(0.0)
    inside = size.sum(-1, keepdim=True) <= limit
    return torch.where(inside, rows, shrunk).reshape(x.shape)


def random_in_ball(
    like: Tensor,
    perturbable: Tensor,
    eps: float | Tensor,
    p: P,
    ball: Ball,
    generator: torch.Generator | None = None,
    *,
    surface: bool = False,
) -> Tensor:
    """A random δ (B,T,D), uniform in the ball over the coordinates that `perturbable` (B,T) allows.

    With `surface` its norm is exactly `eps` (L∞: every coordinate is ±ε): the noise of equal norm
    that an attack is compared with. Numbers come from `generator`, on the generator's device.
    """
    mask = perturbable.unsqueeze(-1).to(like.dtype)
    device = generator.device if generator is not None else like.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=like.dtype, device=device).to(
            like.device
        )

    limit = radius(eps, like)
    if p == "linf":
        noise = 2 * uniform(*like.shape) - 1
        return limit * mask * (noise.sign() if surface else noise)
    if p == "l2":
        noise = torch.randn(like.shape, generator=generator, dtype=like.dtype, device=device).to(
            like.device
        )
    else:  # signed exponentials, divided by their sum, are uniform on the L1 sphere
        noise = -uniform(*like.shape).clamp_min(TINY).log() * (uniform(*like.shape) - 0.5).sign()
    noise = noise * mask
    noise = noise / norm(noise, p, ball).clamp_min(TINY)
    if surface:
        return limit * noise
    D = like.shape[-1]
    if ball == "example":
        free = perturbable.sum(1).clamp_min(1).mul(D).reshape(-1, 1, 1)
        share = uniform(like.shape[0], 1, 1)
    else:
        free = torch.tensor(D, device=like.device)
        share = uniform(like.shape[0], like.shape[1], 1)
    # volume grows as radius^n, so a uniform point has radius ε·U^(1/n)
    return limit * noise * share.pow(1.0 / free.to(like.dtype))


def _rows(x: Tensor, ball: Ball) -> Tensor:
    return x.reshape(x.shape[0], 1, -1) if ball == "example" else x
