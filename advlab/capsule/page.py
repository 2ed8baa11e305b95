"""A capsule as one web page: readable without a network, without scripts, on paper and on a phone.

The page holds the capsule in an inert block, so that the same file can be opened again.
"""

from __future__ import annotations

import numpy as np

from advlab.capsule import forecast, worth
from advlab.capsule.format import BLOCK, Capsule
from advlab.language import _
from advlab.pictures.answers import common
from advlab.pictures.page import Band, Bar, Chart, Line, Section, Table, frame
from advlab.pictures.sentences import alike, number, percent, units
from advlab.pictures.style import short
from advlab.pictures.text import cut, shield_sentence
from advlab.records import Scale


def page(capsule: Capsule, source: str) -> str:
    """The page of a capsule; `source` is the JSON that it was read from."""
    return frame(
        _("advlab: {headline}", headline=capsule.headline),
        _("One sentence, attacked"),
        [
            *_forecast(capsule),
            *([Section(_("Read with it"), capsule.beside)] if capsule.beside else []),
            Section(_("What the model says"), table=_predictions(capsule)),
            Section(
                _("{name} against ε", name=capsule.chance),
                _(
                    "Solid: the attack. Band: random noise as long. The vertical line is ε = "
                    "{eps} × mean norm.",
                    eps=number(capsule.eps / capsule.mean_norm),
                ),
                chart=_curve(capsule),
            ),
            Section(
                _("Loss, step by step"),
                _("The attack kept step {best_step}.", best_step=capsule.best_step),
                chart=_losses(capsule),
            ),
            Section(
                _("Where δ sits"),
                _(
                    "Length of δ on each token, how far that is on the way to another token, "
                    "and the token nearest to the perturbed vector."
                ),
                table=_tokens(capsule),
            ),
            Section(_("As text again"), f"“{capsule.round_trip_text}”"),
            *_passports(capsule),
        ],
        quote=cut(capsule.text, capsule.shield),
        lead=f"{capsule.headline} {shield_sentence(capsule.text, capsule.shield)}".strip(),
        provenance=Section(_("To repeat it"), table=_settings(capsule)),
        block=(BLOCK, source),
    )


def _predictions(capsule: Capsule) -> Table:
    classes = list(capsule.classes)
    rows = []
    for name, key in (
        (_("the sentence"), "clean"),
        (_("under attack"), "attacked"),
        (_("random noise, mean"), "noise"),
        (_("nearest tokens"), "nearest tokens"),
        (_("as text again"), "as text again"),
    ):
        reading = capsule.readings[key]
        if not len(reading):
            continue
        values = [reading.parts[c] for c in classes] if classes else [reading.score]
        rows.append([name, common(reading)[0], *(percent(float(v.mean())) for v in values)])
    head = ["", _("answer"), *(classes or [capsule.chance])]
    return Table(head, rows, range(2, len(head)))


def _curve(capsule: Capsule) -> Chart:
    """The score of the attacked answer against ε, above the range of the noise."""
    numbers = capsule.numbers
    x, name = numbers["curve_eps"] / capsule.mean_norm, f"P({short(capsule.reference, 24)})"
    own = capsule.eps / capsule.mean_norm
    return Chart(
        _("{name} against ε, × mean norm", name=name),
        [
            Band(x, numbers["curve_low"], numbers["curve_high"], "#808080", 0.35),
            Line(x, capsule.readings["curve"].score, "var(--a)"),
        ],
        x_ticks=_ticks(float(x[0]), float(x[-1])),
        y_ticks=_ticks(0.0, 1.0),
        x_title=_("ε, × mean norm"),
        y_title=name,
        mark=own if x[0] <= own <= x[-1] else None,
    )


def _losses(capsule: Capsule) -> Chart:
    losses = capsule.numbers["losses"]
    last = len(losses) - 1
    return Chart(
        _("loss, nats against attack step"),
        [Line(np.arange(len(losses)), losses, "var(--a)")],
        x_ticks=_ticks(0.0, float(last)),
        y_ticks=_ticks(min(0.0, float(losses.min())), max(float(losses.max()), 1e-9) * 1.05),
        x_title=_("attack step"),
        y_title=_("loss, nats"),
        mark=float(capsule.best_step) if capsule.best_step <= last else None,
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Five from `low` to `high`, which are 1 apart where they are equal."""
    span = (high - low) or 1.0
    return [(low + span * k / 4, number(low + span * k / 4)) for k in range(5)]


def _tokens(capsule: Capsule) -> Table:
    numbers = capsule.numbers
    norms, exits = numbers["delta_norm"] / capsule.mean_norm, numbers["exit_radius"]
    longest = float(norms.max()) or 1.0
    sizes, free = alike(norms), numbers["perturbable"] > 0
    rows = []
    for t, token in enumerate(capsule.tokens):
        reach = np.isfinite(exits[t]) and exits[t] > 0
        share = percent(float(numbers["delta_norm"][t] / exits[t])) if reach else "–"
        moved = capsule.nearest[t] if capsule.nearest[t] != token else _("itself")
        bar = Bar(float(norms[t]) / longest)
        rows.append([token, bar, sizes[t], share, moved if free[t] else _("not attacked")])
    return Table(
        [_("token"), "", _("‖δ‖ × mean norm"), _("of the way out"), _("nearest")], rows, (2, 3)
    )


def _forecast(capsule: Capsule) -> list[Section]:
    if capsule.forecast is None:
        return []
    text = forecast.compared(capsule.forecast, capsule.flips_at, capsule.eps / capsule.mean_norm)
    return [Section(_("What was foretold"), text)]


def _passports(capsule: Capsule) -> list[Section]:
    """How far the attributions can be believed, where the capsule says."""
    if not capsule.explanations:
        return []
    columns = worth.columns(capsule.explanations)
    rows = list(zip(*columns.values(), strict=True))
    table = Table([_(name) for name in columns], rows, range(3, len(columns) - 1), wide=True)
    return [Section(_("What the explanations are worth"), _(worth.MEANING), table=table)]


def _settings(capsule: Capsule) -> Table:
    rows = [
        [_("saved"), capsule.made],
        [_("model"), capsule.model],
        [_("weights"), capsule.model_hash],
        [_("tokenizer"), capsule.tokenizer_hash],
        [_("answer attacked"), _("the model's own") if capsule.label is None else capsule.label],
        [_("seed"), str(capsule.seed)],
        ["ε", units(capsule.eps, Scale(capsule.mean_norm, capsule.half_nn))],
        *([_("attack: {k}", k=k), str(v)] for k, v in capsule.attack.items()),
        *([k, v] for k, v in capsule.versions.items()),
    ]
    if capsule.shield:
        words = ", ".join(capsule.text[start:end] for start, end in capsule.shield)
        rows.append([_("shielded"), words])
    return Table([_("setting"), _("value")], rows)
