"""The player: a slider, a play button, charts and bars that follow in the browser, with no server.

A components-v2 element. Its data are a reel (`advlab.pictures.reel`): numbers, and text that is set by
`textContent` only.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from streamlit.components.v2 import component

from advlab.pictures.reel import Reel
from advlab.ui.guide import awaited, guide

_HERE = Path(__file__)
_PLAYER = component(
    "advlab_player",
    html='<div id="player"></div>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def player(reel: Reel, *, key: str) -> None:
    """Draw a reel. Drawn again with the same data it stays at its frame.

    The browser tells of no frame, but of the one that a lesson waits for.
    """
    data = reel.data()
    name = hashlib.sha256(json.dumps(data).encode("utf-8", "replace")).hexdigest()[:16]
    by = guide()
    if by is None or by.player != key:
        _PLAYER(key=key, data={"reel": data, "key": name})
        return
    sent = {"reel": data, "key": name, "awaited": awaited(reel)}
    _PLAYER(key=key, data=sent, on_reached_change=by.reached)
