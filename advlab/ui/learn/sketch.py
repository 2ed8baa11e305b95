"""A curve drawn by hand: points over given places, moved by pointer or, each a slider, by keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

_HERE = Path(__file__)
_SKETCH = component(
    "advlab_sketch",
    html='<div id="sketch" role="group"></div>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def sketch(at: Sequence[str], low: float, high: float, *, key: str) -> list[float] | None:
    """Draw the field; the curve as it was left, None while nothing was drawn."""
    data: dict[str, Any] = {"at": list(at), "low": low, "high": high, "key": key, "off": False}
    _SKETCH(key=key, data=data, on_curve_change=lambda: None)
    curve = st.session_state.get(key, {}).get("curve")
    fits = isinstance(curve, list) and len(curve) == len(at)
    return [float(v) for v in curve] if fits else None
