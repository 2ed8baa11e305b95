"""Many sentences side by side: one row a sentence and model, and when they flip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import _
from advlab.pictures.base import finish
from advlab.pictures.sentences import exit_share, number
from advlab.pictures.style import SIDES, label, side
from advlab.pictures.tables import Columns
from advlab.pictures.wording import goal_named, named
from advlab.records import AttackRecord
from advlab.records.measured import OUTCOMES, Finding


def finding(
    record: AttackRecord, truth: str | None = None, *, exact: bool | None = None
) -> Finding:
    """What a record says in a row. `truth`: the true answer, where it is known.

    One that the model has no name for says nothing. `exact`: whether its task takes the clean answer
    for the true one; None: where they are spelled alike.
    """
    clean, attacked = record.clean, record.attacked
    known = truth in clean.parts if named(record) else truth is not None
    same = clean.answers[0] == truth if exact is None else exact
    wrong = known and not same
    worst = int(record.delta_norm.argmax())
    scale = record.scale.mean_norm
    flip = record.curve.flip_eps
    return Finding(
        text=record.text,
        model=record.model,
        outcome=_outcome(record, wrong),
        clean=clean.answers[0],
        attacked=attacked.answers[0],
        p_clean=float(clean.score[0]),
        p_attacked=float(attacked.score[0]),
        flip=None if flip is None else flip / scale,
        moved=int(record.moved.sum()),
        exit=float(exit_share(record).max(initial=0.0)),
        worst=record.tokens[worst],
        longest=float(record.delta_norm[worst]) / scale,
        noise=float(record.noise.broken.mean()) if len(record.noise) else 0.0,
        tokens=int(record.perturbable.sum()),
        eps=record.eps / scale,
        beside=record.beside,
        goal=record.goal,
        met=record.met,
    )


def _outcome(record: AttackRecord, wrong: bool) -> str:
    """One of OUTCOMES."""
    if wrong:
        return "wrong"
    if record.flipped:
        return "flipped"
    return "no gradient" if record.stuck else "robust"


def columns(found: Sequence[Finding]) -> Columns:
    """One row a finding."""
    return {
        "text": [f.text for f in found],
        **({"beside it": [f.beside for f in found]} if any(f.beside for f in found) else {}),
        "model": [f.model for f in found],
        "outcome": [f.outcome for f in found],
        **({"goal met": [f.met for f in found]} if any(f.goal for f in found) else {}),
        "flips at ε": [f.flip for f in found],
        "clean": [f.clean for f in found],
        "attacked": [f.attacked for f in found],
        "p clean": [f.p_clean for f in found],
        "p attacked": [f.p_attacked for f in found],
        "tokens moved": [f.moved for f in found],
        "way to a word": [f.exit for f in found],
        "longest δ on": [f.worst for f in found],
        "‖δ‖ there": [f.longest for f in found],
        "noise flips": [f.noise for f in found],
        "tokens": [f.tokens for f in found],
    }


def sentence(name: str, found: Sequence[Finding]) -> str:
    """A model's outcomes in words."""
    counts = {outcome: sum(f.outcome == outcome for f in found) for outcome in OUTCOMES}
    right = [f for f in found if f.outcome != "wrong"]
    flips = sorted(f.flip if f.flip is not None else np.inf for f in right)
    middle = float(flips[len(flips) // 2]) if flips else float("nan")
    typical = (
        _(" Half of those read right flip by ε = {middle} × mean norm.", middle=number(middle))
        if np.isfinite(middle)
        else _(" Fewer than half of those read right flip within twice the ε.")
        if flips
        else ""
    )
    flat = counts["no gradient"]
    stuck = _(" On {flat} the attack could not begin: no gradient came.", flat=flat) if flat else ""
    text = sum(f.moved > 0 for f in right if f.outcome == "flipped")
    words = (
        _(" In {text} of the flips some token reads as another one.", text=text)
        if counts["flipped"]
        else ""
    )
    return _(
        "{name}: of {n} sentences {flip} flip, {hold} hold and "
        "{wrong} are wrong before the attack.{stuck}{typical}{words}",
        name=name,
        n=len(found),
        flip=counts["flipped"],
        hold=counts["robust"],
        wrong=counts["wrong"],
        stuck=stuck,
        typical=typical,
        words=words,
    )


def goal_sentence(name: str, found: Sequence[Finding]) -> str:
    """How often the attack got where it aimed; empty where it only raised the loss."""
    aimed = [f for f in found if f.goal]
    if not aimed:
        return ""
    return _(
        "{name}: on {met} of {n} sentences the attack meets its goal: {goal}.",
        name=name,
        met=sum(f.met for f in aimed),
        n=len(aimed),
        goal=goal_named(aimed[0].goal),
    )


def histogram(names: Sequence[str], found: Sequence[Sequence[Finding]]) -> go.Figure:
    """Share of the sentences that have flipped by each ε, a line a model.

    A mark at the attack's ε is the null: the share of random draws as long as δ that flip.
    """
    figure = go.Figure()
    for i, (name, rows) in enumerate(zip(names, found, strict=True)):
        right = [f for f in rows if f.outcome != "wrong"]
        flips = np.sort([f.flip for f in right if f.flip is not None])
        n = max(len(right), 1)
        colour, shape, dash = SIDES[i]
        every = [f for rows in found for f in rows]
        end = max([*(max(f.flip or 0.0, f.eps) for f in every), 0.0]) * 1.05 or 1.0
        x = np.concatenate([[0.0], flips, [end]])
        y = np.concatenate([[0.0], np.arange(1, len(flips) + 1) / n, [len(flips) / n]])
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name=side(i, label(name, 34)),
            line={"color": colour, "dash": dash, "width": 2.5, "shape": "hv"},
            hovertemplate=_("by ε = %{x:.3f} × mean norm: %{y:.0%} flipped<extra></extra>"),
        )
        if right:
            figure.add_scatter(
                x=[right[0].eps],
                y=[float(np.mean([f.noise for f in right]))],
                mode="markers",
                name=side(i, _("noise as long")),
                cliponaxis=False,
                marker={
                    "symbol": f"{shape}-open",
                    "size": 12,
                    "color": colour,
                    "line": {"width": 2.5},
                },
                hovertemplate=_("noise as long as δ: %{y:.1%} of the draws flip<extra></extra>"),
            )
    figure.update_xaxes(title={"text": _("ε (× mean norm)")}, rangemode="tozero", nticks=8)
    figure.update_yaxes(
        range=[-0.02, 1.02],
        tickformat=".0%",
        nticks=5,
        title={"text": _("flipped, of those read right")},
    )
    return finish(figure, 320, legend_rows=2 * len(names))
