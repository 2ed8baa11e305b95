"""A form from a settings class: a widget for each field, with unit, help sentence and bounds.

The page gets back a checked instance, or None while what was entered does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import streamlit as st

from advlab.errors import SettingError
from advlab.language import N_, _
from advlab.settings import Setting, build, settings_of
from advlab.ui import plain_text
from advlab.ui.terms import with_term

T = TypeVar("T")
COLUMNS = 3
# what people call a choice whose name in files and addresses is short; others stand as they are
CHOICES = {
    "l1": "L1",
    "l2": "L2",
    "linf": "L∞",
    "norm": N_("× mean norm"),
    "half-nn": N_("× half-NN"),
    "example": N_("whole text"),
    "token": N_("each token"),
}
GUESS = N_("guess")  # what an optional yes/no field is called while it is empty


def form_for(
    cls: type[T], key: str, values: Mapping[str, Any] | None = None, exclude: Collection[str] = ()
) -> T | None:
    """Widgets for the fields of `cls`; the instance they make, or None with the reason on the page.

    `values` replace the defaults at first sight; where they change later, change `key` too, since
    Streamlit keeps what a person entered under a key. Fields in `exclude` keep their `values` or
    defaults and are not shown. Advanced fields stand in a folded part.
    """
    given = dict(values or {})
    shown = [item for item in settings_of(cls) if item.name not in exclude]
    entered: dict[str, Any] = {}
    _grid([item for item in shown if not item.meta.advanced], key, given, entered)
    advanced = [item for item in shown if item.meta.advanced]
    if advanced:
        with st.expander(_("More settings"), icon=":material/tune:"):
            _grid(advanced, key, given, entered)
    return _made(cls, given | entered)


def form_of(cls: type[T], key: str, values: Mapping[str, Any]) -> T | None:
    """What `form_for` with the same key would give, with no widget drawn."""
    entered: dict[str, Any] = {}
    for item in settings_of(cls):
        if (place := f"{key}.{item.name}") in st.session_state:
            value = st.session_state[place]
            entered[item.name] = None if item.optional and value == "" else value
    return _made(cls, dict(values) | entered)


def _made(cls: type[T], values: Mapping[str, Any]) -> T | None:
    try:
        return build(cls, values)
    except SettingError as error:
        st.error(plain_text(str(error)), icon=":material/error:")
        return None


def _grid(
    items: list[Setting], key: str, given: Mapping[str, Any], entered: dict[str, Any]
) -> None:
    for start in range(0, len(items), COLUMNS):
        row = items[start : start + COLUMNS]
        for item, column in zip(row, st.columns(COLUMNS), strict=False):
            with column:
                entered[item.name] = field(item, key, given.get(item.name, item.default))


def field(item: Setting, key: str, value: Any) -> Any:
    """One widget for one setting; what it holds, empty text as None."""
    common: dict[str, Any] = {
        "label": plain_text(_label(item)),
        "help": with_term(help_text(item), item.name),
        "key": f"{key}.{item.name}",
        "persist_state": "session",  # a visit to another page loses nothing
    }
    if item.choices:
        options = list(item.choices)
        index = options.index(value) if value in options else None
        return st.selectbox(options=options, index=index, format_func=_word, **common)
    if item.kind is bool:
        if not item.optional:
            return st.toggle(value=bool(value), **common)
        names = {None: _(GUESS), True: _("yes"), False: _("no")}
        options = list(names)
        return st.selectbox(
            options=options, index=options.index(value), format_func=names.__getitem__, **common
        )
    if item.kind is int:
        return st.number_input(
            value=value,
            step=1,
            min_value=_whole(item.meta.low),
            max_value=_whole(item.meta.high),
            placeholder=_("empty"),
            **common,
        )
    if item.kind is float:
        return st.number_input(
            value=None if value is None else float(value),
            step=step_for(value),
            format="%g",
            min_value=item.meta.low,
            max_value=item.meta.high,
            placeholder=_("empty"),
            **common,
        )
    text = st.text_input(
        value=value or "", placeholder=_("empty") if item.optional else None, **common
    )
    return (text or None) if item.optional else (text or "")


def help_text(item: Setting) -> str:
    """The help sentence with the bounds."""
    low, high = item.meta.low, item.meta.high
    told = _(item.meta.help)
    if low is not None and high is not None:
        return _("{help}. From {low:g} to {high:g}.", help=told, low=low, high=high)
    if low is not None:
        return _("{help}. At least {low:g}.", help=told, low=low)
    return _("{help}.", help=told)


def step_for(value: float | None) -> float:
    """What one press of + or − adds: half the value's leading decimal place, 0.1 at zero."""
    if not value:
        return 0.1
    return 10.0 ** math.floor(math.log10(abs(value))) / 2


def _word(choice: Any) -> str:
    return _(CHOICES.get(choice, str(choice)))


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound)


def _label(item: Setting) -> str:
    text, unit = _(item.meta.label or item.name.replace("_", " ")), _(item.meta.unit)
    if unit and item.meta.unit != item.name:  # not "Epochs (epochs)"
        text = f"{text} ({unit})"
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
