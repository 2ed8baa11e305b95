"""What the pages share: forms from settings classes, models and their loading, run panels.

The only part of the package that imports streamlit. Text that came from a user, a file or a
tokenizer goes through `plain_text` before it is shown: Streamlit reads Markdown nearly everywhere.
"""

from __future__ import annotations

import re
from typing import Any

KEEP: dict[str, Any] = {"persist_state": "session"}  # a control holds its value on other pages

# every sign that begins something in Streamlit's Markdown: emphasis, links, code, LaTeX, colours
# and icons (":red[", ":material/"), HTML, tables, lists and headings
_SIGNS = re.compile(r"([\\`*_\[\]<>#+\-.!|~$:&@])")


def plain_text(text: str, limit: int | None = None) -> str:
    """Text that Markdown shows as it is: every sign escaped, on one line, cut at `limit`."""
    text = " ".join(str(text).split())
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _SIGNS.sub(r"\\\1", text)
