"""The frame of every page that advlab writes: one HTML file that asks for nothing from a network.

A page is sections, each with a sentence, a chart and a table; the templates beside this module say
how they look and escape every text. Only two things enter as they are: what Plotly made, and data
in an inert block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from advlab.language import language
from advlab.pictures.style import FONTS

if TYPE_CHECKING:
    from jinja2 import Environment

MARGINS = (56, 14, 10, 44)  # left, right, top, bottom of a chart, units of its picture


def versions() -> dict[str, str]:
    """The libraries that bear on the figures, as they are here."""
    found = {}
    for name in ("advlab", "torch", "transformers", "tokenizers", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Bar:
    """A cell drawn as a bar, `share` of its full length."""

    share: float


@dataclass(frozen=True)
class Table:
    """Rows under a head; a cell is a text, or a `Bar`."""

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numeric: Sequence[int] = ()  # columns set to the right
    wide: bool = False  # a line or two a cell: on a phone it is moved sideways


@dataclass(frozen=True)
class Band:
    """The area between two lines."""

    x: Sequence[float] | np.ndarray
    low: Sequence[float] | np.ndarray
    high: Sequence[float] | np.ndarray
    colour: str
    opacity: float


@dataclass(frozen=True)
class Line:
    """A line; one with a `name` stands in the legend."""

    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    colour: str
    dash: str = ""  # lengths of strokes and gaps; empty: unbroken
    width: float = 2.5
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """Lines and bands, later ones over earlier ones, between the first and the last tick."""

    label: str  # what it shows, for those who do not see it
    shapes: Sequence[Line | Band]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    x_title: str = ""
    y_title: str = ""
    mark: float | None = None  # x of a vertical line
    legend: str = ""  # said after the lines' names
    width: int = 640
    height: int = 240

    def across(self, x: float) -> float:
        """Where `x` stands, from the left."""
        left, right, _, _ = MARGINS
        first, last = self.x_ticks[0][0], self.x_ticks[-1][0]
        return left + (self.width - left - right) * (float(x) - first) / ((last - first) or 1.0)

    def down(self, y: float) -> float:
        """Where `y` stands, from the top."""
        _, _, top, bottom = MARGINS
        low, high = self.y_ticks[0][0], self.y_ticks[-1][0]
        return top + (self.height - top - bottom) * (high - float(y)) / ((high - low) or 1.0)

    def points(self, shape: Line | Band) -> str:
        """The corners of a line, or of a band there and back."""
        if isinstance(shape, Line):
            corners = list(zip(shape.x, shape.y, strict=True))
        else:
            corners = list(zip(shape.x, shape.high, strict=True))
            corners += list(zip(shape.x, shape.low, strict=True))[::-1]
        return " ".join(f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in corners)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order."""

    title: str
    note: str = ""
    chart: Chart | None = None
    plot: str = ""  # a figure as the HTML that Plotly made of it
    table: Table | None = None


def frame(
    title: str,
    heading: str,
    sections: Sequence[Section],
    *,
    quote: Sequence[tuple[str, bool]] = (),
    lead: str = "",
    provenance: Section | None = None,
    block: tuple[str, str] | None = None,
) -> str:
    """The page. `quote` and `lead` stand under the heading, `provenance` at the foot.

    `quote`: pieces of a text, each with whether it is dashed.

    `block`: the id of an inert block and the JSON in it, by which a program can read the page.
    Without Plotly's figures the page forbids itself everything but its own style sheet.
    """
    return (
        _templates()
        .get_template("page.html")
        .render(
            language=language(),
            title=title,
            heading=heading,
            sections=sections,
            quote=quote,
            lead=lead,
            provenance=provenance,
            block=block and (block[0], _inert(block[1])),
            scripts=any(section.plot for section in sections),
            left=MARGINS[0],
            right=MARGINS[1],
            bottom=MARGINS[3],
            fonts=FONTS,
        )
    )


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("advlab.pictures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _inert(source: str) -> str:
    """JSON that cannot end the block it stands in; it means the same."""
    return source.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
