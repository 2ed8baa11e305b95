"""The player: a slider, a play button, charts and bars that follow in the browser, with no server.

A components-v2 element. Its data are a reel (`advlab.pictures.reel`): numbers, and text that is set by
`textContent` only.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from streamlit.components.v2 import component

from advlab.language import _
from advlab.pictures.reel import Reel
from advlab.ui.guide import awaited, guide

_HERE = Path(__file__)
_PLAYER = component(
    "advlab_player",
    html='<div id="player"></div>',
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def texts() -> dict[str, str]:
    """What the player says of itself; the browser fills the places."""
    return {
        "play": f"▶ {_('Play')}",
        "pause": f"❚❚ {_('Pause')}",
        "back": _("{control}: one back"),
        "on": _("{control}: one on"),
        "save": _("Save as SVG"),
        "saved": _("What is said, the charts and bars, as they stand"),
        "modes": _("what the bars show"),
        "full": _("a whole bar:"),
        "bands": _("bands: random noise as long"),
        "flips": _("flips"),
        "kept": _("kept"),
        "shielded": _("shielded"),
        "noise": _("random noise as long: {low} to {high}"),
        "left_out": _("{n} tokens with shorter δ left out"),
        "end": _("end"),
        "chips": _(
            "Small: the clean answer, struck where it changed, ▼ the first change. Below: nats of "
            "each token, darkest from {n} on."
        ),
        "above": _("above: p(end)"),
        "below": _("below: p(start)"),
        "framed": _("framed: the answer"),
        "dashed": _("dashed: the clean one"),
        "underlined": _("underlined: the reference"),
        "shaded": _("shaded: δ"),
    }


def player(reel: Reel, *, key: str) -> None:
    """Draw a reel. Drawn again with the same data it stays at its frame.

    The browser tells of no frame, but of the one that a lesson waits for.
    """
    data, said = reel.data(), texts()
    name = hashlib.sha256(json.dumps([data, said]).encode("utf-8", "replace")).hexdigest()[:16]
    by = guide()
    if by is None or by.player != key:
        _PLAYER(key=key, data={"reel": data, "texts": said, "key": name})
        return
    sent = {"reel": data, "texts": said, "key": name, "awaited": awaited(reel)}
    _PLAYER(key=key, data=sent, on_reached_change=by.reached)
