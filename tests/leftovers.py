"""Everything that a page says, and the English in it: for pages that are to speak another language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pyarrow as pa
from streamlit.testing.v1 import AppTest

# fields of elements that nobody reads: names in code, addresses, files
UNSEEN = {
    *("id", "key", "element_id", "form_id", "icon", "url", "page_script_hash", "query_param_key"),
    *("script_path", "url_pathname", "color", "shortcut", "format", "deferred_file_id", "page"),
    *("component_name", "html_content", "js_content", "css_content", "language", "anchor", "tag"),
    *(
        "favicon",
        "type",
        "color",
        "columns",
        "arrow_data",
        "query_string",
        "accept_file",
        "body_id",
    ),
}
CODE = {"latex", "code"}  # kinds of elements that are of no language
# what JSON for the browser holds besides what is read: names in code, and what places are called
NAMES = {"key", "colour", "dash", "bars", "marks", "points", "part"}
# what is read of a figure's specification
FIGURE = {"text", "name", "hovertemplate", "hovertext", "ticktext", "title", "labels", "customdata"}
_RUN = re.compile(r"[A-Za-z][A-Za-z’'-]*(?:[,;:]? [A-Za-z][A-Za-z’'-]*)*")
_MARKUP = re.compile(r"<style.*?</style>|<!--.*?-->|%\{[^}]*\}|:material/\w+:|`[^`]*`", re.DOTALL)
_PLACE = re.compile(r"\{\w+\}")
_ATTRIBUTE = re.compile(r"(?:title|alt|aria-label|placeholder)=\"([^\"]*)\"")


def said(app: AppTest) -> Iterator[tuple[str, str]]:
    """(what holds it, text) of all that a page shows, tells on hover, or reads out."""
    yield from _node(app._tree)


def _node(node: Any) -> Iterator[tuple[str, str]]:
    proto, kind = getattr(node, "proto", None), str(getattr(node, "type", ""))
    if hasattr(proto, "DESCRIPTOR"):
        if kind == "plotly_chart":
            yield from ((kind, t) for t in (*_figure(json.loads(proto.spec)), proto.alt))
        elif kind == "dataframe":
            yield from ((kind, t) for t in _frame(proto))
        elif kind in CODE:
            pass
        elif kind == "bidi_component":
            yield from ((kind, t) for t in _strings(json.loads(proto.json or "null")))
        else:
            yield from ((kind, t) for t in _fields(proto))
    for child in getattr(node, "children", {}).values():
        yield from _node(child)


def _fields(message: Any) -> Iterator[str]:
    """Every string that a message of Streamlit holds and a person may see."""
    for field, value in message.ListFields():
        if field.name in UNSEEN or field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for one in [value] if not field.is_repeated else value:
            if isinstance(one, str):
                yield one
            elif hasattr(one, "ListFields"):
                yield from _fields(one)


def _strings(value: Any) -> Iterator[str]:
    """Every string in JSON."""
    if isinstance(value, str):
        yield _PLACE.sub(" ", value)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in NAMES:
                yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _figure(spec: Any, key: str = "") -> Iterator[str]:
    if isinstance(spec, dict):
        for name, one in spec.items():
            if name != "template":
                yield from _figure(one, name)
    elif isinstance(spec, list):
        for one in spec:
            yield from _figure(one, key)
    elif isinstance(spec, str) and key in FIGURE:
        yield spec


def _frame(proto: Any) -> Iterator[str]:
    table = pa.ipc.open_stream(proto.arrow_data.data).read_all()
    config = json.loads(proto.columns or "{}")
    hidden = {name for name, one in config.items() if one and one.get("hidden")}
    for name in table.column_names:
        if name in hidden or name.startswith("__index"):
            continue
        yield str((config.get(name) or {}).get("label") or name)
        yield from {v for v in table.column(name).to_pylist() if isinstance(v, str)}
        told = ((config.get(name) or {}).get("type_config") or {}).get("format") or ""
        yield str(told).replace("percent", "")  # which names a way of writing numbers
    yield getattr(proto, "alt", "")


def english(text: str, allowed: re.Pattern[str]) -> list[str]:
    """The runs of Latin words in a text that are not allowed there."""
    hovers = _ATTRIBUTE.findall(text)
    bare = unescape(re.sub(r"<[^>]+>", " | ", _MARKUP.sub(" ", text)))
    found = []
    for part in (bare, *map(unescape, hovers)):
        for run in _RUN.findall(allowed.sub(" | ", part)):
            if re.search(r"[a-zA-Z]{2}", run):
                found.append(run)
    return found
