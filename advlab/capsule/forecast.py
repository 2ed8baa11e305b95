"""What somebody thought an attack would do before it was shown, and how it came out."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.capsule.reader import Part, refused, shown
from advlab.language import _
from advlab.pictures.sentences import number, percent

HIGHEST = 1e6  # × mean norm


@dataclass(frozen=True)
class Forecast:
    """Whether the prediction flips within the attack's ε, and at which ε (× mean norm)."""

    flips: bool
    eps: float | None = None  # None: no number was given


def said(forecast: Forecast) -> str:
    """The forecast in words."""
    if not forecast.flips:
        return _("it holds")
    return _("it flips") + (
        "" if forecast.eps is None else _(" at ε = {eps} × mean norm", eps=number(forecast.eps))
    )


def compared(forecast: Forecast, flip: float | None, eps: float) -> str:
    """The forecast beside what came out: `flip` and the attack's `eps` in × mean norm."""
    flips = flip is not None and flip <= eps * (1 + 1e-6)
    found = (
        _("it flips at ε = {flip} × mean norm", flip=number(flip))
        if flips and flip is not None
        else _("it holds up to the attack's ε = {eps} × mean norm", eps=number(eps))
        + ("" if flip is None else _(" and flips only at {flip}", flip=number(flip)))
    )
    text = _("Foretold: {said}. Found: {found}.", said=said(forecast), found=found)
    if forecast.flips != flips:
        return _("{text} The forecast was wrong.", text=text)
    if not flips or forecast.eps is None or flip is None:
        return _("{text} The forecast was right.", text=text)
    gap = abs(forecast.eps - flip)
    off = _(" ({percent} of it)", percent=percent(gap / flip)) if flip > 0 else ""
    return _(
        "{text} Right that it flips, and off by {gap} × mean norm{off}.",
        text=text,
        gap=number(gap),
        off=off,
    )


def read(part: Part) -> Forecast:
    """A file's."""
    flips = part.value("flips")
    if not isinstance(flips, bool):
        raise refused(_("true or false in 'flips'"), shown(flips))
    return Forecast(flips, part.number_or_none("eps", 0, HIGHEST))
