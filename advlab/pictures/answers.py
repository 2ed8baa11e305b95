"""What a model says to each version of a text: one picture and one table a task."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from advlab.language import N_, _
from advlab.pictures import spans
from advlab.pictures.base import finish
from advlab.pictures.chips import aligned, cut
from advlab.pictures.sentences import percent
from advlab.pictures.style import CLASSES, FLIPS, NEUTRAL, SHAPES, label
from advlab.pictures.tables import Columns
from advlab.pictures.wording import named, said, written
from advlab.records import AttackRecord, Reading


def conditions(record: AttackRecord) -> dict[str, Reading]:
    """What is said to each version of the text; noise has a version a draw."""
    return {
        N_("clean"): record.clean,
        N_("random noise"): record.noise if len(record.noise) else record.clean,
        N_("adversarial"): record.attacked,
        N_("nearest tokens"): record.projected,
        N_("as text again"): record.round_trip,
    }


def predictions(record: AttackRecord) -> go.Figure:
    """One row a version of the text, as the record's task is drawn."""
    return DRAWN.get(str(record.task["name"]), scores)(record)


def prediction_columns(record: AttackRecord) -> Columns:
    """One row a version: the answer, and how sure of what."""
    rows = conditions(record)
    table: Columns = {
        "input": [_(row) for row in rows],
        "prediction": [common(r)[0] for r in rows.values()],
    }
    if not named(record):
        table["score of the reference"] = [float(r.score.mean()) for r in rows.values()]
        return table
    for name, shown in zip(record.clean.parts, distinct(list(record.clean.parts)), strict=True):
        table[shown] = [float(r.parts[name].mean()) for r in rows.values()]
    return table


def common(reading: Reading) -> tuple[str, float]:
    """What several versions come to, and how sure of it: the likeliest part, else the usual answer."""
    means = {name: float(values.mean()) for name, values in reading.parts.items()}
    if set(reading.answers) <= set(means):
        name = max(means, key=lambda n: means[n])
        return name, means[name]
    [(answer, __)] = Counter(reading.answers).most_common(1)
    return answer, float(reading.sure[[a == answer for a in reading.answers]].mean())


def distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart where two are equal or would hide a column of ours."""
    seen: list[str] = []
    for name in names:
        while name in seen or name in ("input", "prediction"):
            name += "′"
        seen.append(name)
    return seen


def classes(record: AttackRecord) -> go.Figure:
    """One mark a class in each row; the band is the range of the draws."""
    rows = conditions(record)
    names, C = list(rows), len(record.clean.parts)
    # classes get a height of their own within the row, so that equal values do not hide each other
    offsets = np.linspace(0.22, -0.22, C) if C > 1 else np.zeros(1)
    y = np.arange(len(names))[::-1]
    figure = go.Figure()
    tops = [common(reading)[0] for reading in rows.values()]
    for c, name in enumerate(record.clean.parts):
        values = np.array([float(r.parts[name].mean()) for r in rows.values()])
        top = np.array([t == name for t in tops])
        _marks(figure, record, c, name, values, y + offsets[c], top, C)
    figure.add_vline(x=1 / C, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    return _rows(figure, names, legend_rows=1 + C // 3)


def _marks(
    figure: go.Figure,
    record: AttackRecord,
    c: int,
    name: str,
    values: np.ndarray,
    y: np.ndarray,
    top: np.ndarray,
    C: int,
) -> None:
    """The marks of one class, the band of its draws, and its number where it is the prediction."""
    names, colour = list(conditions(record)), CLASSES[c % len(CLASSES)]
    noise, edge = names.index("random noise"), values.copy()
    # the number stands on the right where there is room and it does not cross the dotted line
    crosses = (values < 1 / C) & (values > 1 / C - 0.2) & (values > 0.2)
    inward = np.where((values > 0.82) | crosses, -1, 1)
    if len(record.noise):
        drawn = record.noise.parts[name]
        low, high = float(drawn.min()), float(drawn.max())
        edge[noise] = low if inward[noise] < 0 else high  # beside the band, not on it
        figure.add_scatter(
            x=[low, high],
            y=[y[noise]] * 2,
            mode="lines",
            line={"color": colour, "width": 9},
            opacity=0.35,
            showlegend=False,
            hovertemplate=_(
                "{name}, {n} draws: {low} to {high}<extra></extra>",
                name=label(name),
                n=len(record.noise),
                low=percent(low),
                high=percent(high),
            ),
        )
    figure.add_scatter(
        x=values,
        y=y,
        mode="markers",
        name=label(name),
        opacity=1.0,
        marker={
            "color": colour,
            "size": [13 if t else 9 for t in top],
            "opacity": 1.0,
            "symbol": SHAPES[c % len(SHAPES)],
        },
        customdata=[_(row) for row in names],
        hovertemplate=f"%{{customdata}}<br>{label(name)}: %{{x:.1%}}<extra></extra>",
    )
    figure.add_scatter(
        x=edge + 0.045 * inward,
        y=y,
        mode="text",
        showlegend=False,
        text=[f"<b>{percent(v)}</b>" if t else "" for v, t in zip(values, top, strict=True)],
        textposition=["middle left" if k < 0 else "middle right" for k in inward],
        hoverinfo="skip",
    )


def scores(record: AttackRecord) -> go.Figure:
    """How sure of the reference in each row, with what is answered; for any task."""
    rows = conditions(record)
    y = np.arange(len(rows))[::-1]
    figure = go.Figure()
    figure.add_scatter(
        x=[float(r.score.mean()) for r in rows.values()],
        y=y,
        mode="markers",
        showlegend=False,
        marker={"color": CLASSES[0], "size": 11},
        customdata=[label(said(record, common(r)[0], 60), 64) for r in rows.values()],
        hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
    )
    return _rows(figure, list(rows), legend_rows=0)


def texts(record: AttackRecord) -> str:
    """What is answered to each version, as text: what differs from the clean answer is underlined.

    Behind it how sure of that, and of the reference. Of noise, what most of its draws come to.
    """
    clean, lines = record.clean.answers[0], []
    for name, reading in conditions(record).items():
        answer, sure = common(reading)
        broken = float(reading.broken.mean())
        many = (
            _(
                " ({count} of {draws} draws; {broken} flip)",
                count=reading.answers.count(answer),
                draws=len(reading),
                broken=round(broken * len(reading)),
            )
            if len(reading) > 1
            else ""
        )
        flipped = bool(reading.broken[reading.answers.index(answer)])
        mark = "✗" if flipped else "✓"
        edge = f"double {FLIPS}" if flipped else f"solid {NEUTRAL}"
        # an answer that is the same but for its spelling is told as such; of a written one each word
        shown = marked(clean if flipped or written(record) else answer, answer)
        lines.append(
            f'<div style="border-left:4px {edge};padding:2px 0 4px 10px;margin-bottom:8px">'
            '<div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px">'
            f"<span>{_(name)}{many}</span><span>{mark} {percent(sure)} ·"
            f" {_('reference')} {percent(float(reading.score.mean()))}</span></div>"
            f'<div dir="auto" style="font-size:1.1rem;overflow-wrap:anywhere">'
            f"{shown}</div></div>"
        )
    return "".join(lines)


def marked(clean: str, answer: str) -> str:
    """An answer as HTML, the words that the clean one does not have there underlined."""
    if not answer.strip():
        return f"<em>{_('nothing')}</em>"
    (old, new), parts = cut(clean, answer), []
    for i, j in aligned(old, new):
        if j is None:
            continue
        word = html.escape(new[j])
        same = i is not None and old[i] == new[j]
        parts.append(word if same else f"<u><strong>{word}</strong></u>")
    return (" " if len(new) == len(answer.split()) else "").join(parts)


def told(record: AttackRecord) -> str:
    """The picture in HTML that a task has beside that of its numbers; empty where it has none."""
    draw = TOLD.get(str(record.task["name"]))
    return draw(record) if draw else ""


def _rows(figure: go.Figure, names: list[str], *, legend_rows: int) -> go.Figure:
    y = np.arange(len(names))[::-1]
    figure.update_yaxes(
        tickvals=y,
        ticktext=[_(row) for row in names],
        range=[-0.6, len(names) - 0.4],
        zeroline=False,
    )
    figure.update_xaxes(
        range=[-0.03, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", zeroline=False
    )
    finish(figure, 44 * len(names) + 40, legend_rows=legend_rows)
    figure.update_layout(margin={"t": 6})  # no title above
    return figure


DRAWN: dict[str, Callable[[AttackRecord], go.Figure]] = {"classification": classes}
TOLD: dict[str, Callable[[AttackRecord], str]] = {"qa": spans.rows_html}
