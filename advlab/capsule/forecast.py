"""What somebody thought an attack would do before it was shown, and how it came out."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.capsule.reader import Part, refused, shown
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
        return "it holds"
    return "it flips" + (
        "" if forecast.eps is None else f" at ε = {number(forecast.eps)} × mean norm"
    )


def compared(forecast: Forecast, flip: float | None, eps: float) -> str:
    """The forecast beside what came out: `flip` and the attack's `eps` in × mean norm."""
    flips = flip is not None and flip <= eps * (1 + 1e-6)
    found = (
        f"it flips at ε = {number(flip)} × mean norm"
        if flips and flip is not None
        else f"it holds up to the attack's ε = {number(eps)} × mean norm"
        + ("" if flip is None else f" and flips only at {number(flip)}")
    )
    text = f"Foretold: {said(forecast)}. Found: {found}."
    if forecast.flips != flips:
        return f"{text} The forecast was wrong."
    if not flips or forecast.eps is None or flip is None:
        return f"{text} The forecast was right."
    gap = abs(forecast.eps - flip)
    off = f" ({percent(gap / flip)} of it)" if flip > 0 else ""
    return f"{text} Right that it flips, and off by {number(gap)} × mean norm{off}."


def read(part: Part) -> Forecast:
    """A file's."""
    flips = part.value("flips")
    if not isinstance(flips, bool):
        raise refused("true or false in 'flips'", shown(flips))
    return Forecast(flips, part.number_or_none("eps", 0, HIGHEST))
