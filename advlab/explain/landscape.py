"""The loss around a sentence: over δ × a random direction as long as δ.

A point (a, b) is the sentence plus a·δ + b·η, where η is random, zero on every token that may not be
perturbed, at right angles to δ and exactly as long (L2, all tokens together). δ itself is (1, 0). Every
point is run through the model. One random direction proves nothing, so there are several seeds (Li et
al. 2018, arXiv:1712.09913, draw such slices in weight space; here it is the input's).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.norms import norm
from advlab.errors import SettingError
from advlab.explain.next_word import draws_for
from advlab.explain.subject import Subject
from advlab.language import _
from advlab.records import AttackRecord, Line, Surface

REACH = 1.5  # the picture goes from −1.5 to 1.5 lengths of δ
GRID = 21


def surface(
    subject: Subject,
    record: AttackRecord,
    seed: int = 0,
    grid: int = GRID,
    part: int = 0,
    parts: int = 1,
) -> Surface:
    """Rows `part`, `part` + `parts`, … of a grid × grid picture: a caller may draw it coarse to fine.

    SettingError for a grid or a part that does not exist, or when δ is zero.
    """
    if not (3 <= grid <= 101 and 1 <= parts <= grid and 0 <= part < parts):
        raise SettingError(
            _(
                "expected a grid of 3 to 101 and a part below the number of parts, got "
                "grid {grid}, part {part} of {parts}; change them",
                grid=grid,
                part=part,
                parts=parts,
            )
        )
    delta = _delta(subject, record)
    across = direction(subject, delta, seed)
    axis = torch.linspace(-REACH, REACH, grid, dtype=delta.dtype, device=delta.device)
    rows = torch.arange(part, grid, parts)
    b, a = torch.meshgrid(axis[rows.to(axis.device)], axis, indexing="ij")
    points = a.reshape(-1, 1, 1) * delta + b.reshape(-1, 1, 1) * across
    loss, margin = _measured(subject, record, points)
    length = norm(points, subject.attack.p, subject.attack.ball).reshape(len(points), -1).amax(1)
    shape = (len(rows), grid)
    eps = float(subject.attack.eps)
    return Surface(
        seed=seed,
        axis=axis.cpu().numpy(),
        rows=rows.numpy(),
        loss=loss.reshape(shape),
        margin=margin.reshape(shape),
        share=(length / eps).reshape(shape).cpu().numpy() if eps > 0 else np.ones(shape),
    )


def line(subject: Subject, record: AttackRecord, points: int = 41, reach: float = 2.0) -> Line:
    """Loss and margin on the straight way from the sentence to `reach` × δ, and at the path's steps.

    Beside them the loss under random noise as long, at about ten of the points.
    """
    delta = _delta(subject, record)
    t = torch.linspace(0, reach, points, dtype=delta.dtype, device=delta.device)
    loss, margin = _measured(subject, record, t.reshape(-1, 1, 1) * delta)
    path = torch.as_tensor(record.path).to(delta)
    walked, steps = _measured(subject, record, path)
    wide = t[:: max(points // 10, 1)]
    R = draws_for(subject.victim)
    noise = subject.noise_as_long(delta.unsqueeze(0), R, record.seed + 1)  # (R,T,D)
    many = (wide.reshape(1, -1, 1, 1) * noise.unsqueeze(1)).flatten(0, 1)
    shaken = subject.read(many).loss.reshape(len(noise), len(wide))
    length = float(delta.norm())
    flat = path.flatten(1)
    return Line(
        t=t.cpu().numpy(),
        loss=loss,
        margin=margin,
        path_length=(flat.norm(dim=1) / length).cpu().numpy(),
        path_along=(flat @ delta.flatten() / length**2).cpu().numpy(),
        path_loss=walked,
        path_margin=steps,
        noise_t=wide.cpu().numpy(),
        noise=shaken,
    )


def direction(subject: Subject, delta: Tensor, seed: int) -> Tensor:
    """(T,D) random on the perturbable tokens, at right angles to δ (T,D) and as long (L2)."""
    dice = torch.Generator().manual_seed(seed)
    drawn = torch.randn(delta.shape, generator=dice, dtype=torch.float64).to(delta)
    drawn = drawn * subject.batch.perturbable[0].unsqueeze(-1)
    unit = delta / delta.norm()
    drawn = drawn - (drawn * unit).sum() * unit
    drawn = drawn - (drawn * unit).sum() * unit  # once more: rounding leaves a little of δ
    return drawn * (delta.norm() / drawn.norm())


def _delta(subject: Subject, record: AttackRecord) -> Tensor:
    delta = torch.as_tensor(record.delta).to(subject.embeds)
    if not delta.any():
        raise SettingError(_("expected a perturbation, got δ = 0; attack with a larger ε"))
    return delta


def _measured(
    subject: Subject, record: AttackRecord, points: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """(N,T,D) δ -> loss of the reference, and how far the clean answer leads its best rival."""
    found = subject.read(points)
    return found.loss, found.hold
