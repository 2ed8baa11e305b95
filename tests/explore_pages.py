"""The Explore page run in this process."""

from __future__ import annotations

from typing import Any

from places import ROOT
from streamlit.testing.v1 import AppTest

PAGE = str(ROOT / "pages" / "explore" / "explore.py")


TEXTS = (
    ("the film was slow but i would see it again", 1),
    ("a dull plot and a boring film", 0),
    ("never have i seen a better play", 1),
    ("the actors were bad and the story worse", 0),
)


def page(**params: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=60)
    app.session_state["controls"] = True  # its fold of controls is open
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def shown(app: AppTest) -> str:
    """All HTML and Markdown on the page."""
    return " ".join([*(e.proto.body for e in app.get("html")), *(m.value for m in app.markdown)])


def widget(app: AppTest, kind: str, name: str) -> Any:
    """The widget whose key ends in `name`: keys carry the number of the link they came from."""
    return next(w for w in app.get(kind) if w.key and w.key.endswith(f".{name}"))
