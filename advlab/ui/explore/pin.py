"""Beside the sentence: a pinned reference to compare with, and the link that restores the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.components.v2 import component

from advlab.language import _
from advlab.pictures import sentences
from advlab.pictures.answers import common
from advlab.pictures.style import side
from advlab.records import AttackRecord, Reading
from advlab.ui import plain_text
from advlab.ui.explore.results import Result, attacked

if TYPE_CHECKING:
    from advlab.ui.explore.request import Request

_PIN = "explore.pin"
_CSS = """
button {
  min-height: 40px; padding: 4px 12px; font: 0.875rem var(--st-font); cursor: pointer;
  color: var(--st-text-color); background: var(--st-background-color); width: 100%;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:focus-visible { outline: 3px solid var(--st-primary-color); }
input { width: 100%; box-sizing: border-box; margin-top: 4px; font: inherit; }
"""
_JS = """
export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector("#link");
  if (!root) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = data.copy;
  button.title = data.about;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = data.copied;
      setTimeout(() => { button.textContent = data.copy; }, 2000);
    } catch {  // no clipboard without https: the link to copy by hand
      const field = document.createElement("input");
      field.value = location.href;
      field.readOnly = true;
      field.setAttribute("aria-label", data.link);
      root.replaceChildren(button, field);
      field.select();
    }
  };
  root.replaceChildren(button);
}
"""
_LINK = component("advlab_copy_link", html='<div id="link"></div>', css=_CSS, js=_JS)


def pinned() -> str:
    """The reference sentence; empty when there is none."""
    return st.session_state.get(_PIN, "")


def pin(text: str) -> None:
    """Make a sentence the reference."""
    st.session_state[_PIN] = text.strip()


def pin_bar(request: Request, results: Sequence[Result]) -> None:
    """Pin and link, and the pinned sentence beside the current one, same models and same attack."""
    reference = pinned()
    with st.container(horizontal=True, vertical_alignment="center"):
        if reference != request.text and st.button(
            _("Pin as reference"),
            icon=":material/keep:",
            shortcut="Alt+P",
            help=_("Keep this sentence's results in view while you try others."),
        ):
            pin(request.text)
            st.rerun()
        if reference and st.button(_("Unpin"), icon=":material/keep_off:"):
            pin("")
            st.rerun()
        with st.container(width=130):
            _LINK(
                key="link",
                data={
                    "copy": _("Copy link"),
                    "copied": _("Copied"),
                    "about": _("The link restores this picture wherever the models are"),
                    "link": _("Link to this picture"),
                },
            )
    if reference and reference != request.text:
        _compared(replace(request, text=reference, label=None, shield=()), results)


def _compared(request: Request, results: Sequence[Result]) -> None:
    rows: list[dict[str, Any]] = []
    for i, result in enumerate(results):
        other = attacked(result.model, request)
        if isinstance(other, Result):
            rows.append(_row(_("pinned"), i, other.record))
        rows.append(_row(_("now"), i, result.record))
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        alt=_("The pinned sentence beside the current one"),
        column_config={
            _("text"): st.column_config.TextColumn(width="medium"),
            _("flips at ε"): st.column_config.NumberColumn(format=_("%.3f × mean norm")),
        },
    )
    st.caption(_("Pinned: “{text}”", text=plain_text(request.text, 120)))


def _row(name: str, i: int, record: AttackRecord) -> dict[str, Any]:
    flip = record.curve.flip_eps

    def read(reading: Reading) -> str:
        answer, sure = common(reading)
        return f"{answer} {sentences.percent(sure)}"

    return {
        "": name,
        _("text"): record.text,
        _("model"): side(i, record.model),
        _("clean"): read(record.clean),
        _("attacked"): read(record.attacked),
        _("noise as long"): read(record.noise) if len(record.noise) else "–",
        _("flips at ε"): None if flip is None else flip / record.scale.mean_norm,
        _("tokens moved"): int(record.moved.sum()),
        _("way to the next word"): sentences.percent(float(sentences.exit_share(record).max())),
    }
