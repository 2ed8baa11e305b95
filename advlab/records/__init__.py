"""What was read, what happened and what was found: frozen dataclasses of numpy arrays and text.

No torch here. Axes: T tokens, W words, D embedding width, K neighbours, S attack steps, N values of
ε or versions of a text, R random draws.
"""

from __future__ import annotations

from advlab.records.attacked import AttackRecord, Moment, Scale
from advlab.records.estimates import Estimate
from advlab.records.examples import Dataset, Event, Example
from advlab.records.measured import Alarm, CarryOver, Finding, Grid, Optima, Row, Transfer
from advlab.records.microscope import Instant, Pinned, SlowMotion
from advlab.records.reading import Reading
from advlab.records.views import (
    Alignment,
    Attribution,
    Curve,
    Distances,
    Exits,
    Frames,
    Layers,
    Line,
    LocalPlane,
    Map,
    Nearest,
    Neighbours,
    Noise,
    Saliency,
    SaliencyChoices,
    Scaled,
    Substitutions,
    Surface,
    Written,
)

__all__ = [
    "Alarm",
    "Alignment",
    "AttackRecord",
    "Attribution",
    "CarryOver",
    "Curve",
    "Dataset",
    "Distances",
    "Estimate",
    "Event",
    "Example",
    "Exits",
    "Finding",
    "Frames",
    "Grid",
    "Instant",
    "Layers",
    "Line",
    "LocalPlane",
    "Map",
    "Moment",
    "Nearest",
    "Neighbours",
    "Noise",
    "Optima",
    "Pinned",
    "Reading",
    "Row",
    "Saliency",
    "SaliencyChoices",
    "Scale",
    "Scaled",
    "SlowMotion",
    "Substitutions",
    "Surface",
    "Transfer",
    "Written",
]
